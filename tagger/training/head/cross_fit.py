"""Cross-fit heads on cached features: one for each fold, and the mean of all as one head.

Seconds instead of hours, because the backbone is not run again. Each fold's heads never see the fold's
images, so their probabilities are out-of-fold; the mean of all is the head that a run keeps or that
fine-tuning starts from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.arrays import Cells, Floats, Indices
from tagger.config import Settings
from tagger.data import EMPTY_VOCABULARY, Vocabulary
from tagger.heads import Head, HeadEnsemble, LinearHead, merge_linear_heads
from tagger.progress import Track
from tagger.training.dynamics import TrainingDynamics
from tagger.training.head.train_head import (
    HeadFitTask,
    PreparedHead,
    head_logits,
    prepare_head,
    single_thread,
    smooth_targets,
    train_head,
    validation_metrics,
)
from tagger.training.targets import TrainingTargets
from tagger.training.thread_map import MAX_WORKERS, thread_map
from tagger.training.training_data import History

__all__ = [
    "CrossFittedHeads",
    "combine_heads",
    "cross_fit_heads",
    "fit_head",
    "head_logits",
    "smooth_targets",
    "validation_metrics",
]

T = TypeVar("T")


@dataclass(frozen=True)
class CrossFittedHeads:
    """The heads of each part (trained without it), out-of-part logits (N, K; NaN outside all parts), and
    history.

    ``dynamics``: how the out-of-part probabilities moved over the epochs (and repeats), of the same cells.
    """

    heads: tuple[Head | HeadEnsemble, ...]
    logits_NK: Floats
    history: History
    dynamics: TrainingDynamics

    @property
    def head(self) -> Head | HeadEnsemble:
        """One head that gives the mean logits of all of them."""
        return combine_heads(self.heads)


def cross_fit_heads(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    fold_N: Indices,
    settings: Settings,
    *,
    track: Track,
    targets: Callable[[Indices], TrainingTargets] | None = None,
    vocabulary: Vocabulary = EMPTY_VOCABULARY,
    start: Head | HeadEnsemble | None = None,
) -> CrossFittedHeads:
    """Train heads on all parts but one, for each part of ``fold_N`` (-1: in none, such as the test split).

    ``targets`` may give other targets than the labels, and weights, for each part that is held out. A core
    trains the heads of one part at a time, alone; what comes out does not depend on how many cores there
    are, but for rounding. ``start`` is a head to begin with instead of new ones.
    """
    logits_NK = np.full(labels_NK.shape, np.nan, dtype=np.float32)
    dynamics = TrainingDynamics(*labels_NK.shape)
    folds = np.unique(fold_N[fold_N >= 0]).tolist()
    prepared = {
        fold: _prepare_heads(views_VND, labels_NK, settings, vocabulary, f"part {fold}", start)
        for fold in folds
    }
    stop = Event()

    def fit_fold(fold: int) -> tuple[Head | HeadEnsemble, History]:
        rows = np.flatnonzero((fold_N >= 0) & (fold_N != fold))
        held_out = np.flatnonzero(fold_N == fold)
        fold_targets = targets(held_out) if targets else TrainingTargets.from_labels(labels_NK)
        task = HeadFitTask(views_VND, labels_NK, fold_targets, rows, held_out, vocabulary)
        prefetch = torch.get_num_threads() > 1
        check = partial(check_stop, stop)
        fitted = [
            train_head(one, task, settings, dynamics, prefetch=prefetch, before_epoch=check)
            for one in prepared[fold]
        ]
        head = combine_heads([head for head, _ in fitted])
        logits_NK[held_out] = head_logits(head, views_VND, held_out)
        return head, fitted[0][1]

    fitted = run_folds(fit_fold, folds, stop, track)
    heads = tuple(head for head, _ in fitted)
    return CrossFittedHeads(heads, logits_NK, mean_history([history for _, history in fitted]), dynamics)


def run_folds(
    fit_fold: Callable[[int], T], folds: Sequence[int], stop: Event, track: Track, what: str = "heads"
) -> list[T]:
    """``fit_fold`` of each fold, in threads; ``stop`` is set at the end, or when one fails."""
    results = thread_map(fit_fold, folds, workers=min(torch.get_num_threads(), len(folds), MAX_WORKERS))
    try:
        return [next(results) for _ in track(folds, what)]
    finally:
        stop.set()  # Ctrl-C: heads that still train in a thread stop after their epoch
        results.close()  # type: ignore[attr-defined]


def fit_head(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    rows: Indices,
    held_out: Indices,
    settings: Settings,
    *,
    name: str,
    dynamics: TrainingDynamics | None = None,
    targets: TrainingTargets | None = None,
    vocabulary: Vocabulary = EMPTY_VOCABULARY,
    start: Head | HeadEnsemble | None = None,
) -> tuple[Head | HeadEnsemble, History]:
    """A head (``head_stage.num_seeds`` of them, averaged) trained on some rows, and its history on the held-out
    ones.

    ``dynamics`` takes in its held-out probabilities after each epoch.
    """
    task = HeadFitTask(
        views_VND, labels_NK, targets or TrainingTargets.from_labels(labels_NK), rows, held_out, vocabulary
    )
    dynamics = dynamics or TrainingDynamics(*labels_NK.shape)
    fitted = []
    for one in _prepare_heads(views_VND, labels_NK, settings, vocabulary, name, start):
        with single_thread(one.head) as prefetch:
            fitted.append(train_head(one, task, settings, dynamics, prefetch=prefetch))
    return combine_heads([head for head, _ in fitted]), fitted[0][1]


def _prepare_heads(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    settings: Settings,
    vocabulary: Vocabulary,
    name: str,
    start: Head | HeadEnsemble | None,
) -> list[PreparedHead]:
    repeats = range(settings.head_stage.num_seeds)
    sizes = views_VND.shape[2], labels_NK.shape[1]
    starts = [*start.members] if isinstance(start, HeadEnsemble) else [start]
    return [
        prepare_head(*sizes, settings, vocabulary, f"{name} repeat {repeat}", starts[repeat % len(starts)])
        for repeat in repeats
    ]


def check_stop(stop: Event) -> None:
    """InterruptedError if ``stop`` is set."""
    if stop.is_set():
        raise InterruptedError("the training of other heads has ended early")


def mean_history(histories: Sequence[History], stage: str = "head") -> History:
    """History rows of a stage, each the mean over its folds."""
    keys = histories[0][0]
    rows = [
        {key: float(np.mean([row[key] for row in rows])) for key in keys}
        for rows in zip(*histories, strict=True)
    ]
    return [{"stage": stage, **row, "epoch": int(row["epoch"])} for row in rows]


def combine_heads(members: Sequence[Head | HeadEnsemble]) -> Head | HeadEnsemble:
    """One head with the mean scores of the members; linear ones become a single linear head."""
    if len(members) == 1:
        return members[0]
    flat = [
        head
        for member in members
        for head in (member.members if isinstance(member, HeadEnsemble) else [member])
    ]
    linear = [head for head in flat if isinstance(head, LinearHead)]
    return merge_linear_heads(linear) if len(linear) == len(flat) else HeadEnsemble(flat)
