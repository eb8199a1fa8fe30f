"""Metrics of each fold, with their mean and standard deviation: the usual protocol of cross-validation.

Each fold is measured by the networks that have not seen it. Folds share most of their training images, so the
deviation is no standard error of the mean (Bengio and Grandvalet 2004, "No unbiased estimator of the variance of
K-fold cross-validation").
"""

from typing import Any

import numpy as np

from tagger.arrays import Cells, Floats, Indices
from tagger.scoring.bootstrap import resample
from tagger.scoring.label_constraints import LabelConstraints
from tagger.scoring.metric_set import MetricSet

FOLD_METRICS = ("map", "roc_auc", "micro_f1", "macro_f1")


def fold_metrics(
    labels_NK: Cells, probs_NK: Floats, thresholds_K: Floats, fold_N: Indices, constraints: LabelConstraints
) -> dict[str, dict[str, Any]]:
    """metric -> {"mean", "std", "folds"} over the folds from 0 on; {} for fewer than two.

    "std" has one degree of freedom less than there are folds. A metric that is undefined in a fold is None
    there and counts in neither.

    >>> labels, probs = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.4], [0.6]])
    >>> from tagger.scoring.label_constraints import NO_CONSTRAINTS
    >>> found = fold_metrics(labels, probs, np.array([0.5]), np.array([0, 0, 1, 1]), NO_CONSTRAINTS)
    >>> found["micro_f1"]
    {'mean': 0.5, 'std': 0.7071, 'folds': [1.0, 0.0]}
    """
    folds = [number for number in np.unique(fold_N).tolist() if number >= 0]
    if len(folds) < 2:
        return {}
    values = [
        _overall(labels_NK[rows], probs_NK[rows], thresholds_K, constraints)
        for rows in (fold_N == number for number in folds)
    ]
    return {
        name: _summary(np.array([of_fold[name] for of_fold in values]))
        for name in FOLD_METRICS
        if name in values[0]
    }


def _overall(
    labels_NK: Cells, probs_NK: Floats, thresholds_K: Floats, constraints: LabelConstraints
) -> dict[str, float]:
    measure = MetricSet(labels_NK, probs_NK, thresholds_K, constraints)
    values, _ = resample({"": measure}, labels_NK.shape, draws=0)
    return {name: float(value[0]) for name, value in values[""].items()}


def _summary(values_F: Floats) -> dict[str, Any]:
    defined = values_F[~np.isnan(values_F)]
    return {
        "mean": round(float(defined.mean()), 4) if len(defined) else None,
        "std": round(float(defined.std(ddof=1)), 4) if len(defined) > 1 else None,
        "folds": [None if np.isnan(value) else round(float(value), 4) for value in values_F],
    }
