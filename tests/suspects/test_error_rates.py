"""Shares of wrong labels by label and direction: 1 % and 40 % are both found, and doubts add up to them."""

import numpy as np
import pytest
from scipy.optimize import brentq

from tagger.arrays import Cells, Floats, sigmoid
from tagger.suspects.error_rates import error_rates, shift_to_mean


def given_labels(
    drop_K: list[float], stray_K: list[float], num: int = 20_000
) -> tuple[Floats, Cells, Floats, Floats]:
    """(probability of being given *yes*, labels, and the shares of wrong ones among *no* and *yes*)."""
    rng = np.random.default_rng(0)
    shows_NK = rng.random((num, len(drop_K))) < 0.15
    true_prob_NK = sigmoid(rng.normal(size=shows_NK.shape) + np.where(shows_NK, 8, -9))
    truth_NK = rng.random(shows_NK.shape) < true_prob_NK
    positives_K = truth_NK.mean(axis=0)
    stray_share_K = np.array(stray_K) * positives_K / (1 - positives_K)
    given_NK = (1 - np.array(drop_K)) * true_prob_NK + stray_share_K * (1 - true_prob_NK)
    flipped_NK = rng.random(truth_NK.shape) < np.where(truth_NK, drop_K, stray_share_K)
    labels_NK = truth_NK ^ flipped_NK
    missing_K = (flipped_NK & ~labels_NK).sum(axis=0) / (~labels_NK).sum(axis=0)
    return (
        given_NK,
        labels_NK.astype(np.int8),
        missing_K,
        (flipped_NK & labels_NK).sum(axis=0) / labels_NK.sum(axis=0),
    )


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2, 0.4])
def test_shares_of_wrong_labels_are_found_from_few_to_many(rate: float) -> None:
    given_NK, labels_NK, missing_K, spurious_K = given_labels([rate] * 3, [rate] * 3)
    found = error_rates(given_NK, labels_NK)
    np.testing.assert_allclose(np.log(found.missing_K / missing_K), 0, atol=np.log(1.5))
    np.testing.assert_allclose(np.log(found.spurious_K / spurious_K), 0, atol=np.log(2))


def test_a_label_nearly_half_wrong_stands_out_among_clean_ones() -> None:
    given_NK, labels_NK, _, spurious_K = given_labels([0.01] * 4, [0.02, 0.7, 0.02, 0.02])
    found = error_rates(given_NK, labels_NK)
    assert found.spurious_K[1] == pytest.approx(spurious_K[1], rel=0.35)
    assert found.spurious_K[[0, 2, 3]].max() < 0.1


def test_a_label_with_one_value_has_no_errors_and_leaves_the_others_alone() -> None:
    given_NK, labels_NK, *_ = given_labels([0.1] * 2, [0.1] * 2, num=4000)
    alone = error_rates(given_NK[:, :2], labels_NK)
    with_empty = error_rates(np.c_[given_NK, given_NK[:, :1]], np.c_[labels_NK, 0 * labels_NK[:, :1]])
    np.testing.assert_array_equal(with_empty.missing_K, [*alone.missing_K, 0])
    np.testing.assert_array_equal(with_empty.spurious_K, [*alone.spurious_K, 0])


@pytest.mark.parametrize("mean", [1e-4, 0.03, 0.6])
def test_shifted_log_odds_have_the_wanted_mean_as_a_root_finder_says(mean: float) -> None:
    logits = np.random.default_rng(1).normal(-4, 3, 5000)
    root = brentq(lambda shift: sigmoid(logits + shift).mean() - mean, -20, 20)
    assert shift_to_mean(logits, mean) == pytest.approx(root, abs=0.01)
