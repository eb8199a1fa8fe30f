"""Groups of labels in a head: one softmax each, as logits; against plain loops, autograd and float64."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.data import LabelGroup
from tagger.heads import HeadEnsemble, heads, merge_linear_heads, set_head_groups
from tagger.heads.grouping import group_logits, make_group_layout

NAMES = ("a", "b", "free", "x", "y", "z")
GROUPS = {
    "letters": LabelGroup(kind="exclusive", labels=["a", "b"]),
    "last": LabelGroup(kind="ordinal", labels=["z", "y", "x"]),
    "loose": LabelGroup(kind="multi", labels=["free"]),
}
GROUP_K, NONE_K = torch.tensor([0, 0, -1, 1, 1, 1]), torch.tensor([True, True, False, False, False, False])
ALWAYS_LAST = np.array(
    [[0, 0, 1, 1, 0, 0], [1, 0, -1, 0, 0, 1], [0, -1, 0, 0, 1, 0]], np.int8
)  # none of letters


def slow_probs(raw_K, group_K, none_K):
    """Softmax over each group by hand, in float64."""
    probs = []
    for k, z in enumerate(raw_K):
        mates = [j for j in range(len(raw_K)) if group_K[j] == group_K[k]] if group_K[k] >= 0 else None
        if mates is None:
            probs.append(1 / (1 + np.exp(-float(z))))
        else:
            top = max([float(raw_K[j]) for j in mates] + [0.0])
            whole = sum(np.exp(float(raw_K[j]) - top) for j in mates) + (np.exp(-top) if none_K[k] else 0.0)
            probs.append(np.exp(float(z) - top) / whole)
    return np.array(probs)


@pytest.mark.parametrize("scale", [0.1, 3.0, 8.0])
def test_the_sigmoid_of_a_logit_is_the_softmax_probability(scale):
    raw_BK = scale * torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    probs_BK = torch.sigmoid(group_logits(raw_BK, make_group_layout(GROUP_K, NONE_K)))
    expected_BK = np.stack([slow_probs(raw_K, GROUP_K, NONE_K) for raw_K in raw_BK])
    np.testing.assert_allclose(probs_BK, expected_BK, rtol=2e-5, atol=1e-30)
    assert (probs_BK[:, 3:].sum(1) - 1).abs().max() < 1e-5
    assert (probs_BK[:, :2].sum(1) < 1).all()


def test_the_gradient_is_that_of_the_plain_formula_in_float64():
    def plain(raw_BK):
        logits = [raw_BK[:, 2]]
        for members, none in (([0, 1], True), ([3, 4, 5], False)):
            for k in members:
                others = [raw_BK[:, j] for j in members if j != k] + [torch.zeros_like(raw_BK[:, 0])] * none
                logits.append(raw_BK[:, k] - torch.stack(others).logsumexp(0))
        return torch.stack([logits[i] for i in (1, 2, 0, 3, 4, 5)], 1)

    raw_BK = 4 * torch.randn(30, 6, generator=torch.Generator().manual_seed(1))
    pull_BK = torch.randn(30, 6, generator=torch.Generator().manual_seed(2))
    ours, theirs = raw_BK.clone().requires_grad_(), raw_BK.double().requires_grad_()
    (group_logits(ours, make_group_layout(GROUP_K, NONE_K)) * pull_BK).sum().backward()
    (plain(theirs) * pull_BK.double()).sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=6, max_size=6))
def test_any_scores_give_finite_logits_and_gradients(scores):
    raw_BK = torch.tensor([scores], requires_grad=True)
    logits_BK = group_logits(raw_BK, make_group_layout(GROUP_K, NONE_K))
    logits_BK.sum().backward()
    assert torch.isfinite(logits_BK).all()
    assert torch.isfinite(raw_BK.grad).all()


@pytest.mark.parametrize("scores", [[5.0, 5.0, 1.0, 2.0, 2.0, 2.0], [0.0] * 6])
def test_ties_share_the_probability(scores):
    probs_K = torch.sigmoid(group_logits(torch.tensor([scores]), make_group_layout(GROUP_K, NONE_K)))[0]
    np.testing.assert_allclose(probs_K, slow_probs(scores, GROUP_K, NONE_K), rtol=1e-5)


def test_free_labels_keep_every_bit():
    raw_BK = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(group_logits(raw_BK, make_group_layout(GROUP_K, NONE_K))[:, 2], raw_BK[:, 2])


@pytest.mark.parametrize("name", heads.names())
def test_without_groups_a_head_gives_its_scores_bit_for_bit(name):
    head = heads.build(name, 7, 6)
    set_head_groups(head, NAMES, {"loose": GROUPS["loose"]}, ALWAYS_LAST)
    raw_BK = torch.randn(3, 6)
    assert head.to_logits(raw_BK) is raw_BK
    assert (head.group_K == -1).all()


@pytest.mark.parametrize("name", heads.names())
def test_a_head_takes_its_groups_and_a_saved_one_has_them(name):
    head = heads.build(name, 7, 6).eval()
    set_head_groups(head, NAMES, GROUPS, ALWAYS_LAST)
    assert head.group_K.tolist() == [0, 0, -1, 1, 1, 1]
    assert head.none_K.tolist() == [True, True, False, False, False, False]
    again = heads.build(name, 7, 6).eval()
    again.load_state_dict(head.state_dict())
    features_BD = torch.randn(9, 7)
    logits_BK = head(features_BD)
    assert torch.equal(again(features_BD), logits_BK)
    assert torch.equal(copy.deepcopy(head)(features_BD), logits_BK)
    np.testing.assert_allclose(torch.sigmoid(logits_BK)[:, 3:].sum(1).detach(), 1, rtol=1e-5)


@pytest.mark.parametrize("name", heads.names())
def test_a_head_starts_at_the_labels_shares_in_groups_too(name):
    head = heads.build(name, 7, 6).eval()
    set_head_groups(head, NAMES, GROUPS, ALWAYS_LAST)
    priors_K = np.array([0.3, 0.5, 0.1, 0.2, 0.3, 0.5])
    head.init_from_priors(priors_K)
    start_BK = torch.sigmoid(head.to_logits(head.output_layer().bias[None]))
    np.testing.assert_allclose(start_BK[0].detach(), priors_K, rtol=1e-4)


def test_a_merged_head_and_an_ensemble_have_the_groups_of_their_members():
    members = [heads.build("linear", 7, 6).eval() for _ in range(3)]
    for head in members:
        set_head_groups(head, NAMES, GROUPS, ALWAYS_LAST)
    features_BD = torch.randn(9, 7)
    together = HeadEnsemble(members)(features_BD)
    np.testing.assert_allclose(
        merge_linear_heads(members).eval()(features_BD).detach(), together.detach(), rtol=1e-3, atol=1e-4
    )
    mean_BK = torch.stack([head.raw_scores(features_BD) for head in members]).mean(0)
    assert torch.equal(together, members[0].to_logits(mean_BK))


def test_group_head_reaches_the_heads_of_an_ensemble():
    ensemble = HeadEnsemble([heads.build("mlp", 7, 6) for _ in range(2)])
    set_head_groups(ensemble, NAMES, GROUPS, ALWAYS_LAST)
    assert all(head.group_K.max() == 1 for head in ensemble.members)


def test_a_group_with_a_single_label_is_free():
    head = heads.build("linear", 7, 2)
    set_head_groups(head, ("a", "c"), {"letters": GROUPS["letters"]}, np.array([[1, 0]], np.int8))
    assert head.group_K.tolist() == [-1, -1]


def test_half_precision_and_compilation_change_nothing_of_note():
    head = heads.build("linear", 7, 6).eval()
    set_head_groups(head, NAMES, GROUPS, ALWAYS_LAST)
    features_BD = torch.randn(9, 7)
    expected = head(features_BD)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = head(features_BD)
    assert half.dtype == torch.float32
    assert torch.equal(half, expected)
    compiled = torch.compile(SimpleHead(head), backend="aot_eager", fullgraph=True)
    np.testing.assert_allclose(compiled(features_BD).detach(), expected.detach(), rtol=1e-4, atol=1e-5)


class SimpleHead(torch.nn.Module):
    """A head alone, as torch.compile sees it inside a model."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, features_BD):
        return self.head(features_BD)
