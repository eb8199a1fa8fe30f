"""A retraining that grows: the photos and labels of the data folder as they are now, joined to those of the run.

What was read is kept in the checkpoint, so that a resumed retraining learns the same photos. The run's photos keep
their split and fold; new ones are shared out once their pixels are read (``data/joined_split.py``).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN, Bools, Floats, Indices
from tagger.commands.console.screen import Screen
from tagger.commands.steps.constraints import remap_constraints
from tagger.commands.steps.current_table import CurrentTable, DecidedCells, decide_cells, find_changes
from tagger.commands.steps.dataset_reading import tell_dataset
from tagger.commands.steps.reviewed_labels import ReviewedLabels, eval_mask
from tagger.config import Settings
from tagger.data.table_changes import TableChanges, carry_cells, match_columns
from tagger.errors import TaggerError
from tagger.review import vocabulary_after
from tagger.runs import RunFolder
from tagger.training.check_parts import check_dataset

ROW = "previous_row"  # column of the checkpoint's images: the row in the previous run, -1 for a new photo


@dataclass(frozen=True)
class GrownPhotos:
    """The photos as they are now (split "" for new ones), their labels, their rows in the run, and the changes."""

    images: pd.DataFrame
    cells: DecidedCells
    row_N: Indices
    changes: TableChanges

    @property
    def reviewed(self) -> ReviewedLabels:
        """The labels after the decisions."""
        return self.cells.reviewed

    def columns(self, corrected: ReviewedLabels) -> list[int | None]:
        """The column of each label among those of the run after its decisions; None for a new label."""
        return match_columns(self.reviewed.applied.names, corrected.applied.names)

    def carry_doubt(self, doubt_NK: Floats, corrected: ReviewedLabels) -> Floats:
        """The doubt in each cell by that in the run's: 0 for what is new or changed, NaN for what people decided."""
        columns = self.columns(corrected)
        applied = self.reviewed.applied
        before_NK = carry_cells(corrected.applied.labels_NK, self.row_N, columns, UNKNOWN)
        carried_NK = carry_cells(doubt_NK, self.row_N, columns, 0.0)
        same_NK = np.where(before_NK == applied.labels_NK, carried_NK, np.float32(0))
        return np.where(applied.verified_NK, np.float32(np.nan), same_NK).astype(np.float32)

    def carry_eval_mask(self, previous: RunFolder, corrected: ReviewedLabels) -> Bools:
        """The cells on which runs may be compared, if their photos are in the test split.

        As in a retraining without new photos; and a label that changed in the table since does not count, as nobody
        knows whether a model had picked it. What was unknown before does count.
        """
        columns = self.columns(corrected)
        applied = self.reviewed.applied
        old_NK = corrected.applied.labels_NK
        before_NK = carry_cells(old_NK, self.row_N, columns, UNKNOWN)
        counted_NK = eval_mask(previous, corrected, np.ones(len(old_NK), dtype=bool))
        out_NK = carry_cells((old_NK != UNKNOWN) & ~counted_NK, self.row_N, columns, False)
        out_NK |= (before_NK != UNKNOWN) & (before_NK != applied.labels_NK)
        mask_NK = np.where(applied.verified_NK, applied.blind_NK, ~out_NK)
        return mask_NK & (applied.labels_NK != UNKNOWN)

    def to_json(self) -> dict[str, Any]:
        """What is new, for ``metrics.json``."""
        changes = self.changes
        return {
            "new_photos": changes.num_new,
            "removed_photos": changes.num_removed,
            "new_labels": list(changes.new_labels),
            "labels_gone": list(changes.labels_gone),
            "changed_cells": changes.num_changed,
        }


def check_grown(previous: RunFolder, current: CurrentTable, settings: Settings, num_features: int) -> None:
    """TaggerError if nothing of the run is left, or if no model can be trained on the labels as they are now."""
    root = settings.data.path
    if not (current.row_N >= 0).any():
        raise TaggerError(
            f"{root}: none of the photos of {previous.path} are in it any more. Train on the new ones:"
            f" tagger train --data DIR --from {previous.path}"
        )
    applied = current.corrected.applied
    vocabulary = vocabulary_after(current.dataset.labels, current.corrected.operations)
    groups, rules = remap_constraints(vocabulary, current.dataset.groups, current.dataset.rules)
    now = replace(
        current.dataset, labels=applied.names, labels_NK=applied.labels_NK, groups=groups, rules=rules
    )
    check_dataset(settings, num_features, now)


def save_grown(folder: RunFolder, current: CurrentTable, screen: Screen) -> None:
    """Keep what was read: photos, labels as they were given, files; and the labels that the run will have."""
    screen.log_path = folder.log_path
    dataset = current.dataset
    tell_dataset(dataset, screen)
    checkpoint = folder.checkpoint
    checkpoint.save_images(dataset.images.assign(**{ROW: current.row_N}))
    checkpoint.save_cells(dataset.labels_NK, dataset.labels)
    checkpoint.save_unreadable(list(dataset.unreadable))
    checkpoint.save_file_stats(current.file_stats_NF)
    vocabulary = vocabulary_after(dataset.labels, current.corrected.operations)
    groups, rules = remap_constraints(vocabulary, dataset.groups, dataset.rules)
    folder.save_labels(current.corrected.applied.names, groups, rules)


def load_grown(folder: RunFolder, previous: RunFolder, corrected: ReviewedLabels) -> GrownPhotos:
    """What ``save_grown`` kept, with the decisions. ``corrected`` are the run's labels after these."""
    checkpoint = folder.checkpoint
    images = checkpoint.load_images()
    row_N = images[ROW].to_numpy(np.int64)
    cells = decide_cells(images, checkpoint.load_cells(), checkpoint.load_cell_names(), corrected)
    changes = find_changes(previous, corrected, images, cells, row_N)
    old = previous.load_images()
    known = row_N >= 0
    split = np.where(known, old["split"].to_numpy(dtype=str)[row_N], "")
    fold = np.where(known, old["fold"].to_numpy(np.int64)[row_N], -1)
    return GrownPhotos(images.drop(columns=ROW).assign(split=split, fold=fold), cells, row_N, changes)
