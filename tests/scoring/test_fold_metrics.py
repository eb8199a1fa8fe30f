"""Metrics of each fold: scikit-learn as oracle, mean and deviation, undefined ones left out."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from tagger.scoring import NO_CONSTRAINTS, fold_metrics


def test_each_fold_is_measured_as_scikit_learn_measures_it():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=(300, 4)).astype(np.int8)
    probs = np.clip(labels * 0.3 + rng.random((300, 4)) * 0.7, 0, 1)
    fold = rng.integers(-1, 5, size=300)
    found = fold_metrics(labels, probs, np.full(4, 0.5), fold, NO_CONSTRAINTS)
    for number in range(5):
        rows = fold == number
        chosen = (probs[rows] >= 0.5).astype(int)
        assert found["micro_f1"]["folds"][number] == pytest.approx(
            f1_score(labels[rows], chosen, average="micro"), abs=1e-4
        )
        assert found["map"]["folds"][number] == pytest.approx(
            average_precision_score(labels[rows], probs[rows], average="macro"), abs=1e-4
        )
    values = np.array(found["macro_f1"]["folds"])
    assert found["macro_f1"]["mean"] == pytest.approx(values.mean(), abs=1e-4)
    assert found["macro_f1"]["std"] == pytest.approx(values.std(ddof=1), abs=1e-4)


def test_a_fold_without_positives_counts_in_no_mean():
    labels = np.array([[1], [0], [0], [0], [1], [0]], np.int8)
    probs = np.array([[0.9], [0.1], [0.2], [0.3], [0.8], [0.1]])
    found = fold_metrics(labels, probs, np.array([0.5]), np.array([0, 0, 1, 1, 2, 2]), NO_CONSTRAINTS)
    assert found["map"]["folds"] == [1.0, None, 1.0]
    assert found["map"]["mean"] == 1.0


def test_one_fold_is_no_protocol():
    labels, probs, fold = np.array([[1]], np.int8), np.array([[1.0]]), np.array([0])
    assert fold_metrics(labels, probs, np.array([0.5]), fold, NO_CONSTRAINTS) == {}
