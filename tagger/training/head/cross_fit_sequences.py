"""Cross-fit LSTMs on cached features of frames: one for each fold, on top of that fold's head.

No LSTM sees labels of its fold, nor does what it stands on: it learns from scores that heads gave to frames which
they have not learnt (two more heads a fold, each on half of the other folds), because from a head's scores of its own
frames, which are too good, it would learn that nothing is left to do. The fold's own scores are those of its head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

import numpy as np
import torch
from torch import Tensor

from tagger.arrays import Floats, Indices
from tagger.config import Settings
from tagger.heads import Head, HeadEnsemble
from tagger.model import SequenceLstm
from tagger.progress import Track
from tagger.training.head.cross_fit import (
    CrossFittedHeads,
    check_stop,
    cross_fit_heads,
    mean_history,
    run_folds,
)
from tagger.training.head.head_batches import take_rows
from tagger.training.head.sequence_batches import SequenceFeatures
from tagger.training.head.train_head import LOGITS_CHUNK
from tagger.training.head.train_sequence import SequenceTask, new_lstm, train_lstm
from tagger.training.training_data import History, TrainingData


@dataclass(frozen=True)
class CrossFittedSequences:
    """The LSTMs of each fold (trained without it), out-of-fold logits (N, K; NaN outside all folds), and history."""

    members: tuple[SequenceLstm, ...]
    logits_NK: Floats
    history: History


def cross_fit_sequences(
    data: TrainingData, heads: CrossFittedHeads, settings: Settings, *, track: Track
) -> CrossFittedSequences:
    """Train an LSTM for each fold on the frames of all others, on top of the fold's head."""
    assert data.features is not None
    assert data.frames is not None
    features = SequenceFeatures.of(data.features.sequence_VNS, data.frames, settings.sequence.length)
    logits_NK = np.full(data.labels_NK.shape, np.nan, np.float32)
    folds = np.unique(data.fold_N[data.fold_N >= 0]).tolist()
    sizes = features.views_VNS.shape[2], data.labels_NK.shape[1]
    lstms = [new_lstm(*sizes, settings, f"fold {fold}") for fold in folds]
    tasks = [
        _fold_task(data, features, fold, head, settings)
        for fold, head in zip(folds, heads.heads, strict=True)
    ]
    stop = Event()

    def fit_fold(place: int) -> History:
        name = f"fold {folds[place]}"
        history = train_lstm(lstms[place], tasks[place], settings, name, partial(check_stop, stop))
        held_out = tasks[place].held_out
        logits_NK[held_out] = tasks[place].logits(lstms[place].eval(), held_out)
        return history

    history = mean_history(run_folds(fit_fold, range(len(folds)), stop, track, "sequences"), "sequence")
    return CrossFittedSequences(tuple(lstms), logits_NK, history)


def _fold_task(
    data: TrainingData, features: SequenceFeatures, fold: int, head: Head | HeadEnsemble, settings: Settings
) -> SequenceTask:
    """What the LSTM of a fold learns from: all other folds, with scores of heads that have not learnt them."""
    rows = np.flatnonzero((data.fold_N >= 0) & (data.fold_N != fold))
    held_out = np.flatnonzero(data.fold_N == fold)
    raw_VNK = torch.zeros(len(features.views_VNS), *data.labels_NK.shape)
    raw_VNK[:, held_out] = raw_scores(head, data, held_out)
    half_N = _halves(data, rows)
    inner = _inner_heads(data, half_N, held_out, settings)
    for number, of_half in enumerate(inner or [head]):
        half = np.flatnonzero(half_N == number)
        raw_VNK[:, half] = raw_scores(of_half, data, half)
    targets = data.targets_without(held_out)
    return SequenceTask(features, data.labels_NK, targets, raw_VNK, rows, held_out, head, data.vocabulary)


def _inner_heads(
    data: TrainingData, half_N: Indices, held_out: Indices, settings: Settings
) -> Sequence[Head | HeadEnsemble]:
    """Heads that have learnt neither their half nor the fold that is held out; none where all is one half."""
    if half_N.max(initial=0) < 1:
        return []
    assert data.features is not None
    return cross_fit_heads(
        data.features.pooled_VND, data.labels_NK, half_N, settings, track=lambda items, what: items,
        targets=lambda half: data.targets_without(np.union1d(half, held_out)), vocabulary=data.vocabulary,
    ).heads  # fmt: skip


def _halves(data: TrainingData, rows: Indices) -> Indices:
    """0 or 1 for each of the rows, so that no fold is in both, or, of one fold, no sequence; -1 for all others."""
    assert data.frames is not None
    several = len(np.unique(data.fold_N[rows])) > 1
    by = data.fold_N if several else data.frames.sequence_N
    half_N = np.full(len(by), -1, np.int64)
    half_N[rows] = np.unique(by[rows], return_inverse=True)[1] % 2
    return half_N


def raw_scores(head: Head | HeadEnsemble, data: TrainingData, rows: Indices) -> Tensor:
    """A head's scores (V, rows, K) of each view, before they become logits."""
    assert data.features is not None
    head.eval()
    parts = [rows[at : at + LOGITS_CHUNK] for at in range(0, len(rows), LOGITS_CHUNK)]
    with torch.inference_mode():
        views = [
            torch.cat([head.raw_scores(take_rows(view_ND, part)) for part in parts])
            for view_ND in data.features.pooled_VND
        ]
        return torch.stack(views)
