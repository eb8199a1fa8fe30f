"""Calibration finds the curve that was planted, keeps the ranking, and leaves good probabilities alone."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from tagger.arrays import logit, sigmoid
from tagger.scoring import Calibration, fit_calibration
from tagger.scoring.calibration import SCALE_BOUNDS, fit_platt, fit_scale


def planted(scales, biases, num_images=6000, seed=0):
    """Labels drawn from true probabilities, and probabilities that the inverse of a known curve has spoilt."""
    rng = np.random.default_rng(seed)
    true_logits = rng.normal(-1, 1.5, size=(num_images, len(scales)))
    labels = (rng.random(true_logits.shape) < sigmoid(true_logits)).astype(np.int8)
    return labels, sigmoid((true_logits - np.array(biases)) / np.array(scales)), sigmoid(true_logits)


def test_each_kind_of_curve_is_found_where_it_was_planted():
    labels, probs, truth = planted([1.0, 0.4, 0.5], [0.0, 0.0, -1.0])
    calibration = fit_calibration(labels, probs)
    assert [curve.how for curve in calibration.params][1:] == ["temperature", "platt"]
    assert calibration.params[0].scale == pytest.approx(1, abs=0.1)
    assert calibration.params[1].scale == pytest.approx(0.4, abs=0.05)
    assert calibration.params[2].bias == pytest.approx(-1, abs=0.15)
    assert np.abs(calibration.apply(probs) - truth).mean() < 0.02


def test_log_loss_on_other_images_gets_better():
    labels, probs, _ = planted([0.4, 0.6], [0.0, 0.8])
    calibrated = fit_calibration(labels[:3000], probs[:3000]).apply(probs[3000:])
    for k in range(2):
        assert (
            log_loss(labels[3000:, k], calibrated[:, k]) < log_loss(labels[3000:, k], probs[3000:, k]) - 0.02
        )


def test_the_ranking_never_changes_not_even_for_a_label_that_is_ranked_backwards():
    labels, probs, _ = planted([0.5], [0.3])
    for cells in (labels, 1 - labels):
        calibration = fit_calibration(cells, probs)
        assert calibration.params[0].scale >= SCALE_BOUNDS[0]
        assert (np.diff(calibration.apply(np.sort(probs, axis=0)), axis=0) >= 0).all()


def test_a_rare_label_gets_the_shared_temperature_and_says_so():
    labels, probs, _ = planted([0.5, 0.5], [0.0, 0.0])
    labels[:, 1] = 0
    labels[:4, 1] = 1
    rare = fit_calibration(labels, probs).params[1]
    assert rare.how == "shared temperature: not enough data (4 positives)"
    assert rare.bias == 0
    assert rare.scale == pytest.approx(fit_scale(logit(probs.ravel(), eps=1e-15), labels.ravel() == 1))


def test_newton_finds_the_same_minimum_as_a_general_optimiser():
    labels, probs, _ = planted([0.5], [0.5], num_images=500)
    z, yes = logit(probs[:, 0]), labels[:, 0] == 1

    def loss(w):
        x = w[0] * z + w[1]
        return np.logaddexp(0, np.where(yes, -x, x)).sum() + 0.5 * 3 * ((w[0] - 0.8) ** 2 + w[1] ** 2)

    reference = minimize(loss, [1.0, 0.0], tol=1e-12).x
    np.testing.assert_allclose(fit_platt(z, yes, prior=3, centre=0.8), reference, atol=1e-5)


@pytest.mark.parametrize("cells", [np.zeros((20, 1)), np.ones((20, 1)), -np.ones((20, 1))])
def test_one_class_or_nothing_known_still_gives_a_finite_curve(cells):
    probs = np.random.default_rng(0).random((20, 1))
    calibrated = fit_calibration(cells.astype(np.int8), probs).apply(probs)
    assert np.isfinite(calibrated).all()


def test_perfectly_separated_scores_and_scores_of_0_and_1_do_no_harm():
    labels = np.repeat(np.array([[1], [0]], np.int8), 30, axis=0)
    for probs in (labels.astype(float), 0.1 + 0.8 * labels, 0.9 - 0.8 * labels):
        calibrated = fit_calibration(labels, probs).apply(probs)
        assert np.isfinite(calibrated).all()
        assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_a_calibration_survives_json_and_repeats_itself():
    labels, probs, _ = planted([0.5, 1.5], [0.2, 0.0], num_images=500)
    calibration = fit_calibration(labels, probs, seed=4)
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration
    assert fit_calibration(labels, probs, seed=4) == calibration


def test_unknown_cells_change_nothing():
    labels, probs, _ = planted([0.5], [0.2], num_images=900)
    labels[::3] = -1
    known = labels[:, 0] >= 0
    ours, without = fit_calibration(labels, probs), fit_calibration(labels[known], probs[known])
    assert ours == without
