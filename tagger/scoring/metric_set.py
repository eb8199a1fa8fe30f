"""All headline metrics of one set of predictions, for any weighting of the images.

With every weight 1 it gives the values; with bootstrap weights (``bootstrap.py``) it gives the draws of
their intervals. Labels are taken a block at a time: what is sorted and counted of a block serves all
weightings, and what averages over labels need is added up, so that the draws of 10,000 labels need not be
there at once. B here: bootstrap draws.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import CELLS_AT_ONCE, NO, UNKNOWN, YES, Cells, Floats, row_blocks
from tagger.scoring.finite_checks import check_scores
from tagger.scoring.label_constraints import NO_CONSTRAINTS, LabelConstraints
from tagger.scoring.metrics import (
    WeightedConfusion,
    averages_from_sums,
    exact_matches,
    f_beta,
    mean_from_sums,
    metric_sums,
    only_labels,
    precision,
    ratio,
    recall,
    skew_normalised_accuracy,
    sum_over_labels,
)
from tagger.scoring.predicted_labels import predict_labels
from tagger.scoring.ranking_metrics import RankedLabel, ranking_losses
from tagger.scoring.reliability import BinnedLabel, squared_errors

OVERALL_METRICS = (
    *(
        "map",
        "roc_auc",
        "micro_precision",
        "micro_recall",
        "micro_f1",
        "macro_precision",
        "macro_recall",
        "macro_f1",
    ),
    *("exact_match", "ranking_loss", "calibration_error", "brier_loss"),
    *("skew_normalised_accuracy", "skew_normalised_f1"),
)
LABEL_METRICS = (
    "average_precision",
    "roc_auc",
    "precision",
    "recall",
    "f1",
    "skew_normalised_accuracy",
    "calibration_error",
)
LOWER_IS_BETTER = frozenset({"ranking_loss", "calibration_error", "brier_loss"})
MIN_LABELS_PER_BLOCK = 20

Metrics = dict[str, Floats]
WeightedMetrics = Callable[[Floats], Metrics]  # of weights_NB


class DecisionMetrics:
    """Decisions, and the metrics that depend on them alone: precision, recall, F1, exact match, skew-normalised."""

    def __init__(self, labels_NK: Cells, chosen_NK: NDArray[np.bool_]):
        self.labels_NK = labels_NK
        self.chosen_NK = chosen_NK
        self._exact_N = exact_matches(labels_NK, chosen_NK)

    def block(self, at: slice) -> WeightedMetrics:
        """A function of weights_NB: the sums (B,) of these labels for ``aggregate``; blocks are added up."""
        cells = WeightedConfusion(self.labels_NK[:, at], self.chosen_NK[:, at])
        has_no_L = (self.labels_NK[:, at] == NO).any(axis=0)
        return lambda weights_NB: metric_sums(cells(weights_NB), has_no_L)

    def image_means(self, weights_NB: Floats) -> Metrics:
        """The metrics that are means over images, not over labels, (B,)."""
        return {"exact_match": weighted_mean(self._exact_N, weights_NB)}

    def aggregate(self, sums: Metrics, image_means: Metrics) -> Metrics:
        """The metrics (B,) from ``block`` of all labels, added up, and ``image_means``."""
        return averages_from_sums(sums) | image_means


class MetricSet:
    """Predictions and their decisions; call it with ``weights_NB`` for ``(overall, per_label)`` of one
    weighting.

    overall: each name of OVERALL_METRICS -> (B,). per_label: each name of LABEL_METRICS -> (K, B). Undefined is NaN;
    so are precision and F1 of a label without a known *no*, which cannot be chosen wrongly.
    Weights are whole numbers, how often an image counts. For many weightings go through ``block``
    (``bootstrap.resample``). TaggerError if the probability of a known cell is NaN.

    >>> measure = MetricSet(np.array([[1], [0]]), np.array([[0.9], [0.2]]), np.array([0.5]))
    >>> overall, per_label = measure(np.ones((2, 1)))
    >>> overall["map"].tolist(), per_label["f1"].tolist()
    ([1.0], [[1.0]])
    """

    def __init__(
        self,
        labels_NK: Cells,
        probs_NK: Floats,
        thresholds_K: Floats,
        constraints: LabelConstraints = NO_CONSTRAINTS,
    ):
        self.labels_NK = np.asarray(labels_NK)
        self.probs_NK = np.asarray(probs_NK, dtype=np.float64)
        check_scores(self.labels_NK, self.probs_NK)
        self.chosen_NK = predict_labels(self.probs_NK, thresholds_K, constraints)
        self._choice = DecisionMetrics(self.labels_NK, self.chosen_NK)
        self._ranking_losses_N = ranking_losses(self.labels_NK, self.probs_NK)
        self._squared_N = np.zeros(len(self.labels_NK))
        self._known_N = np.zeros(len(self.labels_NK))
        for rows in row_blocks(self.labels_NK.shape):
            self._squared_N[rows] = np.nansum(
                squared_errors(self.labels_NK[rows], self.probs_NK[rows]), axis=1
            )
            self._known_N[rows] = (self.labels_NK[rows] != UNKNOWN).sum(axis=1)
        self.positives_K = (self.labels_NK == YES).sum(axis=0)  # known yes cells per label
        self.negatives_K = (self.labels_NK != UNKNOWN).sum(axis=0) - self.positives_K

    def block(self, at: slice) -> WeightedMetrics:
        """A function of weights_NB: LABEL_METRICS (L, B) of these labels, and sums (B,) for ``aggregate``."""
        labels_NL = self.labels_NK[:, at]
        probs_NL = self.probs_NK[:, at]
        has_no_L = (labels_NL == NO).any(axis=0)
        cells = WeightedConfusion(labels_NL, self.chosen_NK[:, at])
        columns = list(zip(labels_NL.T, probs_NL.T, strict=True))
        ranked = [RankedLabel.of(cells_N, probs_N) for cells_N, probs_N in columns]
        binned = [BinnedLabel.of(cells_N, probs_N) for cells_N, probs_N in columns]

        def weigh(weights_NB: Floats) -> Metrics:
            counts = cells(weights_NB)
            known_LB = counts.tp + counts.fp + counts.fn + counts.tn
            scores = [
                one.ranking_scores(weights_NB, known_B) for one, known_B in zip(ranked, known_LB, strict=True)
            ]
            errors = [
                one.calibration_error(weights_NB, known_B)
                for one, known_B in zip(binned, known_LB, strict=True)
            ]
            per_label = {
                "average_precision": _stack_rows([both[0] for both in scores], weights_NB),
                "roc_auc": _stack_rows([both[1] for both in scores], weights_NB),
                "precision": only_labels(has_no_L, precision(counts)),
                "recall": recall(counts),
                "f1": only_labels(has_no_L, f_beta(counts)),
                "skew_normalised_accuracy": skew_normalised_accuracy(counts),
                "calibration_error": _stack_rows(errors, weights_NB),
            }
            sums = metric_sums(counts, has_no_L)
            for name in ("average_precision", "roc_auc", "calibration_error"):
                sums |= sum_over_labels(name, per_label[name])
            return per_label | sums

        return weigh

    def image_means(self, weights_NB: Floats) -> Metrics:
        """The metrics that are means over images, not over labels, (B,)."""
        return self._choice.image_means(weights_NB) | {
            "ranking_loss": weighted_mean(self._ranking_losses_N, weights_NB),
            "brier_loss": ratio(self._squared_N @ weights_NB, self._known_N @ weights_NB),
        }

    def aggregate(self, sums: Metrics, image_means: Metrics) -> Metrics:
        """Each name of OVERALL_METRICS -> (B,), from ``block`` of all labels, added up, and ``image_means``."""
        means = {
            "map": mean_from_sums(sums, "average_precision"),
            "roc_auc": mean_from_sums(sums, "roc_auc"),
            "calibration_error": mean_from_sums(sums, "calibration_error"),
        }
        found = self._choice.aggregate(sums, image_means) | means
        return {name: found[name] for name in OVERALL_METRICS}

    def __call__(self, weights_NB: Floats) -> tuple[Metrics, Metrics]:
        blocks = [
            self.block(at)(weights_NB) for at in label_blocks(self.labels_NK.shape, weights_NB.shape[1])
        ]
        sums: Metrics = {}
        for block in blocks:
            add_totals(sums, block)
        per_label = {name: np.concatenate([block[name] for block in blocks]) for name in LABEL_METRICS}
        return self.aggregate(sums, self.image_means(weights_NB)), per_label


def label_blocks(shape: tuple[int, ...], draws: int) -> Iterator[slice]:
    """Slices of labels such that neither a block's cells nor its draws are many: 4 MB a matrix; 20 labels at
    least, as the weights are drawn anew for each block. There is always one.

    >>> list(label_blocks((1000, 700), 1000))
    [slice(0, 500, None), slice(500, 700, None)]
    """
    size = max(MIN_LABELS_PER_BLOCK, CELLS_AT_ONCE // max(shape[0], draws, 1))
    return (slice(start, min(start + size, shape[1])) for start in range(0, max(shape[1], 1), size))


def add_totals(sums: Metrics, block: Metrics) -> None:
    """Add the sums (B,) of a block to ``sums``; metrics per label, (L, B), are passed over."""
    for name, values in block.items():
        if values.ndim == 1:
            sums[name] = sums[name] + values if name in sums else values


def weighted_mean(values_N: Floats, weights_NB: Floats) -> Floats:
    """The mean of the values that are not NaN, for each column of weights; (B,), NaN where no weight is left.

    >>> weighted_mean(np.array([1.0, 0.0, np.nan]), np.array([[1.0, 3.0], [1.0, 1.0], [9.0, 9.0]])).tolist()
    [0.5, 0.75]
    """
    defined_N = ~np.isnan(values_N)
    return ratio(np.where(defined_N, values_N, 0) @ weights_NB, defined_N.astype(float) @ weights_NB)


def _stack_rows(rows: list[Floats], weights_NB: Floats) -> Floats:
    """The rows as a matrix (L, B); without rows, (0, B)."""
    return np.stack(rows) if rows else np.zeros((0, weights_NB.shape[1]))
