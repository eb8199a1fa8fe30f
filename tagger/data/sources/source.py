"""What must a kind of label source be able to do?"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tagger.data.image_index import ImageIndex
from tagger.data.long_table import LongTable

Step = Callable[[int], None]  # is told how many files have been opened so far, by sources that open one per image


def unseen(done: int) -> None:
    """Nothing: nobody watches."""


class Source(Protocol):
    """One way in which people keep labels beside images."""

    def detect(self, images: ImageIndex) -> Path | None:
        """The file or folder below ``images.root`` that holds labels of this kind, or None."""

    def accepts(self, path: Path, images: ImageIndex) -> bool:
        """True if the path that a person named (``--labels``) is of this kind."""

    def read(self, path: Path, images: ImageIndex) -> LongTable:
        """Everything that ``path`` says about ``images``. TaggerError if it cannot be taken at its word."""
