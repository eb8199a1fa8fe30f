"""How good are the chosen labels? Counts of right and wrong cells, and the ratios made of them.

Every ratio works on numbers, on (K,) and on (K, B) alike (B: bootstrap draws, see ``bootstrap.py``), so that a value
and its interval come from the same line of code. A ratio that is undefined is NaN, never 0 or 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Floats


@dataclass(frozen=True)
class Counts:
    """Right and wrong known cells per label, each (K,) or (K, B)."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    def pooled(self) -> "Counts":
        """All labels thrown together, which makes a ratio of them "micro": shape () or (B,)."""
        return Counts(*(np.sum(x, axis=0) for x in (self.tp, self.fp, self.fn, self.tn)))


def choose(probs_NK: Floats, thresholds: Floats | float) -> NDArray[np.bool_]:
    """The chosen labels: ``probs >= threshold``, with one threshold per label or one for all; (N, K) bool.

    >>> choose(np.array([[0.5, 0.2]]), np.array([0.5, 0.3])).tolist()
    [[True, False]]
    """
    return np.asarray(probs_NK, dtype=np.float64) >= np.asarray(thresholds, dtype=np.float64)


def count(labels_NK: Cells, chosen_NK: NDArray[np.bool_], weights_NB: Floats | None = None) -> Counts:
    """Counts per label over known cells: (K,), or (K, B) where image n counts ``weights_NB[n, b]`` times.

    >>> count(np.array([[1], [0], [-1]]), np.array([[True], [True], [True]]))
    Counts(tp=array([1.]), fp=array([1.]), fn=array([0.]), tn=array([0.]))
    """
    yes, no = labels_NK == YES, (labels_NK != UNKNOWN) & (labels_NK != YES)
    cells = (yes & chosen_NK, no & chosen_NK, yes & ~chosen_NK, no & ~chosen_NK)
    if weights_NB is None:
        return Counts(*(c.sum(axis=0).astype(np.float64) for c in cells))
    return Counts(*(c.T.astype(weights_NB.dtype) @ weights_NB for c in cells))


def ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, NaN where ``whole`` is 0.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def precision(counts: Counts) -> Floats:
    """Of the chosen cells, the share that is yes; NaN where nothing was chosen."""
    return ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Counts) -> Floats:
    """Of the cells that are yes, the share that was chosen; NaN without a yes."""
    return ratio(counts.tp, counts.tp + counts.fn)


def f_beta(counts: Counts, beta: float = 1.0) -> Floats:
    """F-beta: (1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp); NaN without a yes (whatever was chosen).

    >>> f_beta(Counts(tp=np.array([1.0]), fp=np.array([1.0]), fn=np.array([0.0]), tn=np.array([0.0]))).tolist()
    [0.6666666666666666]
    """
    hits = (1 + beta**2) * counts.tp
    value = ratio(hits, hits + beta**2 * counts.fn + counts.fp)
    return np.where(np.asarray(counts.tp + counts.fn) > 0, value, np.nan)


def skew_normalised_accuracy(counts: Counts) -> Floats:
    """Accuracy when the larger class is undersampled to the size of the smaller one, averaged over all draws; NaN
    where a class is empty.

    The expectation has a closed form: each class then makes up half of the cells and is a random sample of itself, so
    it is (recall of yes + recall of no) / 2, the balanced accuracy; no draw is needed. METHODS.md sections 8 and 9.

    >>> skew_normalised_accuracy(Counts(*np.array([[3.0], [10.0], [1.0], [90.0]]))).tolist()
    [0.825]
    """
    return 0.5 * (ratio(counts.tp, counts.tp + counts.fn) + ratio(counts.tn, counts.tn + counts.fp))


def skew_normalised_f1(counts: Counts) -> Floats:
    """F1 when both classes weigh the same: 2 TPR / (1 + TPR + FPR), the limit of undersampling for many cells.

    >>> skew_normalised_f1(Counts(*np.array([[3.0], [10.0], [1.0], [90.0]]))).round(4).tolist()
    [0.8108]
    """
    tpr, fpr = ratio(counts.tp, counts.tp + counts.fn), ratio(counts.fp, counts.fp + counts.tn)
    return 2 * tpr / (1 + tpr + fpr)


def mean_over_labels(values_K: Floats) -> Floats:
    """The mean over labels (first axis) of the defined values: () or (B,); NaN where none is.

    >>> float(mean_over_labels(np.array([0.5, np.nan, 1.0])))
    0.75
    """
    defined = ~np.isnan(values_K)
    return ratio(np.where(defined, values_K, 0).sum(axis=0), defined.sum(axis=0))


def exact_matches(labels_NK: Cells, chosen_NK: NDArray[np.bool_]) -> Floats:
    """Per image 1 if every cell was chosen right and else 0; NaN for an image with an unknown cell; (N,).

    >>> exact_matches(np.array([[1, 0], [1, 0], [1, -1]]), np.array([[True, False]] * 2 + [[True, True]])).tolist()
    [1.0, 1.0, nan]
    """
    right_N = ((labels_NK == YES) == chosen_NK).all(axis=1).astype(np.float64)
    return np.where((labels_NK != UNKNOWN).all(axis=1), right_N, np.nan)


def averages(counts: Counts) -> dict[str, Floats]:
    """The headline ratios of per-label counts: name -> () or (B,).

    Micro: all cells pooled. Macro: the mean over labels that have a yes; a label that was never chosen has precision 0
    there, as with scikit-learn's ``zero_division=0``, so that keeping silent about a label is not rewarded.

    >>> sorted(averages(Counts(*np.ones((4, 2)))))[:3]
    ['macro_f1', 'macro_precision', 'macro_recall']
    """
    pooled, has_yes = counts.pooled(), np.asarray(counts.tp + counts.fn) > 0
    silent = np.asarray(counts.tp + counts.fp) == 0
    precisions = np.where(has_yes, np.where(silent, 0.0, precision(counts)), np.nan)
    return {
        "micro_precision": precision(pooled),
        "micro_recall": recall(pooled),
        "micro_f1": f_beta(pooled),
        "macro_precision": mean_over_labels(precisions),
        "macro_recall": mean_over_labels(recall(counts)),
        "macro_f1": mean_over_labels(f_beta(counts)),
        "skew_normalised_accuracy": mean_over_labels(skew_normalised_accuracy(counts)),
        "skew_normalised_f1": mean_over_labels(skew_normalised_f1(counts)),
    }
