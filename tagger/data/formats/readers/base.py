"""The interface of a label reader: detect, accept a named path, and read."""

from pathlib import Path
from typing import Protocol

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable


class LabelReader(Protocol):
    """One way in which people keep labels beside images."""

    def detect(self, images: ImageLookup) -> Path | None:
        """The file or folder below ``images.root`` that holds labels of this kind, or None."""

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True if the path that a person named (``--labels``) is of this kind."""

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Everything that ``path`` says about ``images``. TaggerError if it cannot be taken at its word."""
