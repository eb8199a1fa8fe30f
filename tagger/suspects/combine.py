"""All signals in one doubt per cell: their weights are learnt from the given labels, image parts apart."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats, row_blocks
from tagger.suspects.constraints import respect_declared
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.noise import doubt_of, noise_rates, true_probs
from tagger.suspects.regression import cross_fitted
from tagger.suspects.signals import Signal
from tagger.suspects.threads import each


@dataclass(frozen=True)
class Part:
    """What a signal adds towards *yes*, compared with the label's mean image: its evidence times a learnt weight."""

    for_yes_NK: Floats
    mean_K: Floats
    weight_K: Floats

    def nats(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> Floats:
        """Of some cells."""
        return self.weight_K[columns] * (self.for_yes_NK[rows, columns] - self.mean_K[columns])


@dataclass(frozen=True)
class Doubt:
    """``doubt_NK``: probability that the given value is wrong (NaN: unknown cell, or a label not ranked).

    ``parts``: what each signal adds.
    """

    doubt_NK: Floats
    parts: Mapping[str, Part]
    drop: float
    stray_K: Floats


def combine(evidence: Evidence, found: Mapping[str, Signal], rankable_K: NDArray[np.bool_]) -> Doubt:
    """One doubt per cell, *missing* and *spurious* on one scale: the probability of an error."""
    labels_NK = evidence.labels_NK
    learnt = [name for name, signal in found.items() if not signal.trusted]
    zeros_K, ones_K = np.zeros(labels_NK.shape[1], np.float32), np.ones(labels_NK.shape[1], np.float32)
    parts = {
        name: Part(signal.for_yes_NK, zeros_K.copy(), ones_K if signal.trusted else zeros_K.copy())
        for name, signal in found.items()
    }
    given_NK = np.zeros(labels_NK.shape, np.float32)

    def learn(k: int) -> None:
        columns_NF = np.stack([found[name].for_yes_NK[:, k] for name in learnt], axis=1)
        known_N = labels_NK[:, k] >= NO
        logits_N, weights_F = cross_fitted(
            columns_NF, labels_NK[:, k] == YES, known_N, evidence.part_N, increasing=True
        )
        given_NK[:, k] = 1 / (1 + np.exp(-logits_N))
        for name, column_N, weight in zip(learnt, columns_NF.T, weights_F, strict=True):
            parts[name].mean_K[k], parts[name].weight_K[k] = column_N.mean(), weight

    each(learn, np.flatnonzero(rankable_K).tolist())
    trusted = [signal.for_yes_NK for signal in found.values() if signal.trusted]
    drop, stray_K = now = _rates(given_NK, labels_NK, rankable_K)
    if evidence.original_NK is not None:  # corrections made the labels cleaner, but no other cell more trustworthy
        drop, stray_K = _rates(given_NK, evidence.original_NK, rankable_K)
    doubt_NK = np.empty(labels_NK.shape, np.float32)

    def judge(rows: slice) -> None:
        logits_CK = log_odds(true_probs(given_NK[rows], *now), 1e-5)
        for for_yes_NK in trusted:
            logits_CK += for_yes_NK[rows]
        q_CK = np.clip(1 / (1 + np.exp(-logits_CK.astype(np.float64))), 1e-5, 1 - 1e-5)
        doubt_NK[rows] = doubt_of(q_CK, labels_NK[rows], drop, stray_K)

    each(judge, row_blocks(labels_NK.shape))
    doubt_NK[:, ~rankable_K] = np.nan
    if evidence.settled_NK is not None:
        doubt_NK[evidence.settled_NK] = 0.0
    doubt_NK = respect_declared(doubt_NK, evidence)
    if evidence.settled_NK is not None:
        doubt_NK[evidence.settled_NK] = np.nan
    return Doubt(doubt_NK, parts, drop, stray_K)


def _rates(given_NK: Floats, labels_NK: Cells, rankable_K: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
    stray_K = np.full(len(rankable_K), 0.01)
    drop, stray_K[rankable_K] = noise_rates(given_NK[:, rankable_K], labels_NK[:, rankable_K])
    return drop, stray_K
