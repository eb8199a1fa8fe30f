"""Scores of frames and sequences against scikit-learn; skew-normalised ones do not know how rare a label is."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tagger.scoring.sequence_comparison import (
    average_precision,
    compare_with_frames,
    skew_normalised_average_precision,
)


@pytest.mark.parametrize("share", [0.03, 0.3, 0.8])
def test_scores_equal_scikit_learn_with_weights(share):
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < share).astype(np.int8)
    scores = labels + rng.normal(size=400)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))
    weights = np.where(labels == 1, 1 / labels.mean(), 1 / (1 - labels.mean()))
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert skew_normalised_average_precision(labels, scores) == pytest.approx(expected)


def test_more_photos_without_the_label_lower_average_precision_and_not_the_normalised_one():
    labels, scores = np.array([1, 0, 1, 0], np.int8), np.array([0.9, 0.8, 0.4, 0.2])
    rare = np.concatenate([labels, np.tile([0, 0], 20)]).astype(np.int8)
    of_rare = np.concatenate([scores, np.tile([0.8, 0.2], 20)])
    assert average_precision(rare, of_rare) < average_precision(labels, scores) - 0.2
    normalised = [skew_normalised_average_precision(*one) for one in ((labels, scores), (rare, of_rare))]
    assert normalised[0] == pytest.approx(normalised[1])


def test_unknown_cells_do_not_count_and_a_label_without_both_sides_has_no_score():
    labels = np.array([[1, 1, 0], [0, 1, 0], [-1, 1, -1]], np.int8)
    frame, sequence = np.array([[0.1] * 3, [0.9] * 3, [0.5] * 3]), np.array([[0.9] * 3, [0.1] * 3, [1.0] * 3])
    found = compare_with_frames(labels, frame, sequence, ["a", "b", "c"])
    assert found["per_label"]["a"]["average_precision"] == {"frame": 0.5, "sequence": 1.0}
    assert found["per_label"]["b"]["average_precision"] == {"frame": None, "sequence": None}
    assert found["map"] == {"frame": 0.5, "sequence": 1.0}
