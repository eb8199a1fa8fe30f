"""The interface of a label reader: detect, accept a named path, and read."""

from pathlib import Path
from typing import Protocol

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable


class LabelReader(Protocol):
    """The interface of a label reader."""

    def detect(self, images: ImageLookup) -> Path | None:
        """The file or folder below ``images.root`` with labels in this format, or None."""

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True if the path that the user named (``--labels``) has this format."""

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """The labels in ``path`` of ``images``. TaggerError if it is broken."""
