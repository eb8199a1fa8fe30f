"""Heads on cached features: one a fold for out-of-fold probabilities, and their mean as the model's head.

Seconds instead of hours, because the backbone is not run again. Each fold's heads never see the fold's images, so
the probabilities they give are honest; the mean of all is the head that a run keeps or that fine-tuning starts from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.arrays import Cells, Floats
from tagger.config import Settings
from tagger.data import NO_VOCABULARY, Vocabulary
from tagger.heads import Head, HeadEnsemble, LinearHead, merge
from tagger.training.dynamics import Dynamics
from tagger.training.head_fit import (
    Begun,
    HeadTask,
    History,
    Rows,
    begin,
    head_logits,
    learn,
    one_core,
    soften,
    validation_row,
)
from tagger.training.lanes import MOST, in_lanes
from tagger.training.lessons import Lessons

__all__ = ["HeadStage", "combine", "fit_head", "fit_heads", "head_logits", "soften", "validation_row"]

Track = Callable[[Any, str], Any]


@dataclass(frozen=True)
class HeadStage:
    """The heads of each part (trained without it), out-of-part logits (N, K; NaN outside all parts), and history.

    ``dynamics``: how the out-of-part probabilities moved over the epochs (and repeats), of the same cells.
    """

    heads: tuple[Head | HeadEnsemble, ...]
    logits_NK: Floats
    history: list[dict[str, Any]]
    dynamics: Dynamics

    @property
    def head(self) -> Head | HeadEnsemble:
        """One head that gives the mean logits of all of them."""
        return combine(self.heads)


def fit_heads(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    part_N: Rows,
    settings: Settings,
    *,
    track: Track,
    lessons: Callable[[Rows], Lessons] | None = None,
    vocabulary: Vocabulary = NO_VOCABULARY,
) -> HeadStage:
    """Train heads on all parts but one, for each part of ``part_N`` (-1: in none, such as the test split).

    ``lessons`` may give other targets than the labels, and weights, for each part that is held out. A core trains the
    heads of one part at a time, alone; what comes out does not depend on how many cores there are, but for rounding.
    """
    logits_NK, dynamics = np.full(labels_NK.shape, np.nan, dtype=np.float32), Dynamics(*labels_NK.shape)
    parts = np.unique(part_N[part_N >= 0]).tolist()
    begun = {part: _begin(views_VND, labels_NK, settings, vocabulary, f"part {part}") for part in parts}
    stop = Event()

    def fit_part(part: int) -> tuple[Head | HeadEnsemble, History]:
        rows, held_out = np.flatnonzero((part_N >= 0) & (part_N != part)), np.flatnonzero(part_N == part)
        taught = lessons(held_out) if lessons else Lessons.of(labels_NK)
        task = HeadTask(views_VND, labels_NK, taught, rows, held_out, vocabulary)
        fitted = [
            learn(one, task, settings, dynamics, ahead=torch.get_num_threads() > 1, going_on=partial(_go_on, stop))
            for one in begun[part]
        ]
        head = combine([head for head, _ in fitted])
        logits_NK[held_out] = head_logits(head, views_VND, held_out)
        return head, fitted[0][1]

    results = in_lanes(fit_part, parts, lanes=min(torch.get_num_threads(), len(parts), MOST))
    try:
        fitted = [next(results) for _ in track(parts, "heads")]
    finally:
        stop.set()  # Ctrl-C: what still trains in a lane ends with its epoch
        results.close()  # type: ignore[attr-defined]
    heads, histories = [head for head, _ in fitted], [history for _, history in fitted]
    return HeadStage(tuple(heads), logits_NK, _mean_history(histories), dynamics)


def fit_head(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    rows: Rows,
    held_out: Rows,
    settings: Settings,
    *,
    name: str,
    watch: Dynamics | None = None,
    lessons: Lessons | None = None,
    vocabulary: Vocabulary = NO_VOCABULARY,
) -> tuple[Head | HeadEnsemble, History]:
    """A head (``features.repeats`` of them, averaged) trained on some rows, and its history on the held-out ones.

    ``watch`` takes in what it says of them after each epoch.
    """
    task = HeadTask(views_VND, labels_NK, lessons or Lessons.of(labels_NK), rows, held_out, vocabulary)
    watch, fitted = watch or Dynamics(*labels_NK.shape), []
    for one in _begin(views_VND, labels_NK, settings, vocabulary, name):
        with one_core(one.head) as ahead:
            fitted.append(learn(one, task, settings, watch, ahead=ahead))
    return combine([head for head, _ in fitted]), fitted[0][1]


def _begin(
    views_VND: NDArray[np.float16], labels_NK: Cells, settings: Settings, vocabulary: Vocabulary, name: str
) -> list[Begun]:
    repeats = range(settings.features.repeats)
    sizes = views_VND.shape[2], labels_NK.shape[1]
    return [begin(*sizes, settings, vocabulary, f"{name} repeat {repeat}") for repeat in repeats]


def _go_on(stop: Event) -> None:
    if stop.is_set():
        raise InterruptedError("the training of other heads has ended early")


def _mean_history(histories: Sequence[History]) -> History:
    """History rows of the stage, each the mean over its heads."""
    keys = histories[0][0]
    rows = [{key: float(np.mean([row[key] for row in rows])) for key in keys} for rows in zip(*histories, strict=True)]
    return [{"stage": "head", **row, "epoch": int(row["epoch"])} for row in rows]


def combine(members: Sequence[Head | HeadEnsemble]) -> Head | HeadEnsemble:
    """One head with the mean scores of the members; linear ones become a single linear head."""
    if len(members) == 1:
        return members[0]
    single = [head for member in members for head in (member.members if isinstance(member, HeadEnsemble) else [member])]
    linear = [head for head in single if isinstance(head, LinearHead)]
    return merge(linear) if len(linear) == len(single) else HeadEnsemble(single)
