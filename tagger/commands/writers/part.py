"""What does a writer get? Some images with their labels, and what all writers of one file can do."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd


@dataclass(frozen=True)
class Part:
    """Some images in order. ``table`` is as :meth:`Tagger.table` makes it, ``chosen`` has the labels of each row.

    ``unreadable`` are rows without a prediction. ``judged`` says that people settled the labels, not a model.
    """

    table: pd.DataFrame
    chosen: list[list[str]]
    unreadable: Collection[int] = ()
    judged: bool = False

    def scores(self, row: int) -> list[float]:
        """The probabilities of the chosen labels, if the table has any."""
        known = [label for label in self.chosen[row] if label in self.table.columns]
        return self.table[known].iloc[row].astype(float).tolist()


class TableWriter(Protocol):
    """One file of many images, written a part at a time: built with the images' folder, the file and the labels."""

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]): ...

    def write_part(self, part: Part, path: Path) -> None:
        """One part, whole or absent."""

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """All parts as one file; ``empty`` is a part without images."""
