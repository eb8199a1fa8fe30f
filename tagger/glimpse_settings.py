"""The settings of glimpses: a section of its own, with its default, bounds and documentation of each key."""

from typing import Literal

from pydantic import Field

from tagger.read_options import Section


class GlimpseSettings(Section):
    """Glimpses (thesis chapter 3): the network sees a small view, and the cells of a large one that matter most."""

    count: int = Field(0, ge=0, le=256)
    """Cells of each photo that are seen in high resolution; 0 is off, 1 cannot learn where to look."""
    grid: int = Field(16, ge=2, le=64)
    """Cells along each side of the photo."""
    size: int = Field(576, ge=32, le=4096)
    """Side of the square that cells are cut from, in pixels; the network itself sees it shrunk to `image.size`."""
    stage: int = Field(3, ge=1, le=64)
    """Stages of the backbone that a cell goes through, from the input on, with the backbone's own weights."""
    mode: Literal["product", "sum"] = "product"
    """`product`: each cell's features times its weight, side by side; `sum`: their weighted sum."""
