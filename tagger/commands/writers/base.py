"""Base types of writers: what a format can store, a batch of labelled images, a writer of one file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd

from tagger.arrays import Floats
from tagger.data.formats.prediction_columns import label_of_column
from tagger.registry import Registry

batch_formats = Registry(
    "format"
)  # written batch by batch and joined: a table, another file, a folder of images


@dataclass(frozen=True)
class FormatCapabilities:
    """What a format can store beside *yes*. ``lossiness.information_losses`` reports what it cannot."""

    unknown_cells: bool = False
    images_without_labels: bool = True
    unused_labels: bool = False  # labels that no image has


@dataclass(frozen=True)
class LabelBatch:
    """A batch of images with their labels. ``table`` is that of ``Predictor.to_table``; ``chosen`` holds the
    labels of each row.

    ``unreadable`` are rows without a prediction. ``ground_truth`` is set for labels that people set, not a
    model; ``unknown`` may then hold the unknown labels of each row.
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
        """The probabilities of all labels, in the table's order; K is 0 for ground truth."""
        return self.table.iloc[:, 2:].to_numpy(dtype=np.float64)

    @cached_property
    def column_of(self) -> dict[str, int]:
        """The column of each label in ``probs_NK``."""
        return {label_of_column(name): k for k, name in enumerate(self.table.columns[2:])}

    def label_lists(self) -> list[dict[str, list[str]]]:
        """The labels of each row; with the unknown ones beside them if any row of the file has some."""
        if self.unknown is None:
            return [{"labels": labels} for labels in self.chosen]
        return [
            {"labels": labels, "unknown": unknown}
            for labels, unknown in zip(self.chosen, self.unknown, strict=True)
        ]


class TableWriter(Protocol):
    """Writer of one file of many images, batch by batch; built with the images' folder, the file and the labels."""

    capabilities: ClassVar[FormatCapabilities]

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]): ...

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """Write one batch, whole or not at all."""

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """Join all batches into one file; ``empty`` is a batch without images."""
