"""The photos and labels in a run's data folder now, compared with those that the run was trained on."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Cells, Indices
from tagger.commands.console.screen import Screen
from tagger.commands.steps.dataset_reading import read_with_file_stats
from tagger.commands.steps.reviewed_labels import ReviewedLabels, correct_cells
from tagger.data import Dataset
from tagger.data.known_hashes import known_hashes
from tagger.data.table_changes import LabelledPhotos, TableChanges, compare_tables, match_photos
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.text import counted


@dataclass(frozen=True)
class CurrentTable:
    """The data set as it is now, the stats of its files, its labels after the decisions, and what is different.

    ``row_N`` are the rows of its photos in the run, -1 for new ones.
    """

    dataset: Dataset
    file_stats_NF: NDArray[np.int64]
    corrected: ReviewedLabels
    row_N: Indices
    changes: TableChanges


def read_current_table(previous: RunFolder, corrected: ReviewedLabels, screen: Screen) -> CurrentTable:
    """The data folder of a run as it is now. ``corrected`` are the run's labels after the decisions.

    TaggerError if its photos or labels cannot be read.
    """
    dataset, stats_NF = read_with_file_stats(previous.load_settings().data, track=screen.track)
    old = previous.load_images()
    dataset = replace(dataset, images=dataset.images.assign(hash=known_hashes(dataset.images, old)))
    row_N = match_photos(*_keys(dataset.images), *_keys(old))
    now = decide_cells(dataset.images, dataset.labels_NK, dataset.labels, corrected)
    changes = find_changes(previous, corrected, dataset.images, now, row_N)
    return CurrentTable(dataset, stats_NF, now.reviewed, row_N, changes)


def _keys(images: pd.DataFrame) -> tuple[list[str], list[str]]:
    return images["file"].tolist(), images["hash"].tolist()


@dataclass(frozen=True)
class DecidedCells:
    """Labels of photos: the cells (N, K) without the decisions, and the labels after them."""

    given_NK: Cells
    reviewed: ReviewedLabels


def decide_cells(
    images: pd.DataFrame, labels_NK: Cells, names: tuple[str, ...], like: ReviewedLabels
) -> DecidedCells:
    """The labels of photos with the decisions and label names of ``like``."""
    given = correct_cells(images, labels_NK, names, [], like.operations, like.on_disagreement, like.decide)
    reviewed = correct_cells(
        images, labels_NK, names, like.decisions, like.operations, like.on_disagreement, like.decide
    )
    return DecidedCells(given.applied.labels_NK, reviewed)


def find_changes(
    previous: RunFolder, corrected: ReviewedLabels, images: pd.DataFrame, now: DecidedCells, row_N: Indices
) -> TableChanges:
    """What is different from the run. Photos that could not be read then are not new."""
    old = decide_cells(previous.load_images(), previous.load_cells(), previous.load_labels(), corrected)
    unreadable = [problem.file for problem in previous.load_unreadable()]
    rows = np.flatnonzero((row_N >= 0) | ~images["file"].isin(unreadable).to_numpy())
    everything = np.arange(len(old.given_NK))
    return compare_tables(_labelled(old, everything), _labelled(now, rows), row_N[rows])


def _labelled(cells: DecidedCells, rows: Indices) -> LabelledPhotos:
    applied = cells.reviewed.applied
    return LabelledPhotos(applied.names, cells.given_NK[rows], applied.labels_NK[rows])


def tell_changes(previous: RunFolder, changes: TableChanges, screen: Screen) -> None:
    """Show what is different; nothing if all is as it was."""
    if changes.parts:
        screen.say(f"Changed since {previous.path} was trained: {', '.join(changes.parts)}.")
    if changes.as_decided:
        verb = "is" if changes.as_decided == 1 else "are"
        screen.say(
            f"{counted(changes.as_decided, 'label value')} in the table {verb} as decided in the review:"
            " `tagger apply` writes such tables."
        )
    for rename in changes.renames:
        screen.say(str(rename))


def tell_what_is_not_learnt(previous: RunFolder, corrected: ReviewedLabels, screen: Screen) -> None:
    """Show what a retraining without ``--grow`` does not learn, where the data folder has changed since."""
    try:
        changes = read_current_table(previous, corrected, screen).changes
    except TaggerError as error:
        screen.say(
            f"Whether photos or labels have changed since {previous.path} was trained is not known: {error}"
        )
        return
    tell_changes(previous, changes, screen)
    if changes.parts:
        screen.say(
            "This retraining uses the photos and labels of that run and the decisions. To learn the changes, too:"
            " tagger retrain --grow"
        )
