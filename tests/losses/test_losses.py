"""Losses: what all keep to (contract), what they equal with options off (identity), other people's code (oracle)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.loss import AsymmetricLossMultiLabel, DistributionBalancedLoss, compute_class_weights
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import sigmoid_focal_loss

from tagger.errors import TaggerError
from tagger.losses import Loss, losses

K = 4


def stats_of(positives, negatives):
    positives_K, negatives_K = np.array(positives, dtype=float), np.array(negatives, dtype=float)
    return SimpleNamespace(
        positives_K=positives_K,
        negatives_K=negatives_K,
        priors_K=(positives_K + 1) / (positives_K + negatives_K + 2),
        num_images=100,
    )


STATS = stats_of([50, 10, 1, 0], [50, 90, 99, 100])
OFF = {
    "bce": {},
    "weighted-bce": {"power": 0.0},
    "false-positive": {"penalty": 1.0},
    "focal": {"gamma": 0.0, "alpha": -1.0},
    "asymmetric": {"gamma_neg": 0.0, "gamma_pos": 0.0, "clip": 0.0},
    "distribution-balanced": {"alpha": 0.5, "beta": 0.0, "neg_scale": 1.0, "init_bias": 0.0, "gamma": 0.0},
}
every_loss = pytest.mark.parametrize("name", losses.names())


def a_batch(seed=0, num=6, *, soft=False):
    generator = torch.Generator().manual_seed(seed)
    logits_BK = 3 * torch.randn(num, K, generator=generator)
    targets_BK = torch.rand(num, K, generator=generator)
    targets_BK = targets_BK if soft else targets_BK.round()
    return logits_BK.requires_grad_(), targets_BK


def gradient(loss, logits_BK) -> torch.Tensor:
    return torch.autograd.grad(loss, logits_BK)[0]


def some_unknown(targets_BK, seed=1):
    unknown_BK = torch.rand(targets_BK.shape, generator=torch.Generator().manual_seed(seed)) < 0.4
    return torch.where(unknown_BK, -1.0, targets_BK), unknown_BK


# --- contract
# ---------------------------------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("soft", [False, True])
def test_a_loss_is_a_finite_float32_scalar_and_its_gradient_reaches_every_known_cell(name, soft):
    logits_BK, targets_BK = a_batch(soft=soft)
    targets_BK, unknown_BK = some_unknown(targets_BK)
    loss = losses.build(name, STATS)(logits_BK, targets_BK)
    grad_BK = gradient(loss, logits_BK)
    assert isinstance(losses.build(name, STATS), Loss)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(grad_BK).all()
    assert (grad_BK[unknown_BK] == 0).all()
    if name != "asymmetric":  # whose clip forgets easy no-cells on purpose
        assert (grad_BK[~unknown_BK] != 0).all()


@every_loss
def test_cells_are_float32_of_the_batch_shape_never_negative_and_zero_where_unknown(name):
    logits_BK, targets_BK = a_batch()
    targets_BK, unknown_BK = some_unknown(targets_BK)
    losses_BK = losses.build(name, STATS).cell_losses(logits_BK.half(), targets_BK)
    assert losses_BK.shape == (6, K)
    assert losses_BK.dtype == torch.float32
    assert (losses_BK >= 0).all()
    assert (losses_BK[unknown_BK] == 0).all()


@every_loss
def test_the_loss_is_the_slow_double_loop_mean_over_known_cells(name):
    logits_BK, targets_BK = a_batch()
    targets_BK, unknown_BK = some_unknown(targets_BK)
    loss = losses.build(name, STATS)
    losses_BK = loss.cell_losses(logits_BK, targets_BK)
    known = [losses_BK[b, k].item() for b in range(6) for k in range(K) if not unknown_BK[b, k]]
    assert loss(logits_BK, targets_BK).item() == pytest.approx(sum(known) / len(known), rel=1e-5)


@every_loss
def test_what_an_unknown_cell_holds_changes_nothing(name):
    logits_BK, targets_BK = a_batch()
    targets_BK, unknown_BK = some_unknown(targets_BK)
    loss = losses.build(name, STATS)
    for strange in (0.0, 1e4, float("inf"), float("nan")):
        strange_BK = torch.where(unknown_BK, strange, logits_BK.detach()).requires_grad_()
        result = loss(strange_BK, targets_BK)
        assert torch.equal(result, loss(logits_BK, targets_BK))
        assert (gradient(result, strange_BK)[unknown_BK] == 0).all()
    nan_BK = torch.where(unknown_BK, float("nan"), targets_BK)
    assert torch.equal(loss(logits_BK, nan_BK), loss(logits_BK, targets_BK))


@every_loss
@pytest.mark.parametrize("num", [0, 3])
def test_a_batch_with_nothing_known_gives_zero_and_zero_gradient(name, num):
    logits_BK, _ = a_batch(num=num)
    loss = losses.build(name, STATS)(logits_BK, torch.full((num, K), -1.0))
    assert loss.item() == 0
    assert (gradient(loss, logits_BK) == 0).all()


@every_loss
def test_doubling_the_batch_or_all_weights_leaves_the_loss_unchanged(name):
    logits_BK, targets_BK = a_batch()
    targets_BK, _ = some_unknown(targets_BK)
    loss = losses.build(name, STATS)
    once = loss(logits_BK, targets_BK)
    torch.testing.assert_close(loss(torch.cat([logits_BK] * 2), torch.cat([targets_BK] * 2)), once)
    torch.testing.assert_close(loss(logits_BK, targets_BK, torch.full((6, K), 2.0)), once)


@every_loss
def test_weight_zero_leaves_a_cell_out_and_weight_two_counts_an_image_twice(name):
    logits_BK, targets_BK = a_batch()
    loss = losses.build(name, STATS)
    weights_B1 = torch.tensor([[0.0], [2.0], [1.0], [1.0], [1.0], [1.0]])
    expected = loss(logits_BK[[1, 1, 2, 3, 4, 5]], targets_BK[[1, 1, 2, 3, 4, 5]])
    torch.testing.assert_close(loss(logits_BK, targets_BK, weights_B1), expected)
    assert loss(logits_BK, targets_BK, torch.zeros(6, K)).item() == 0


@every_loss
def test_permuting_images_permutes_cells(name):
    logits_BK, targets_BK = a_batch()
    loss, order = losses.build(name, STATS), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(
        loss.cell_losses(logits_BK, targets_BK)[order], loss.cell_losses(logits_BK[order], targets_BK[order])
    )


@every_loss
def test_permuting_labels_and_their_statistics_permutes_cells(name):
    logits_BK, targets_BK = a_batch()
    order = [2, 0, 3, 1]
    permuted = losses.build(name, stats_of(STATS.positives_K[order], STATS.negatives_K[order]))
    losses_BK = losses.build(name, STATS).cell_losses(logits_BK, targets_BK)
    torch.testing.assert_close(
        losses_BK[:, order], permuted.cell_losses(logits_BK[:, order], targets_BK[:, order])
    )


@every_loss
def test_under_autocast_the_loss_is_that_of_float32(name):
    logits_BK, targets_BK = a_batch()
    low_BK = logits_BK.detach().bfloat16()
    loss = losses.build(name, STATS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = loss(low_BK, targets_BK)
    assert under.dtype == torch.float32
    assert torch.equal(under, loss(low_BK.float(), targets_BK))


@every_loss
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("logit", [-1e4, -100.0, -20.0, 20.0, 100.0, 1e4])
def test_extreme_logits_give_finite_losses_and_gradients(name, target, logit):
    logits_BK = torch.full((2, K), logit, requires_grad=True)
    loss = losses.build(name, STATS)(logits_BK, torch.full((2, K), target))
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient(loss, logits_BK)).all()


@every_loss
@pytest.mark.parametrize(
    "stats", [stats_of([0] * K, [0] * K), stats_of([100] * K, [0] * K)], ids=["no yes", "all yes"]
)
def test_labels_without_any_yes_or_any_no_still_learn(name, stats):
    logits_BK, targets_BK = a_batch()
    loss = losses.build(name, stats)(logits_BK, targets_BK)
    assert torch.isfinite(loss)
    assert gradient(loss, logits_BK).abs().sum(dim=0).min() > 0


@every_loss
@settings(max_examples=20, deadline=None)
@given(target=st.floats(0, 1), logits=st.lists(st.floats(-12, 12), min_size=2, max_size=2))
def test_a_hard_cell_never_costs_less_than_an_easy_one(name, target, logits):
    target, (low, high) = round(target), sorted(logits)
    stats = stats_of([50, 50, 50, 50], [50, 50, 50, 50])
    cells_BK = losses.build(name, stats).cell_losses(
        torch.tensor([[low] * K, [high] * K]), torch.full((2, K), float(target))
    )
    easy, hard = (cells_BK[1], cells_BK[0]) if target else (cells_BK[0], cells_BK[1])
    assert (easy <= hard + 1e-6).all()


@every_loss
def test_a_loss_adds_nothing_to_train(name):
    assert list(losses.build(name, STATS).parameters()) == []


# --- identity
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "off"), OFF.items())
@pytest.mark.parametrize("soft", [False, True])
def test_with_its_options_off_a_loss_is_binary_cross_entropy(name, off, soft):
    logits_BK, targets_BK = a_batch(soft=soft)
    loss = losses.build(name, STATS, **off)(logits_BK, targets_BK)
    torch.testing.assert_close(loss, binary_cross_entropy_with_logits(logits_BK, targets_BK))


def test_every_loss_but_squared_error_is_checked_against_binary_cross_entropy():
    assert set(losses.names()) - set(OFF) == {"squared-error"}


# --- oracle
# -----------------------------------------------------------------------------------------------------------


def test_focal_is_torchvisions():
    logits_BK, targets_BK = a_batch(soft=True)
    for gamma, alpha in ((2.0, -1.0), (1.5, 0.25)):
        ours = losses.build("focal", STATS, gamma=gamma, alpha=alpha)(logits_BK, targets_BK)
        theirs = sigmoid_focal_loss(logits_BK, targets_BK, alpha=alpha, gamma=gamma, reduction="mean")
        torch.testing.assert_close(ours, theirs)


def test_asymmetric_is_timms():
    logits_BK, targets_BK = a_batch()
    ours = losses.build("asymmetric", STATS, gamma_neg=3.0, gamma_pos=1.0, clip=0.1)(logits_BK, targets_BK)
    theirs = AsymmetricLossMultiLabel(3.0, 1.0, 0.1, reduction="mean")(logits_BK, targets_BK)
    torch.testing.assert_close(ours, theirs)


def test_distribution_balanced_is_timms():
    logits_BK, targets_BK = a_batch()
    ours = losses.build("distribution-balanced", STATS)(logits_BK, targets_BK)
    theirs = DistributionBalancedLoss(STATS.positives_K, 100)(logits_BK, targets_BK)
    torch.testing.assert_close(ours, theirs)


def test_weighted_bce_uses_timms_weights_within_the_cap():
    logits_BK, targets_BK = a_batch()
    _, weights_K = compute_class_weights(STATS.positives_K, 100, power=0.7)
    theirs = binary_cross_entropy_with_logits(logits_BK, targets_BK, pos_weight=weights_K.clamp(1 / 5, 5))
    torch.testing.assert_close(
        losses.build("weighted-bce", STATS, power=0.7, cap=5.0)(logits_BK, targets_BK), theirs
    )


def test_weights_follow_the_known_cells_only():
    half_known = stats_of([25, 5, 0.5, 0], [25, 45, 49.5, 50])
    logits_BK, targets_BK = a_batch()
    for name in ("weighted-bce", "distribution-balanced"):
        torch.testing.assert_close(
            losses.build(name, half_known)(logits_BK, targets_BK),
            losses.build(name, STATS)(logits_BK, targets_BK),
        )


def test_false_positive_loss_is_the_double_loop_by_hand():
    logits_BK, targets_BK = a_batch(soft=True)
    probs_BK = torch.sigmoid(logits_BK).double()
    total = 0.0
    for p, t in zip(probs_BK.flatten().tolist(), targets_BK.flatten().tolist(), strict=True):
        total += -t * np.log(p) - 3.0 * (1 - t) * np.log(1 - p)
    ours = losses.build("false-positive", STATS, penalty=3.0)(logits_BK, targets_BK)
    assert ours.item() == pytest.approx(total / logits_BK.numel(), rel=1e-5)


def test_squared_error_is_the_mean_squared_difference_of_probabilities():
    logits_BK, targets_BK = a_batch(soft=True)
    theirs = torch.nn.functional.mse_loss(torch.sigmoid(logits_BK), targets_BK)
    torch.testing.assert_close(losses.build("squared-error", STATS)(logits_BK, targets_BK), theirs)


# --- what a person may get wrong
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("focal", "gamma", -1.0),
        ("focal", "gamma", 0.5),
        ("focal", "gamma", float("nan")),
        ("focal", "alpha", 1.5),
        ("asymmetric", "gamma_neg", 0.5),
        ("asymmetric", "clip", 0.9),
        ("weighted-bce", "power", -1.0),
        ("weighted-bce", "cap", 0.0),
        ("false-positive", "penalty", -2.0),
        ("distribution-balanced", "neg_scale", 0.0),
    ],
)
def test_an_impossible_option_is_named_with_what_it_may_be(name, option, value):
    with pytest.raises(TaggerError, match=rf"Loss '{name}': {option}.*must be"):
        losses.build(name, STATS, **{option: value})


def test_an_unknown_loss_or_option_suggests_the_nearest():
    with pytest.raises(TaggerError, match="Did you mean 'focal'"):
        losses.build("focla", STATS)
    with pytest.raises(TaggerError, match="Did you mean 'gamma'"):
        losses.build("focal", STATS, gama=1.0)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_penalty_by_frequency_is_largest_for_the_most_frequent_label(power: float):
    loss = losses.build("false-positive", STATS, penalty=3.0, power=power)
    logits_BK, targets_BK = a_batch()
    found_BK = loss.cell_losses(logits_BK, targets_BK)
    shares = [0.5, 0.1, 0.01, 0.0]
    for row, (logits_K, targets_K) in enumerate(zip(logits_BK.tolist(), targets_BK.tolist(), strict=True)):
        for k, (logit, target) in enumerate(zip(logits_K, targets_K, strict=True)):
            penalty = 1 + 2 * ((shares[k] / 0.5) ** power if power else 1.0)
            expected = np.log1p(np.exp(-logit)) if target else penalty * np.log1p(np.exp(logit))
            assert found_BK[row, k].item() == pytest.approx(expected, rel=1e-5)
