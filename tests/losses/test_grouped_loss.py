"""The loss of groups: each question against a plain loop in float64 over scores, autograd, and cases worked by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.data import label_stats
from tagger.heads.grouping import group_logits, make_group_layout
from tagger.losses import GroupedLoss, grouped_loss, losses
from tagger.losses.grouped_loss import log_rest_prob
from tagger.scoring.label_constraints import ExclusiveGroup

LABELS_NK = np.array([[1, 0, 0, 1, 0, 0], [0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 1]], np.int8)
STATS = label_stats(LABELS_NK)
LETTERS, LAST = ExclusiveGroup("letters", (0, 1)), ExclusiveGroup("last", (5, 4, 3), always=True)
LAYOUT = make_group_layout(
    torch.tensor([0, 0, -1, 1, 1, 1]), torch.tensor([True, True, False, False, False, False])
)
BCE = losses.build("bce", STATS)


def make_loss(**options):
    return GroupedLoss(BCE, (LETTERS, LAST), **options)


def slow_question(z, t, w, *, none):
    """(loss, weight) of one image's question, from scores, by the module docstring."""
    z = [float(x) for x in z] + ([0.0] if none else [])
    log_whole = math.log(sum(math.exp(x) for x in z))
    known = [k for k in range(len(t)) if t[k] >= 0 and w[k] > 0]
    if not known:
        return 0.0, 0.0
    still = [k for k in range(len(z)) if k not in known]  # what is unknown, and none
    yes = [k for k in known if t[k] >= 0.999]

    def minus_log(members):
        return log_whole - math.log(sum(math.exp(z[k]) for k in members))

    whole = sum(t[k] for k in known)
    if not still and whole == 0:
        return 0.0, 0.0
    scale = max(whole, 1.0) if still else whole
    loss = weight = 0.0
    for k in known:
        if t[k] > 0:
            loss += t[k] / scale * minus_log(yes if k in yes else [k])
            weight += t[k] / scale * w[k]
    left = max(1 - whole, 0.0) if still else 0.0
    if left > 1e-6:
        loss += left * minus_log(still)
        weight += left * sum(w[k] for k in known) / len(known)
    return loss, weight


def slow_loss(raw_BK, targets_BK, weights_BK):
    """The mean over questions, by loops."""
    total = whole = 0.0
    for z, t, w in zip(raw_BK.tolist(), targets_BK.tolist(), weights_BK.tolist(), strict=True):
        for one in (LETTERS, LAST):
            part = [[row[k] for k in one.columns] for row in (z, t, w)]
            loss, weight = slow_question(*part, none=not one.always)
            total, whole = total + weight * loss, whole + weight
        if t[2] >= 0:
            total += w[2] * (math.log1p(math.exp(-abs(z[2]))) + max(z[2], 0) - z[2] * t[2])
            whole += w[2]
    return total / whole if whole else 0.0


def a_batch(seed, num=12, *, soft=False):
    generator = torch.Generator().manual_seed(seed)
    raw_BK = 2 * torch.randn(num, 6, generator=generator)
    if soft:
        targets_BK = torch.rand(num, 6, generator=generator) * 0.45
    else:
        targets_BK = (torch.rand(num, 6, generator=generator) < 0.35).float()
    targets_BK[torch.rand(num, 6, generator=generator) < 0.3] = -1.0
    weights_BK = torch.rand(num, 6, generator=generator) * 3
    weights_BK[torch.rand(num, 6, generator=generator) < 0.1] = 0.0
    return raw_BK, targets_BK, weights_BK


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_loss_is_that_of_plain_loops_over_questions(seed, soft):
    raw_BK, targets_BK, weights_BK = a_batch(seed, soft=soft)
    logits_BK = group_logits(raw_BK, LAYOUT)
    loss = make_loss()
    for weights in (None, weights_BK, torch.rand(12, 1)):
        each = torch.ones(12, 6) if weights is None else weights.expand(12, 6)
        expected = slow_loss(raw_BK, targets_BK, each)
        assert loss(logits_BK, targets_BK, weights).item() == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("soft", [False, True])
def test_the_gradient_on_scores_is_that_of_finite_differences(soft):
    raw_BK, targets_BK, weights_BK = a_batch(3, num=4, soft=soft)
    leaf = raw_BK.clone().requires_grad_()
    make_loss()(group_logits(leaf, LAYOUT), targets_BK, weights_BK).backward()
    for b, k in np.ndindex(4, 6):
        step = torch.zeros(4, 6, dtype=torch.float64)
        step[b, k] = 1e-5
        up, down = (slow_loss(raw_BK.double() + sign * step, targets_BK, weights_BK) for sign in (1, -1))
        assert leaf.grad[b, k].item() == pytest.approx((up - down) / 2e-5, abs=2e-4)


def one_question(targets, *, scores=(1.0, -0.5, 2.0), always=True, weights=None, smoothing=0.0):
    layout = make_group_layout(torch.zeros(3, dtype=torch.long), torch.full((3,), not always))
    loss = GroupedLoss(
        losses.build("bce", None), (ExclusiveGroup("g", (0, 1, 2), always=always),), smoothing=smoothing
    )
    return loss(group_logits(torch.tensor([scores]), layout), torch.tensor([targets]), weights).item()


@pytest.mark.parametrize(
    ("targets", "always", "members"),
    [
        ([1.0, 0.0, 0.0], True, [0]),
        ([1.0, -1.0, 0.0], True, [0]),
        ([-1.0, 0.0, -1.0], True, [0, 2]),
        ([-1.0, 0.0, -1.0], False, [0, 2, 3]),
        ([0.0, 0.0, 0.0], False, [3]),
        ([1.0, 1.0, 0.0], True, [0, 1]),
        ([1.0, 1.0, -1.0], False, [0, 1]),
    ],
)
def test_an_image_is_asked_for_the_classes_that_it_may_still_have(targets, always, members):
    scores = [1.0, -0.5, 2.0, 0.0]
    classes = range(3 if always else 4)
    share = sum(math.exp(scores[k]) for k in members) / sum(math.exp(scores[k]) for k in classes)
    assert one_question(targets, always=always) == pytest.approx(-math.log(share), rel=1e-5)


@pytest.mark.parametrize("targets", [[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0]])
def test_where_nothing_is_known_or_nothing_is_left_there_is_no_question(targets):
    assert one_question(targets) == 0


def test_mixup_of_two_known_images_is_the_mixture_of_their_losses():
    parts = [one_question(t, always=False) for t in ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0])]
    assert one_question([0.7, 0.0, 0.3], always=False) == pytest.approx(
        0.7 * parts[0] + 0.3 * parts[1], rel=1e-5
    )
    assert one_question([0.7, 0.0, 0.0], always=False) == pytest.approx(
        0.7 * parts[0] + 0.3 * parts[2], rel=1e-5
    )


@pytest.mark.parametrize("always", [True, False])
def test_smoothing_is_that_of_softmax_cross_entropy(always):
    scores = torch.tensor([[1.0, -0.5, 2.0] + [0.0] * (not always)])
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([2]), label_smoothing=0.1).item()
    softened = [0.1, 0.1, 0.9]  # as ``soften`` does, cell by cell
    assert one_question(softened, always=always, smoothing=0.1) == pytest.approx(expected, rel=1e-5)


def test_a_group_known_everywhere_is_softmax_cross_entropy():
    scores_BM = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    classes_B = torch.randint(3, (20,), generator=torch.Generator().manual_seed(1))
    layout = make_group_layout(torch.zeros(3, dtype=torch.long), torch.zeros(3, dtype=torch.bool))
    loss = GroupedLoss(losses.build("bce", None), (ExclusiveGroup("g", (0, 1, 2), always=True),))
    ours = loss(group_logits(scores_BM, layout), torch.nn.functional.one_hot(classes_B, 3).float())
    assert ours.item() == pytest.approx(
        torch.nn.functional.cross_entropy(scores_BM, classes_B).item(), rel=1e-5
    )


@pytest.mark.parametrize("name", losses.names())
def test_without_groups_it_is_the_chosen_loss_itself(name):
    loss = losses.build(name, STATS)
    assert grouped_loss(loss, "abcdef", {}, LABELS_NK, smoothing=0.1) is loss
    raw_BK, targets_BK, weights_BK = a_batch(0)
    assert torch.equal(
        GroupedLoss(loss, ())(raw_BK, targets_BK, weights_BK), loss(raw_BK, targets_BK, weights_BK)
    )


@pytest.mark.parametrize("name", losses.names())
def test_free_labels_pay_the_chosen_loss(name):
    loss = losses.build(name, STATS)
    raw_BK, targets_BK, _ = a_batch(1)
    free_BK = torch.full_like(targets_BK, -1.0)
    free_BK[:, 2] = targets_BK[:, 2]
    ours = GroupedLoss(loss, (LETTERS, LAST))(group_logits(raw_BK, LAYOUT), free_BK)
    assert ours.item() == pytest.approx(loss(raw_BK, free_BK).item(), rel=1e-6)


def test_the_batch_given_twice_has_the_same_loss_and_a_weight_of_nought_takes_a_cell_out():
    raw_BK, targets_BK, weights_BK = a_batch(2)
    logits_BK, loss = group_logits(raw_BK, LAYOUT), make_loss()
    once = loss(logits_BK, targets_BK, weights_BK).item()
    twice = loss(*(torch.cat([x, x]) for x in (logits_BK, targets_BK, weights_BK))).item()
    assert twice == pytest.approx(once, rel=1e-5)
    unknown_BK = torch.where(weights_BK == 0, -1.0, targets_BK)
    assert loss(logits_BK, unknown_BK, weights_BK).item() == pytest.approx(once, rel=1e-6)


@settings(max_examples=60)
@given(
    st.lists(st.floats(-200, 200, width=32), min_size=6, max_size=6),
    st.lists(st.sampled_from([-1.0, 0.0, 1.0, 0.4, 0.6]), min_size=6, max_size=6),
)
def test_any_scores_and_targets_give_a_finite_loss_and_gradient(scores, targets):
    raw_BK = torch.tensor([scores], requires_grad=True)
    for smoothing in (0.0, 0.1):
        loss = make_loss(smoothing=smoothing)(group_logits(raw_BK, LAYOUT), torch.tensor([targets]))
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(raw_BK.grad).all()


def test_where_rounding_has_eaten_none_the_gradient_still_lowers_the_likeliest():
    raw_BK = torch.tensor([[30.0, 29.0, 0.0]], requires_grad=True)  # none has e^-30
    layout = make_group_layout(torch.zeros(3, dtype=torch.long), torch.ones(3, dtype=torch.bool))
    GroupedLoss(losses.build("bce", None), (ExclusiveGroup("g", (0, 1, 2)),))(
        group_logits(raw_BK, layout), torch.zeros(1, 3)
    ).backward()
    assert torch.isfinite(raw_BK.grad).all()
    assert raw_BK.grad[0, 0] > 0.1


def test_the_rest_of_a_group_is_right_over_many_orders_of_magnitude():
    for none in (0.5, 1e-2, 1e-4):
        shares = torch.tensor([[(1 - none) * 0.9999, (1 - none) * 0.0001]], dtype=torch.float64)
        logits_BM = (shares.log() - (-shares).log1p()).float()
        found = log_rest_prob(logits_BM, torch.zeros(1, 2, dtype=torch.bool), may_have_none=True).item()
        assert found == pytest.approx(math.log(none), abs=2e-3)


def test_compiled_it_is_the_same_loss():
    raw_BK, targets_BK, weights_BK = a_batch(5)
    logits_BK, loss = group_logits(raw_BK, LAYOUT), make_loss(smoothing=0.1)
    compiled = torch.compile(loss, backend="aot_eager")
    torch.testing.assert_close(
        compiled(logits_BK, targets_BK, weights_BK), loss(logits_BK, targets_BK, weights_BK)
    )


def test_half_precision_logits_give_a_float32_loss():
    raw_BK, targets_BK, weights_BK = a_batch(4)
    logits_BK = group_logits(raw_BK, LAYOUT).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = make_loss()(logits_BK, targets_BK, weights_BK)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
