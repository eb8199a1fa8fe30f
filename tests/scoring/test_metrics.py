"""Metrics agree with scikit-learn and slow double loops, and unknown cells count in nothing."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from tagger.scoring import (
    apply_thresholds,
    average_precision,
    brier_loss,
    calibration_error,
    confusion_counts,
    f_beta,
    mean_average_precision,
    micro_macro_averages,
    precision,
    ranking_loss,
    recall,
    reliability_bins,
    skew_normalised_accuracy,
)
from tagger.scoring.metric_set import LABEL_METRICS, OVERALL_METRICS, MetricSet
from tagger.scoring.metrics import exact_matches, skew_normalised_f1
from tagger.scoring.ranking_metrics import RankedLabel


def random_problem(seed, num_images=60, num_labels=4, unknown=0.0, digits=2):
    """Scores rounded to few digits, so that many are equal."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_images, num_labels)) < 0.3).astype(np.int8)
    probs = np.round(np.clip(0.3 * labels + rng.random(labels.shape) * 0.7, 0, 1), digits)
    labels[rng.random(labels.shape) < unknown] = -1
    return labels, probs


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [1, 6])
def test_average_precision_is_that_of_scikit_learn_also_with_ties(seed, digits):
    labels, probs = random_problem(seed, digits=digits)
    for k in range(labels.shape[1]):
        assert average_precision(labels[:, k], probs[:, k]) == pytest.approx(
            sk.average_precision_score(labels[:, k], probs[:, k])
        )
    assert mean_average_precision(labels, probs) == pytest.approx(sk.average_precision_score(labels, probs))


@pytest.mark.parametrize("seed", range(5))
def test_weighted_average_precision_is_that_of_scikit_learn_with_sample_weights(seed):
    labels, probs = random_problem(seed, num_labels=1, digits=1)
    weights = np.random.default_rng(seed).integers(0, 4, size=(len(labels), 7)).astype(float)
    ours = RankedLabel.of(labels[:, 0], probs[:, 0]).average_precision(weights)
    theirs = [sk.average_precision_score(labels[:, 0], probs[:, 0], sample_weight=w) for w in weights.T]
    np.testing.assert_allclose(ours, theirs)


def test_skew_normalised_average_precision_is_that_of_equal_class_weights():
    labels, probs = random_problem(3, num_labels=1)
    y, p = labels[:, 0], probs[:, 0]
    weights = np.where(y == 1, 1 / (y == 1).sum(), 1 / (y == 0).sum())
    assert average_precision(y, p, skew_normalised=True) == pytest.approx(
        sk.average_precision_score(y, p, sample_weight=weights)
    )


@pytest.mark.parametrize("seed", range(3))
def test_precision_recall_f1_and_exact_match_are_those_of_scikit_learn(seed):
    labels, probs = random_problem(seed)
    chosen = apply_thresholds(probs, 0.5)
    ours = micro_macro_averages(confusion_counts(labels, chosen))
    for average in ("micro", "macro"):
        theirs = sk.precision_recall_fscore_support(labels, chosen, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), theirs, strict=False):
            assert ours[f"{average}_{name}"] == pytest.approx(value)
    np.testing.assert_allclose(
        f_beta(confusion_counts(labels, chosen), 2), sk.fbeta_score(labels, chosen, beta=2, average=None)
    )
    assert exact_matches(labels, chosen).mean() == pytest.approx(sk.accuracy_score(labels, chosen))


@pytest.mark.parametrize("digits", [1, 6])
def test_ranking_loss_is_that_of_scikit_learn_when_all_is_known(digits):
    labels, probs = random_problem(1, digits=digits)
    assert ranking_loss(labels, probs) == pytest.approx(sk.label_ranking_loss(labels, probs))


def test_ranking_loss_with_unknown_cells_is_that_of_a_slow_double_loop():
    labels, probs = random_problem(2, unknown=0.4, digits=1)
    labels[0] = -1
    losses = []
    for y, p in zip(labels, probs, strict=True):
        pairs = [p[j] >= p[i] for i in np.flatnonzero(y == 1) for j in np.flatnonzero(y == 0)]
        if (y >= 0).any():
            losses.append(np.mean(pairs) if pairs else 0.0)
    assert ranking_loss(labels, probs) == pytest.approx(np.mean(losses))


def test_skew_normalised_accuracy_is_the_mean_over_draws_of_an_undersampled_majority():
    labels, probs = random_problem(4, num_images=200, num_labels=1)
    y, right = labels[:, 0], apply_thresholds(probs, 0.45)[:, 0] == (labels[:, 0] == 1)
    rng, yes, no = (
        np.random.default_rng(0),
        np.flatnonzero(labels[:, 0] == 1),
        np.flatnonzero(labels[:, 0] == 0),
    )
    draws = [
        right[np.concatenate([yes, rng.choice(no, len(yes), replace=False)])].mean() for _ in range(4000)
    ]
    closed = skew_normalised_accuracy(confusion_counts(labels, apply_thresholds(probs, 0.45)))[0]
    assert closed == pytest.approx(sk.balanced_accuracy_score(y, apply_thresholds(probs, 0.45)[:, 0]))
    assert closed == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / np.sqrt(4000))


def test_skew_normalised_f1_is_f1_when_the_classes_are_already_equal():
    labels = np.array([[1], [1], [0], [0]])
    counts = confusion_counts(labels, np.array([[True], [False], [True], [False]]))
    assert skew_normalised_f1(counts)[0] == pytest.approx(f_beta(counts)[0])


def test_brier_loss_is_that_of_scikit_learn():
    labels, probs = random_problem(0, num_labels=1)
    assert brier_loss(labels, probs) == pytest.approx(sk.brier_score_loss(labels[:, 0], probs[:, 0]))


def test_calibration_error_is_near_0_for_true_probabilities_and_as_large_as_a_known_shift():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.2, 0.8, 40_000)
    labels = (rng.random(40_000) < truth).astype(np.int8)
    assert (
        calibration_error(labels, truth) < 0.02
    )  # 15 bins of 2,667: each off by about sqrt(.25 / 2667) = .01
    assert calibration_error(labels, truth + 0.1) == pytest.approx(0.1, abs=0.01)


def test_bins_have_equal_mass_and_equal_probabilities_share_one():
    probs = np.random.default_rng(0).random(1500)
    assert set(reliability_bins(probs > 0.5, probs).num_cells_G) == {100}
    assert len(reliability_bins(np.array([0, 1, 1]), np.full(3, 0.4)).num_cells_G) == 1


def test_unknown_cells_are_as_if_they_were_not_there():
    labels, probs = random_problem(5, unknown=0.3)
    for k in range(labels.shape[1]):
        known = labels[:, k] >= 0
        y, p = labels[known, k], probs[known, k]
        assert average_precision(labels[:, k], probs[:, k]) == pytest.approx(sk.average_precision_score(y, p))
        assert calibration_error(labels[:, k], probs[:, k]) == pytest.approx(calibration_error(y, p))
    counts, chosen = confusion_counts(labels, apply_thresholds(probs, 0.5)), apply_thresholds(probs, 0.5)
    cells = labels >= 0
    assert micro_macro_averages(counts)["micro_f1"] == pytest.approx(
        sk.f1_score(labels[cells], chosen[cells])
    )
    scrambled = np.where(labels < 0, 1 - probs, probs)  # probabilities of unknown cells may be anything
    ones, thresholds = np.ones((len(labels), 1)), np.full(4, 0.5)
    for ours, theirs in zip(
        MetricSet(labels, probs, thresholds)(ones),
        MetricSet(labels, scrambled, thresholds)(ones),
        strict=True,
    ):
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_a_silent_label_has_no_precision_of_its_own_but_0_in_the_macro_average():
    counts = confusion_counts(np.array([[1, 1], [0, 0]]), np.array([[True, False], [False, False]]))
    np.testing.assert_array_equal(precision(counts), [1.0, np.nan])
    assert micro_macro_averages(counts)["macro_precision"] == 0.5
    np.testing.assert_array_equal(recall(counts), [1.0, 0.0])


def test_measure_gives_the_same_numbers_as_the_single_functions():
    labels, probs = random_problem(6, unknown=0.1)
    overall, per_label = MetricSet(labels, probs, np.full(4, 0.4))(np.ones((len(labels), 1)))
    assert tuple(overall) == OVERALL_METRICS
    assert set(per_label) == set(LABEL_METRICS)
    assert overall["map"][0] == pytest.approx(mean_average_precision(labels, probs))
    assert overall["ranking_loss"][0] == pytest.approx(ranking_loss(labels, probs))
    assert overall["brier_loss"][0] == pytest.approx(brier_loss(labels, probs))
    errors = [calibration_error(labels[:, k], probs[:, k]) for k in range(4)]
    np.testing.assert_allclose(per_label["calibration_error"][:, 0], errors)
    assert overall["calibration_error"][0] == pytest.approx(np.mean(errors))


def test_whole_number_weights_are_the_same_as_repeated_images():
    labels, probs = random_problem(7, unknown=0.2)
    weights = np.random.default_rng(0).integers(0, 3, len(labels))
    weighted = MetricSet(labels, probs, np.full(4, 0.4))(weights[:, None].astype(float))[0]
    again = np.repeat(np.arange(len(labels)), weights)
    repeated = MetricSet(labels[again], probs[again], np.full(4, 0.4))(np.ones((len(again), 1)))[0]
    for name in set(OVERALL_METRICS) - {"calibration_error"}:  # its bins stay those of the unweighted data
        assert weighted[name][0] == pytest.approx(repeated[name][0]), name


shapes = st.tuples(st.integers(1, 6), st.integers(1, 3))
problems = shapes.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 1])),
        hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.2, 0.5, 1.0])),
    )
)


@settings(max_examples=80, deadline=None)
@given(problems)
def test_every_metric_is_between_0_and_1_or_undefined_whatever_the_labels(problem):
    labels, probs = problem
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        overall, per_label = MetricSet(labels, probs, np.full(labels.shape[1], 0.5))(
            np.ones((len(labels), 2))
        )
    for name, values in (overall | per_label).items():
        defined = values[~np.isnan(values)]
        assert ((defined >= 0) & (defined <= 1 + 1e-12)).all(), name
    has_both = ((labels == 1).any(axis=0) & (labels == 0).any(axis=0)).any()
    assert np.isnan(overall["map"][0]) == (not has_both)


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 5, 1000]), unknown=st.booleans())
def test_the_area_under_the_roc_curve_is_scikit_learns_with_ties_weights_and_unknown_cells(
    seed: int, levels: int, unknown: bool
):
    rng = np.random.default_rng(seed)
    labels_N = (rng.random(40) < 0.3).astype(np.int8)
    labels_N[:2] = [0, 1]
    probs_N = rng.integers(0, levels, 40) / levels
    if unknown:
        labels_N[rng.permutation(np.arange(2, 40))[:10]] = -1
    weights_NB = rng.integers(0, 4, (40, 3)).astype(float)
    weights_NB[:2] = 1
    found_B = RankedLabel.of(labels_N, probs_N).ranking_scores(weights_NB)[1]
    known = labels_N != -1
    for b in range(3):
        expected = sk.roc_auc_score(labels_N[known], probs_N[known], sample_weight=weights_NB[known, b])
        assert found_B[b] == pytest.approx(expected)


def test_the_area_of_a_label_with_one_class_only_is_undefined():
    for labels in ([1, 1, 1], [0, 0, 0], [-1, -1, 1]):
        ranked = RankedLabel.of(np.array(labels, np.int8), np.array([0.3, 0.5, 0.1]))
        assert np.isnan(ranked.ranking_scores(np.ones((3, 2)))[1]).all()
