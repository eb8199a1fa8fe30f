"""Precision, recall and F1 of one label at every threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Floats
from tagger.scoring.metrics import ConfusionCounts, f_beta, precision, recall


@dataclass(frozen=True)
class ThresholdCurve:
    """One label at T thresholds, each (T,): NaN where a ratio is undefined, as are precision and F1 without a no."""

    thresholds_T: Floats
    precision_T: Floats
    recall_T: Floats
    f1_T: Floats
    chosen_T: NDArray[np.int64]  # known cells chosen


def threshold_curve(labels_N: Cells, probs_N: Floats, thresholds_T: Floats) -> ThresholdCurve:
    """The label's counts over its known cells where ``probs >= threshold``, for each threshold, from two sorts.

    >>> curve = threshold_curve(np.array([1, 0, 1, -1]), np.array([0.9, 0.6, 0.4, 0.7]), np.array([0.5, 0.95]))
    >>> curve.precision_T.tolist(), curve.recall_T.tolist(), curve.chosen_T.tolist()
    ([0.5, nan], [0.5, 0.0], [2, 0])
    """
    thresholds_T = np.asarray(thresholds_T, dtype=np.float64)
    known_N = labels_N != UNKNOWN
    probs = np.asarray(probs_N, dtype=np.float64)[known_N]
    yes = labels_N[known_N] == YES
    right = np.sort(probs[yes])
    wrong = np.sort(probs[~yes])
    tp_T = len(right) - np.searchsorted(right, thresholds_T, side="left")
    fp_T = len(wrong) - np.searchsorted(wrong, thresholds_T, side="left")
    counts = ConfusionCounts(
        *(x.astype(np.float64) for x in (tp_T, fp_T, len(right) - tp_T, len(wrong) - fp_T))
    )
    nothing_T = np.full(len(thresholds_T), np.nan)
    measured = len(wrong) > 0
    return ThresholdCurve(
        thresholds_T,
        precision(counts) if measured else nothing_T,
        recall(counts),
        f_beta(counts) if measured else nothing_T,
        tp_T + fp_T,
    )
