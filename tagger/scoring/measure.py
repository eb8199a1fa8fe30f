"""All headline metrics of one set of predictions, for any weighting of the images.

With every weight 1 it gives the values; with bootstrap weights (``bootstrap.py``) it gives the draws of their
intervals.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Floats
from tagger.scoring.decide import NOTHING, Structure, decide
from tagger.scoring.metrics import (
    averages,
    count,
    exact_matches,
    f_beta,
    mean_over_labels,
    precision,
    ratio,
    recall,
    skew_normalised_accuracy,
)
from tagger.scoring.numbers import check_known
from tagger.scoring.ranking import RankedLabel, ranking_losses
from tagger.scoring.reliability import calibration_error_draws, squared_errors

OVERALL = (
    *("map", "micro_precision", "micro_recall", "micro_f1", "macro_precision", "macro_recall", "macro_f1"),
    *("exact_match", "ranking_loss", "calibration_error", "brier_loss"),
    *("skew_normalised_accuracy", "skew_normalised_f1"),
)
PER_LABEL = ("average_precision", "precision", "recall", "f1", "skew_normalised_accuracy", "calibration_error")
LOWER_IS_BETTER = frozenset({"ranking_loss", "calibration_error", "brier_loss"})


def choice_metrics(labels_NK: Cells, chosen_NK: NDArray[np.bool_], weights_NB: Floats) -> dict[str, Floats]:
    """What depends on decisions: micro and macro precision, recall, F1, exact match, skew-normalised; name -> (B,).

    >>> labels, chosen = np.array([[1, 0], [0, 1]]), np.array([[True, True], [False, True]])
    >>> choice_metrics(labels, chosen, np.ones((2, 1)))["micro_f1"].tolist()
    [0.8]
    """
    values = averages(count(labels_NK, chosen_NK, weights_NB))
    return values | {"exact_match": weighted_mean(exact_matches(labels_NK, chosen_NK), weights_NB)}


def weighted_mean(values_N: Floats, weights_NB: Floats) -> Floats:
    """The mean of the values that are not NaN, for each column of weights; (B,), NaN where no weight is left.

    >>> weighted_mean(np.array([1.0, 0.0, np.nan]), np.array([[1.0, 3.0], [1.0, 1.0], [9.0, 9.0]])).tolist()
    [0.5, 0.75]
    """
    defined_N = ~np.isnan(values_N)
    return ratio(np.where(defined_N, values_N, 0) @ weights_NB, defined_N.astype(float) @ weights_NB)


class Measure:
    """Predictions made ready to be weighted; call it with ``weights_NB`` for ``(overall, per_label)``.

    overall: each name of OVERALL -> (B,). per_label: each name of PER_LABEL -> (K, B). Undefined is NaN.
    TaggerError if the probability of a known cell is NaN.

    >>> measure = Measure(np.array([[1], [0]]), np.array([[0.9], [0.2]]), np.array([0.5]))
    >>> overall, per_label = measure(np.ones((2, 1)))
    >>> overall["map"].tolist(), per_label["f1"].tolist()
    ([1.0], [[1.0]])
    """

    def __init__(self, labels_NK: Cells, probs_NK: Floats, thresholds_K: Floats, structure: Structure = NOTHING):
        self.labels_NK, self.probs_NK = np.asarray(labels_NK), np.asarray(probs_NK, dtype=np.float64)
        check_known(self.labels_NK, self.probs_NK)
        self.chosen_NK = decide(self.probs_NK, thresholds_K, structure)
        self._columns = range(self.labels_NK.shape[1])
        self._ranked = [RankedLabel.of(self.labels_NK[:, k], self.probs_NK[:, k]) for k in self._columns]
        self._ranking_losses_N = ranking_losses(self.labels_NK, self.probs_NK)
        self._squared_N = np.nansum(squared_errors(self.labels_NK, self.probs_NK), axis=1)
        self._known_N = (self.labels_NK != UNKNOWN).sum(axis=1).astype(float)

    @property
    def positives_K(self) -> np.ndarray:
        """Known yes cells per label."""
        return (self.labels_NK == YES).sum(axis=0)

    @property
    def negatives_K(self) -> np.ndarray:
        """Known no cells per label."""
        return (self.labels_NK != UNKNOWN).sum(axis=0) - self.positives_K

    def __call__(self, weights_NB: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
        labels_NK, probs_NK = self.labels_NK, self.probs_NK
        counts = count(labels_NK, self.chosen_NK, weights_NB)
        errors = [calibration_error_draws(labels_NK[:, k], probs_NK[:, k], weights_NB) for k in self._columns]
        per_label = {
            "average_precision": np.stack([label.average_precision(weights_NB) for label in self._ranked]),
            "precision": precision(counts),
            "recall": recall(counts),
            "f1": f_beta(counts),
            "skew_normalised_accuracy": skew_normalised_accuracy(counts),
            "calibration_error": np.stack(errors),
        }
        overall = choice_metrics(labels_NK, self.chosen_NK, weights_NB) | {
            "map": mean_over_labels(per_label["average_precision"]),
            "ranking_loss": weighted_mean(self._ranking_losses_N, weights_NB),
            "calibration_error": mean_over_labels(per_label["calibration_error"]),
            "brier_loss": ratio(self._squared_N @ weights_NB, self._known_N @ weights_NB),
        }
        return {name: overall[name] for name in OVERALL}, per_label
