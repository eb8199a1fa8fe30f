"""Soft targets and weights: nothing changes without them, and what they say is what is learnt."""

from typing import Any

import numpy as np
import pytest
import torch

from tagger.config import Settings, check_settings
from tagger.heads import ECOCHead, HeadEnsemble, LinearHead, heads
from tagger.training.head.cross_fit import cross_fit_heads, fit_head, head_logits
from tagger.training.retraining.warm_start import finetune_settings, remap_head_labels
from tagger.training.targets import TrainingTargets, split_targets

N, D, K = 90, 12, 3


def settings(name: str = "linear", **features: Any) -> Settings:
    """A quick head stage."""
    chosen = {"epochs": 4, "batch_size": 32, "lr": 0.02, **features}
    return check_settings({"head": {"name": name, "dropout": 0.0}, "head_stage": chosen})


def track(items: Any, description: str) -> Any:
    """No progress."""
    return items


@pytest.fixture(scope="module")
def training_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features that show their labels, the labels with some unknown, and three parts."""
    rng = np.random.default_rng(0)
    labels_NK = (rng.random((N, K)) < 0.4).astype(np.int8)
    features_ND = labels_NK @ rng.normal(size=(K, D)) + rng.normal(scale=0.3, size=(N, D))
    labels_NK[rng.random((N, K)) < 0.1] = -1
    return features_ND[None].astype(np.float16), labels_NK, np.arange(N) % 3


@pytest.mark.parametrize("mixup", [0.0, 0.5])
def test_weights_of_one_and_targets_that_are_the_labels_change_no_bit(training_data: Any, mixup: float):
    views_VND, labels_NK, part_N = training_data
    plain = cross_fit_heads(views_VND, labels_NK, part_N, settings(mixup=mixup), track=track)
    targets = TrainingTargets.from_labels(
        labels_NK, labels_NK.astype(np.float32), np.ones(labels_NK.shape, np.float32)
    )
    same = cross_fit_heads(
        views_VND, labels_NK, part_N, settings(mixup=mixup), track=track, targets=lambda held_out: targets
    )
    np.testing.assert_array_equal(plain.logits_NK, same.logits_NK)
    assert plain.history == same.history


def test_weights_that_are_all_alike_change_almost_nothing(training_data: Any):
    views_VND, labels_NK, part_N = training_data
    plain = cross_fit_heads(views_VND, labels_NK, part_N, settings(), track=track)
    targets = TrainingTargets.from_labels(labels_NK, weights_NK=np.full(labels_NK.shape, 4.0))
    same = cross_fit_heads(
        views_VND, labels_NK, part_N, settings(), track=track, targets=lambda held_out: targets
    )
    np.testing.assert_allclose(plain.logits_NK, same.logits_NK, atol=1e-3)


@pytest.mark.parametrize("way", ["weight", "target"])
def test_a_cell_of_no_weight_or_no_target_is_like_an_unknown_one(training_data: Any, way: str):
    views_VND, labels_NK, part_N = training_data
    wrong = labels_NK.copy()
    hidden_NK = np.zeros(labels_NK.shape, dtype=bool)
    hidden_NK[::4, 1] = True
    wrong[hidden_NK] = 1 - np.maximum(wrong[hidden_NK], 0)
    rows, held_out = np.flatnonzero(part_N > 0), np.flatnonzero(part_N == 0)
    targets_NK = np.where(hidden_NK, -1, wrong).astype(np.float32)
    targets = {
        "weight": TrainingTargets.from_labels(wrong, weights_NK=np.where(hidden_NK, 0.0, 1.0)),
        "target": TrainingTargets.from_labels(wrong, targets_NK),
    }[way]
    head, _ = fit_head(views_VND, wrong, rows, held_out, settings(), name="x", targets=targets)
    same, _ = fit_head(
        views_VND,
        wrong,
        rows,
        held_out,
        settings(),
        name="x",
        targets=TrainingTargets.from_labels(wrong, targets_NK),
    )
    for name, tensor in head.state_dict().items():
        torch.testing.assert_close(tensor, same.state_dict()[name], atol=1e-6, rtol=1e-6)


def test_heavier_cells_are_fitted_better(training_data: Any):
    views_VND, labels_NK, _ = training_data
    rows = np.arange(N)
    flipped = np.where(labels_NK >= 0, 1 - labels_NK, -1).astype(np.int8)
    chosen = np.zeros(labels_NK.shape, dtype=bool)
    chosen[:45] = True
    mixed = np.where(chosen, labels_NK, flipped).astype(np.int8)  # the halves contradict one another

    def share_right(weights_NK: np.ndarray) -> float:
        targets = TrainingTargets.from_labels(mixed, weights_NK=weights_NK)
        head, _ = fit_head(views_VND, mixed, rows, rows, settings(epochs=30), name="x", targets=targets)
        yes_NK = head_logits(head, views_VND, rows) > 0
        return float((yes_NK == (mixed == 1))[chosen & (mixed >= 0)].mean())

    assert share_right(np.where(chosen, 20.0, 1.0)) > 0.9
    assert share_right(np.where(chosen, 0.05, 1.0)) < 0.5


def test_a_soft_target_is_what_a_head_learns_to_say():
    views_VND, labels_NK = np.ones((1, N, D), np.float16), np.ones((N, 1), np.int8)
    targets = TrainingTargets.from_labels(labels_NK, np.full((N, 1), 0.3))
    head, _ = fit_head(
        views_VND,
        labels_NK,
        np.arange(N),
        np.arange(N),
        settings(epochs=300, lr=0.1),
        name="x",
        targets=targets,
    )
    probs = torch.sigmoid(torch.from_numpy(head_logits(head, views_VND, np.arange(3)))).numpy()
    np.testing.assert_allclose(probs, 0.3, atol=0.02)


def test_a_batch_carries_targets_and_weights_side_by_side():
    labels_NK = np.array([[1, 0], [-1, 1]], np.int8)
    weights_NK = np.array([[2.0, 1.0], [1.0, 3.0]])
    targets_BK, weights_BK = split_targets(
        TrainingTargets.from_labels(labels_NK, weights_NK=weights_NK).batch(np.array([1])), 2
    )
    assert targets_BK.tolist() == [[-1.0, 1.0]]
    assert weights_BK is not None
    assert weights_BK.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize("name", heads.names())
def test_columns_are_kept_and_a_new_label_starts_at_its_share(name: str):
    torch.manual_seed(0)
    old = heads.build(name, D, 3).eval()
    old.fit_standardisation(torch.randn(20, D))
    new = remap_head_labels(old, [2, None, 0], np.array([0.5, 0.5, 0.5]), settings(name)).eval()
    features_BD = torch.randn(5, D)
    torch.testing.assert_close(new(features_BD)[:, [0, 2]], old(features_BD)[:, [2, 0]])
    # Hardly an opinion: one half. A new code word is a random direction, half the range away from it at
    # most here.
    most = new.scale().item() / 2 if isinstance(new, ECOCHead) else 1.0
    assert new(features_BD)[:, 1].abs().max() < most


def test_a_mean_of_heads_is_matched_head_by_head():
    old = HeadEnsemble([LinearHead(D, 2), LinearHead(D, 2)]).eval()
    new = remap_head_labels(old, [1], np.array([0.5]), settings()).eval()
    features_BD = torch.randn(5, D)
    torch.testing.assert_close(new(features_BD)[:, 0], old(features_BD)[:, 1])


@pytest.mark.parametrize("name", heads.names())
def test_new_columns_depend_on_the_seed_alone(name: str):
    old = HeadEnsemble([heads.build(name, D, 2), heads.build(name, D, 2)])
    priors_K = np.array([0.5, 0.2, 0.1])

    def remapped(seed: int) -> dict[str, torch.Tensor]:
        chosen = settings(name).model_copy(update={"seed": seed})
        return remap_head_labels(old, [1, None, None], priors_K, chosen).state_dict()

    torch.manual_seed(1)
    first = remapped(0)
    torch.manual_seed(2)  # as after other fold models, or in the process that resumes
    state = torch.random.get_rng_state()
    second = remapped(0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    if name != "ecoc":  # its new code words come from the code, and its weights from the old head
        assert any(not torch.equal(tensor, first[key]) for key, tensor in remapped(1).items())


def test_going_on_is_gentler_than_beginning():
    chosen = check_settings({"train": {"epochs": 4, "lr": 3e-4, "freeze_epochs": 1}})
    train = finetune_settings(chosen).train
    assert (train.epochs, train.freeze_epochs) == (2, 0)
    assert train.lr < chosen.train.lr
    assert finetune_settings(chosen).loss == chosen.loss
