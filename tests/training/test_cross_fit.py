"""Heads on cached features: out-of-fold probabilities, unknown cells ignored, the same from one seed."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from tagger.config import Settings, check_settings
from tagger.heads import HeadEnsemble, LinearHead
from tagger.training.head.cross_fit import (
    combine_heads,
    cross_fit_heads,
    fit_head,
    head_logits,
    smooth_targets,
)

N, D, K = 120, 160, 3


def settings(name: str = "linear", **features: Any) -> Settings:
    """A quick head stage."""
    head = {"name": name, "dropout": 0.0} | ({"hidden": 16} if name == "mlp" else {})
    chosen = {"epochs": 12, "batch_size": 32, "lr": 0.02, **features}
    return check_settings({"head": head, "head_stage": chosen})


def track(items: Any, description: str) -> Any:
    """No progress."""
    return items


@pytest.fixture(scope="module")
def random() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features with more directions than images, labels that have nothing to do with them, and four parts."""
    rng = np.random.default_rng(0)
    views_VND = rng.normal(size=(2, N, D)).astype(np.float16)
    views_VND[1] = views_VND[0] + rng.normal(scale=0.01, size=(N, D)).astype(np.float16)
    labels_NK = (rng.random((N, K)) < 0.5).astype(np.int8)
    return views_VND, labels_NK, np.arange(N) % 5 - 1  # a fifth is the test split


def mean_ap(labels_NK: np.ndarray, logits_NK: np.ndarray) -> float:
    """scikit-learn's mean average precision."""
    return float(np.mean([average_precision_score(labels_NK[:, k], logits_NK[:, k]) for k in range(K)]))


def test_out_of_fold_probabilities_know_nothing_of_random_labels(random: Any):
    views_VND, labels_NK, part_N = random
    stage = cross_fit_heads(views_VND, labels_NK, part_N, settings(), track=track)
    learns = part_N >= 0
    for head, part in zip(stage.heads, range(4), strict=True):
        seen = np.flatnonzero(learns & (part_N != part))
        assert mean_ap(labels_NK[seen], head_logits(head, views_VND, seen)) > 0.97  # they are learnt by heart
    chance = mean_ap(labels_NK[learns], np.zeros((learns.sum(), K)))
    assert mean_ap(labels_NK[learns], stage.logits_NK[learns]) < chance + 0.12


def test_only_rows_of_a_part_get_probabilities(random: Any):
    views_VND, labels_NK, part_N = random
    stage = cross_fit_heads(views_VND, labels_NK, part_N, settings(epochs=1), track=track)
    assert np.isfinite(stage.logits_NK[part_N >= 0]).all()
    assert np.isnan(stage.logits_NK[part_N < 0]).all()
    assert len(stage.heads) == 4


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_a_head_does_not_change_with_what_is_held_out(random: Any, name: str):
    views_VND, labels_NK, part_N = random
    rows, held_out = np.flatnonzero(part_N > 0), np.flatnonzero(part_N <= 0)
    one, _ = fit_head(views_VND, labels_NK, rows, held_out, settings(name, epochs=2), name="x")
    other_views, other_labels = views_VND.copy(), labels_NK.copy()
    other_views[:, held_out] = 7
    other_labels[held_out] = 1 - other_labels[held_out]
    two, _ = fit_head(other_views, other_labels, rows, held_out, settings(name, epochs=2), name="x")
    assert all(torch.equal(tensor, two.state_dict()[key]) for key, tensor in one.state_dict().items())


def test_unknown_cells_teach_nothing(random: Any):
    views_VND, labels_NK, part_N = random
    rows, held_out = np.flatnonzero(part_N > 0), np.flatnonzero(part_N == 0)
    cells = labels_NK.copy()
    cells[:, 2] = -1  # nobody looked at the last label

    def weights_KD(lr: float) -> np.ndarray:
        chosen = settings(epochs=2, lr=lr, weight_decay=0)
        head, history = fit_head(views_VND, cells, rows, held_out, chosen, name="x")
        assert np.isfinite([row["train_loss"] for row in history]).all()
        return head.state_dict()["fc.weight"].numpy()

    start, learnt = weights_KD(1e-12), weights_KD(0.01)
    np.testing.assert_allclose(learnt[2], start[2], atol=1e-7)
    assert np.abs(learnt[:2] - start[:2]).max() > 1e-3


def test_a_signal_is_found_out_of_fold():
    rng = np.random.default_rng(1)
    labels_NK = (rng.random((N, K)) < 0.3).astype(np.int8)
    features_ND = labels_NK @ rng.normal(size=(K, 20)) + rng.normal(scale=0.1, size=(N, 20))
    stage = cross_fit_heads(
        features_ND[None].astype(np.float16), labels_NK, np.arange(N) % 3, settings(), track=track
    )
    assert mean_ap(labels_NK, stage.logits_NK) > 0.95
    losses = [row["train_loss"] for row in stage.history]
    assert losses[-1] < losses[0]


def test_the_same_seed_gives_the_same_heads_and_another_gives_others(random: Any):
    views_VND, labels_NK, part_N = random
    chosen = check_settings({"head": {"name": "linear"}, "head_stage": {"epochs": 2, "mixup": 0.4}})
    before = torch.get_rng_state()
    one, two = (cross_fit_heads(views_VND, labels_NK, part_N, chosen, track=track) for _ in range(2))
    np.testing.assert_array_equal(one.logits_NK, two.logits_NK)
    assert one.history == two.history
    other = cross_fit_heads(views_VND, labels_NK, part_N, chosen.model_copy(update={"seed": 1}), track=track)
    assert not np.array_equal(one.logits_NK, other.logits_NK, equal_nan=True)
    assert torch.equal(before, torch.get_rng_state())  # the caller's generator is left alone


@pytest.mark.parametrize(("name", "kind"), [("linear", LinearHead), ("mlp", HeadEnsemble)])
def test_the_head_of_a_stage_gives_the_mean_logits_of_all(random: Any, name: str, kind: type):
    views_VND, labels_NK, part_N = random
    stage = cross_fit_heads(views_VND, labels_NK, part_N, settings(name, epochs=1, num_seeds=2), track=track)
    rows = np.arange(N)
    mean = np.mean([head_logits(head, views_VND, rows) for head in stage.heads], axis=0)
    assert isinstance(stage.head, kind)
    np.testing.assert_allclose(head_logits(stage.head, views_VND, rows), mean, atol=1e-4)


def test_logits_are_the_mean_over_views_and_do_not_depend_on_the_chunk(random: Any):
    views_VND, labels_NK, _ = random
    rows = np.arange(N)
    head, _ = fit_head(views_VND, labels_NK, rows, rows, settings(epochs=1), name="x")
    each = [head_logits(head, view_ND[None], rows) for view_ND in views_VND]
    np.testing.assert_allclose(head_logits(head, views_VND, rows), np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(
        head_logits(head, views_VND, rows, chunk=7), head_logits(head, views_VND, rows), atol=1e-5
    )


def test_one_head_needs_no_combining():
    head = LinearHead(D, K)
    assert combine_heads([head]) is head


def test_smoothing_moves_targets_inwards_and_leaves_unknown_ones():
    targets = torch.tensor([0.0, 0.25, 1.0, -1.0])
    torch.testing.assert_close(smooth_targets(targets, 0.1), torch.tensor([0.1, 0.3, 0.9, -1.0]))
    assert smooth_targets(targets, 0.0) is targets
