"""Confusion counts of predicted labels, and precision, recall and F1 made of them.

Every ratio works on numbers, on (K,) and on (K, B) alike (B: bootstrap draws, see ``bootstrap.py``), so
that a value and its interval come from the same line of code. A ratio that is undefined is NaN, never 0 or
1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Floats

if TYPE_CHECKING:  # scipy's sparse matrices are loaded where they are made: predicting starts without them
    from scipy.sparse import csr_array

MACRO_METRICS = (
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "skew_normalised_accuracy",
    "skew_normalised_f1",
)

NEVER = 2.0  # the threshold of a label that is chosen nowhere: above every probability, and a number in JSON


@dataclass(frozen=True)
class ConfusionCounts:
    """Right and wrong known cells per label, each (K,) or (K, B)."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    def pooled(self) -> "ConfusionCounts":
        """All labels thrown together, which makes a ratio of them "micro": shape () or (B,)."""
        return ConfusionCounts(*(np.sum(x, axis=0) for x in (self.tp, self.fp, self.fn, self.tn)))


def apply_thresholds(probs_NK: Floats, thresholds: Floats | float) -> NDArray[np.bool_]:
    """The chosen labels: ``probs >= threshold``, with one threshold per label or one for all; (N, K) bool.

    >>> apply_thresholds(np.array([[0.5, 0.2]]), np.array([0.5, 0.3])).tolist()
    [[True, False]]
    """
    return np.asarray(probs_NK, dtype=np.float64) >= np.asarray(thresholds, dtype=np.float64)


def confusion_counts(labels_NK: Cells, chosen_NK: NDArray[np.bool_]) -> ConfusionCounts:
    """Counts per label over known cells, (K,).

    >>> confusion_counts(np.array([[1], [0], [-1]]), np.array([[True], [True], [True]]))
    ConfusionCounts(tp=array([1.]), fp=array([1.]), fn=array([0.]), tn=array([0.]))
    """
    yes = labels_NK == YES
    no = (labels_NK != UNKNOWN) & (labels_NK != YES)
    cells = (yes & chosen_NK, no & chosen_NK, yes & ~chosen_NK, no & ~chosen_NK)
    return ConfusionCounts(*(c.sum(axis=0).astype(np.float64) for c in cells))


class WeightedConfusion:
    """Decisions made ready to be counted for any weighting of the images: call it with ``weights_NB``.

    Weights are whole numbers, how often each image counts: the right *no*, which are nearly all cells, are
    what the others leave, and exactly so. Gives ``ConfusionCounts`` of (K, B).

    >>> cells = WeightedConfusion(np.array([[1], [0], [-1]]), np.array([[True], [True], [True]]))
    >>> cells(np.array([[2.0], [3.0], [1.0]]))
    ConfusionCounts(tp=array([[2.]]), fp=array([[3.]]), fn=array([[0.]]), tn=array([[0.]]))
    """

    def __init__(self, labels_NK: Cells, chosen_NK: NDArray[np.bool_]):
        yes = labels_NK == YES
        known = labels_NK != UNKNOWN
        self._tp, self._fp, self._fn, self._unknown = (
            _sparse_ones(cells.T)
            for cells in (yes & chosen_NK, known & ~yes & chosen_NK, yes & ~chosen_NK, ~known)
        )

    def __call__(self, weights_NB: Floats) -> ConfusionCounts:
        tp = self._tp @ weights_NB
        fp = self._fp @ weights_NB
        fn = self._fn @ weights_NB
        known = weights_NB.sum(axis=0) - self._unknown @ weights_NB
        return ConfusionCounts(tp, fp, fn, known - tp - fp - fn)


def _sparse_ones(cells_KN: NDArray[np.bool_]) -> "csr_array":
    """1 where a cell is true."""
    from scipy.sparse import csr_array

    columns = np.nonzero(cells_KN)[1]
    ends = np.concatenate([[0], np.cumsum(cells_KN.sum(axis=1))])
    return csr_array((np.ones(len(columns)), columns, ends), shape=cells_KN.shape)


def ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, NaN where ``whole`` is 0.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    part = np.asarray(part, dtype=np.float64)
    whole = np.asarray(whole, dtype=np.float64)
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def precision(counts: ConfusionCounts) -> Floats:
    """Of the chosen cells, the share that is yes; NaN where nothing was chosen."""
    return ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: ConfusionCounts) -> Floats:
    """Of the cells that are yes, the share that was chosen; NaN without a yes."""
    return ratio(counts.tp, counts.tp + counts.fn)


def f_beta(counts: ConfusionCounts, beta: float = 1.0) -> Floats:
    """F-beta: (1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp); NaN without a yes (whatever was chosen).

    >>> f_beta(ConfusionCounts(tp=np.array([1.0]), fp=np.array([1.0]), fn=np.array([0.0]), tn=np.array([0.0]))).tolist()
    [0.6666666666666666]
    """
    hits = (1 + beta**2) * counts.tp
    value = ratio(hits, hits + beta**2 * counts.fn + counts.fp)
    return np.where(np.asarray(counts.tp + counts.fn) > 0, value, np.nan)


def skew_normalised_accuracy(counts: ConfusionCounts) -> Floats:
    """Accuracy when the larger class is undersampled to the size of the smaller one, averaged over all draws;
    NaN where a class is empty.

    The expectation has a closed form: each class then makes up half of the cells and is a random sample of
    itself, so it is (recall of yes + recall of no) / 2, the balanced accuracy; no draw is needed.
    METHODS.md sections 8 and 9.

    >>> skew_normalised_accuracy(ConfusionCounts(*np.array([[3.0], [10.0], [1.0], [90.0]]))).tolist()
    [0.825]
    """
    return 0.5 * (ratio(counts.tp, counts.tp + counts.fn) + ratio(counts.tn, counts.tn + counts.fp))


def skew_normalised_f1(counts: ConfusionCounts) -> Floats:
    """F1 when both classes weigh the same: 2 TPR / (1 + TPR + FPR), the limit of undersampling for many cells.

    >>> skew_normalised_f1(ConfusionCounts(*np.array([[3.0], [10.0], [1.0], [90.0]]))).round(4).tolist()
    [0.8108]
    """
    tpr = ratio(counts.tp, counts.tp + counts.fn)
    fpr = ratio(counts.fp, counts.fp + counts.tn)
    return 2 * tpr / (1 + tpr + fpr)


def exact_matches(labels_NK: Cells, chosen_NK: NDArray[np.bool_]) -> Floats:
    """Per image 1 if every cell was chosen right and else 0; NaN for an image with an unknown cell; (N,).

    >>> exact_matches(np.array([[1, 0], [1, 0], [1, -1]]), np.array([[True, False]] * 2 + [[True, True]])).tolist()
    [1.0, 1.0, nan]
    """
    right_N = ((labels_NK == YES) == chosen_NK).all(axis=1).astype(np.float64)
    return np.where((labels_NK != UNKNOWN).all(axis=1), right_N, np.nan)


def micro_macro_averages(counts: ConfusionCounts) -> dict[str, Floats]:
    """The headline ratios of per-label counts: name -> () or (B,).

    Micro: all cells pooled. Macro: the mean over labels that have a yes and a no, as nothing can be chosen
    wrongly where there is no *no*. A label that was never chosen has precision 0 there, as with
    scikit-learn's ``zero_division=0``, so that keeping silent about a label is not rewarded.

    >>> sorted(micro_macro_averages(ConfusionCounts(*np.ones((4, 2)))))[:3]
    ['macro_f1', 'macro_precision', 'macro_recall']
    """
    has_no = np.asarray(counts.fp + counts.tn) > 0
    has_no_K = np.asarray(has_no.any(axis=tuple(range(1, has_no.ndim))))
    return averages_from_sums(metric_sums(counts, has_no_K))


def metric_sums(counts: ConfusionCounts, has_no_K: NDArray[np.bool_] | None = None) -> dict[str, Floats]:
    """What ``averages_from_sums`` needs, as sums over labels: those of two blocks of labels add up to those of
    both. Labels that are false in ``has_no_K`` have no known *no* and count in no macro average.

    >>> counts = ConfusionCounts(*np.ones((4, 2)))
    >>> metric_sums(counts)["tp"].tolist(), metric_sums(counts)["sum macro_f1"].tolist()
    (2.0, 1.0)
    """
    pooled = counts.pooled()
    has_yes = np.asarray(counts.tp + counts.fn) > 0
    silent = np.asarray(counts.tp + counts.fp) == 0
    precisions = np.where(has_yes, np.where(silent, 0.0, precision(counts)), np.nan)
    values_by_metric = (
        precisions,
        recall(counts),
        f_beta(counts),
        skew_normalised_accuracy(counts),
        skew_normalised_f1(counts),
    )
    sums = {"tp": pooled.tp, "fp": pooled.fp, "fn": pooled.fn, "tn": pooled.tn}
    for name, values in zip(MACRO_METRICS, values_by_metric, strict=True):
        sums |= sum_over_labels(name, values if has_no_K is None else only_labels(has_no_K, values))
    return sums


def only_labels(wanted_K: NDArray[np.bool_], values: Floats) -> Floats:
    """The values, (K,) or (K, B), with NaN for every label that is not wanted.

    >>> only_labels(np.array([True, False]), np.array([[0.5], [1.0]])).tolist()
    [[0.5], [nan]]
    """
    return np.where(wanted_K.reshape(-1, *[1] * (np.ndim(values) - 1)), values, np.nan)


def sum_over_labels(name: str, values_K: Floats) -> dict[str, Floats]:
    """The sum of the defined values over labels (first axis), and how many there are: "sum NAME", "defined
    NAME".

    >>> {name: float(value) for name, value in sum_over_labels("x", np.array([0.5, np.nan, 1.0])).items()}
    {'sum x': 1.5, 'defined x': 2.0}
    """
    defined = ~np.isnan(values_K)
    return {f"sum {name}": np.where(defined, values_K, 0).sum(axis=0), f"defined {name}": defined.sum(axis=0)}


def mean_from_sums(sums: dict[str, Floats], name: str) -> Floats:
    """The mean that ``sum_over_labels`` was taken for; NaN where no label has a value."""
    return ratio(sums[f"sum {name}"], sums[f"defined {name}"])


def averages_from_sums(sums: dict[str, Floats]) -> dict[str, Floats]:
    """``micro_macro_averages`` of all labels whose ``metric_sums`` were added up."""
    pooled = ConfusionCounts(sums["tp"], sums["fp"], sums["fn"], sums["tn"])
    micro = {"micro_precision": precision(pooled), "micro_recall": recall(pooled), "micro_f1": f_beta(pooled)}
    return micro | {name: mean_from_sums(sums, name) for name in MACRO_METRICS}
