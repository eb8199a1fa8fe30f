"""Learning dynamics: means and spreads over the epochs as numpy gives them, of held-out images only, through a stop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tagger.arrays import sigmoid
from tagger.config import check_settings
from tagger.training.dynamics import TrainingDynamics
from tagger.training.head.cross_fit import cross_fit_heads


@given(epochs=st.integers(1, 20), seed=st.integers(0, 99))
def test_mean_and_spread_are_those_of_all_epochs_at_once(epochs, seed):
    rng = np.random.default_rng(seed)
    logits_ERK = rng.normal(scale=4, size=(epochs, 5, 3)).astype(np.float32)
    rows, dynamics = np.array([8, 1, 3, 9, 0]), TrainingDynamics(10, 3)
    for logits_RK in logits_ERK:
        dynamics.add(rows, logits_RK)
    np.testing.assert_allclose(dynamics.mean_NK[rows], sigmoid(logits_ERK).mean(0), atol=1e-5)
    np.testing.assert_allclose(dynamics.std_NK[rows], sigmoid(logits_ERK).std(0), atol=2e-4)
    never = np.setdiff1d(np.arange(10), rows)
    assert np.isnan(dynamics.mean_NK[never]).all()
    assert np.isnan(dynamics.std_NK[never]).all()


def test_going_on_from_a_state_is_going_on():
    logits_ERK = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)
    whole, first, second = (TrainingDynamics(4, 2) for _ in range(3))
    for epoch, logits_RK in enumerate(logits_ERK):
        whole.add(np.arange(4), logits_RK)
        if epoch == 2:
            second.load_state_dict(first.state_dict())
        (first if epoch < 2 else second).add(np.arange(4), logits_RK)
    np.testing.assert_array_equal(whole.mean_NK, second.mean_NK)
    np.testing.assert_array_equal(whole.std_NK, second.std_NK)


def test_a_wrong_label_has_a_low_mean_out_of_fold_though_it_is_learnt_by_heart():
    rng = np.random.default_rng(1)
    truth_NK = (rng.random((300, 2)) < 0.5).astype(np.int8)
    features_ND = truth_NK @ rng.normal(size=(2, 64)) + rng.normal(scale=0.3, size=(300, 64))
    labels_NK, wrong_NK = truth_NK.copy(), rng.random((300, 2)) < 0.05
    labels_NK[wrong_NK] = 1 - labels_NK[wrong_NK]
    part_N = np.arange(300) % 4 - 1
    settings = check_settings(
        {"head": {"name": "linear"}, "head_stage": {"epochs": 20, "num_seeds": 2, "lr": 0.02}}
    )
    stage = cross_fit_heads(
        features_ND[None].astype(np.float16), labels_NK, part_N, settings, track=lambda items, _: items
    )
    mean_NK, learns = stage.dynamics.mean_NK, part_N >= 0
    of_given_NK = np.where(labels_NK == 1, mean_NK, 1 - mean_NK)
    assert np.median(of_given_NK[wrong_NK & learns[:, None]]) < 0.3
    assert np.median(of_given_NK[~wrong_NK & learns[:, None]]) > 0.8
    assert np.isnan(mean_NK[~learns]).all()
    std_NK = stage.dynamics.std_NK[learns]
    assert ((std_NK > 0) & (std_NK < 0.5)).all()
