"""Base types of writers: ``FormatCapabilities``, ``LabelBatch``, ``TableWriter``.

Some images with their labels, and what all writers of one file can do."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd

from tagger.arrays import Floats


@dataclass(frozen=True)
class FormatCapabilities:
    """What a format can say beside *yes*; the rest is told to the person (``carry.losses``)."""

    unknown: bool = False  # that nobody has settled a cell
    none: bool = True  # that an image has none of the labels
    unused: bool = False  # that there is a label which no image has


@dataclass(frozen=True)
class LabelBatch:
    """Some images in order. ``table`` is as :meth:`Tagger.table` makes it, ``chosen`` has the labels of each
    row.

    ``unreadable`` are rows without a prediction. ``judged`` says that people settled the labels, not a
    model; then ``unknown`` may have the labels of each row that nobody settled.
    """

    table: pd.DataFrame
    chosen: list[list[str]]
    unreadable: Collection[int] = ()
    ground_truth: bool = False
    unknown: list[list[str]] | None = None

    def scores(self, row: int) -> list[float]:
        """The probabilities of the chosen labels, if the table has any."""
        return [
            float(self.probs_NK[row, self.column_of[name]])
            for name in self.chosen[row]
            if name in self.column_of
        ]

    @cached_property
    def probs_NK(self) -> Floats:
        """The probabilities of all labels, in the table's order; K is 0 for settled labels."""
        return self.table.iloc[:, 2:].to_numpy(dtype=np.float64)

    @cached_property
    def column_of(self) -> dict[str, int]:
        """Where the probabilities of a label are."""
        return {name: k for k, name in enumerate(self.table.columns[2:])}

    def label_lists(self) -> list[dict[str, list[str]]]:
        """The settled labels of each row, and beside them the unknown ones if there are any in the whole."""
        if self.unknown is None:
            return [{"labels": labels} for labels in self.chosen]
        return [
            {"labels": labels, "unknown": unknown}
            for labels, unknown in zip(self.chosen, self.unknown, strict=True)
        ]


class TableWriter(Protocol):
    """One file of many images, written a part at a time: built with the images' folder, the file and the labels."""

    capabilities: ClassVar[FormatCapabilities]

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]): ...

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """One part, whole or absent."""

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """All parts as one file; ``empty`` is a part without images."""
