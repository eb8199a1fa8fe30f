"""The labels of a run after people's review: the decisions read from the store, applied, and what may be compared."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import make_url

from tagger.arrays import UNKNOWN, Cells, Floats
from tagger.commands.console.screen import Screen
from tagger.commands.steps.disagreements import show_disagreements
from tagger.errors import TaggerError
from tagger.review import (
    CorrectedLabels,
    RecordedDecision,
    RecordedOperation,
    Store,
    apply_decisions,
    default_url,
    know_photos,
    vocabulary_after,
)
from tagger.review.disagreement import WAYS, Decide, leave_open
from tagger.review.readable_store import readable
from tagger.review.store_address import check_store_folder, check_store_is_there, store_is_missing
from tagger.review.vote_reliability import StoreVotes, weigh_store_votes
from tagger.runs import RunFolder, data_folder
from tagger.suspects import refit_doubt
from tagger.text import counted


@dataclass(frozen=True)
class ReviewedLabels:
    """The labels after all decisions, and the decisions and operations that they follow from."""

    applied: CorrectedLabels
    decisions: Sequence[RecordedDecision]
    operations: Sequence[RecordedOperation]
    on_disagreement: str = "skip"  # how labels on which people differ were decided
    decide: Decide = leave_open  # the same as a function

    @property
    def num_decisions(self) -> int:
        """The number of decisions; one on a picture of which there are several files counts once."""
        return len({decision.id for decision in self.decisions})

    @property
    def last_decision(self) -> int:
        """The id of the last decision, 0 if there is none."""
        return max((decision.id for decision in self.decisions), default=0)

    @property
    def last_operation(self) -> int:
        """The id of the last operation on the vocabulary, 0 if there is none."""
        return max((operation.id for operation in self.operations), default=0)


def store_url(run: RunFolder, store: str | None, *, may_be_new: bool = False) -> str:
    """The address of the review store: the one given, else that of the run's data folder.

    TaggerError if the one given is not there, or, where it ``may_be_new``, the folder that it belongs to: absent is
    not empty.
    """
    if not store:
        return default_url(data_folder(run))
    (check_store_folder if may_be_new else check_store_is_there)(store)
    return store


def read_decisions(
    url: str, run: RunFolder | None = None
) -> tuple[list[RecordedDecision], list[RecordedOperation]]:
    """All decisions and operations in the store; none where there is no such file yet.

    Decisions are read as those on the photos of ``run``, whatever metadata was written into their files since.
    """
    if store_is_missing(url):
        return [], []
    with closing(Store.open(readable(url))) as store:
        if run is not None:
            know_photos(store, run.load_images(), run.load_settings().data.path)
        return store.decisions(), store.operations()


def hide_password(url: str) -> str:
    """The address without its password, to be shown and saved.

    >>> hide_password("postgresql://ann:secret@server/db")
    'postgresql://ann:***@server/db'
    """
    return make_url(url).render_as_string(hide_password=True)


def correct_labels(
    run: RunFolder,
    decisions: Sequence[RecordedDecision],
    operations: Sequence[RecordedOperation],
    on_disagreement: str = "skip",
) -> ReviewedLabels:
    """The run's labels after these decisions and operations. ``on_disagreement``: see ``review/disagreement.py``."""
    decide = WAYS.get(on_disagreement) or store_votes(run, decisions, operations).decide
    labels_NK, names = run.load_cells(), run.load_labels()
    return correct_cells(run.load_images(), labels_NK, names, decisions, operations, on_disagreement, decide)


def correct_cells(
    images: pd.DataFrame,
    labels_NK: Cells,
    names: Sequence[str],
    decisions: Sequence[RecordedDecision],
    operations: Sequence[RecordedOperation],
    on_disagreement: str,
    decide: Decide,
) -> ReviewedLabels:
    """The labels of any images (columns ``file`` and ``hash``) after these decisions and operations."""
    applied = apply_decisions(
        images["file"].tolist(), images["hash"].tolist(), labels_NK, names, decisions, operations,
        decide=decide,
    )  # fmt: skip
    return ReviewedLabels(applied, decisions, operations, on_disagreement, decide)


def store_votes(
    run: RunFolder, decisions: Sequence[RecordedDecision], operations: Sequence[RecordedOperation]
) -> StoreVotes:
    """All people's votes, weighed by reliability together with the run's held-out probabilities, if it has any."""
    try:
        probs_NK, _ = run.load_oof()
    except TaggerError:  # a run of an earlier version: the votes alone
        probs_NK = None
    vocabulary = vocabulary_after(run.load_labels(), operations)
    return weigh_store_votes(decisions, vocabulary, run.load_images()["hash"].tolist(), probs_NK)


def eval_mask(run: RunFolder, corrected: ReviewedLabels, test_N: np.ndarray) -> np.ndarray:
    """Mask (N, K; bool) of the test cells on which this run and its successor may be compared.

    These are the cells that a person verified blind, and those that nobody decided, which keep their first
    label. Cells that a model had picked for review would favour that model.
    """
    applied = corrected.applied
    mask_NK = np.where(applied.verified_NK, applied.blind_NK, True) & (applied.labels_NK != UNKNOWN)
    before_NK = run.load_eval_mask()
    names = run.load_labels()
    if before_NK is not None:  # what was left out once stays out unless somebody verified it blind since
        current_vocabulary = vocabulary_after(names, corrected.operations)
        cells_NK = run.load_cells()
        column_of = {name: k for k, name in enumerate(applied.names)}
        for k, name in enumerate(names):
            if (current := current_vocabulary.resolve(name)) is not None:
                out_N = (cells_NK[:, k] != UNKNOWN) & ~before_NK[:, k]
                mask_NK[:, column_of[current]] &= ~out_N | applied.blind_NK[:, column_of[current]]
    return mask_NK & test_N[:, None]


def remaining_doubt(run: RunFolder, suspects: pd.DataFrame, corrected: ReviewedLabels) -> Floats:
    """Doubt (N, K) refitted on the verdicts so far; 0 for cells that are no suspects, NaN for verified ones."""
    applied = corrected.applied
    current_vocabulary = vocabulary_after(run.load_labels(), corrected.operations)
    column_of = {name: k for k, name in enumerate(applied.names)}
    doubt_NK = np.zeros(applied.labels_NK.shape, dtype=np.float32)
    current = {name: current_vocabulary.resolve(name) for name in suspects["label"].unique()}
    column = suspects["label"].map({name: column_of[to] for name, to in current.items() if to is not None})
    rows = suspects["row"].to_numpy(np.int64)
    given = suspects["given"].to_numpy()
    usable = (column.notna() & (rows < len(doubt_NK))).to_numpy()
    at = rows[usable], column[usable].to_numpy(np.int64)
    verified = applied.verified_NK[at]
    positions = np.flatnonzero(usable)
    verdicts = pd.DataFrame(
        {"position": positions[verified], "wrong": (applied.labels_NK[at] != given[usable])[verified]}
    )
    doubt = refit_doubt(suspects, verdicts)[usable]
    doubt_NK[at] = np.where(applied.labels_NK[at] == given[usable], doubt, 0)
    return np.where(applied.verified_NK, np.float32(np.nan), doubt_NK)


def show_decisions(
    run: RunFolder,
    corrected: ReviewedLabels,
    url: str,
    screen: Screen,
    images: pd.DataFrame | None = None,
) -> None:
    """Show the number of decisions, those that match no photo or label, and where people differ.

    ``images`` are those that were corrected, if they are not the run's.
    """
    applied = corrected.applied
    verified = counted(int(np.sum(applied.verified_NK)), "label")
    screen.say(
        f"{counted(corrected.num_decisions, 'decision')} in {hide_password(url)}: {verified} checked,"
        f" {len(applied.changes):,} changed."
    )
    if len(applied.unmatched):
        number = counted(len(applied.unmatched), "decision")
        screen.say(
            f"Not applied: {number} on photos that are not there or labels that this run does not have:"
        )
        names = _photo_names(run, url)
        screen.say_list(
            [
                f"{row.label!r} of {names.get(row.hash, f'photo {row.hash[:12]}')} ({row.verdict})"
                for row in applied.unmatched
            ]
        )
    for problem in applied.problems:
        screen.say(problem)
    if applied.disputed:
        shown = run.load_images() if images is None else images
        show_disagreements(applied.disputed, shown, corrected.on_disagreement, run.path, screen)


def _photo_names(run: RunFolder, url: str) -> dict[str, str]:
    """The names of photos by hash: those that the store knows of decided ones, and those of the run."""
    names: dict[str, str] = {}
    if not store_is_missing(url):
        with closing(Store.open(readable(url))) as store:
            names = store.photo_files()
    images = run.load_images()
    return names | dict(zip(images["hash"], images["file"], strict=True))
