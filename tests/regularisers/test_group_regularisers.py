"""What groups and rules add to a loss: ordinal regression and rule consistency, against loops and autograd."""

import pytest
import torch
from torch import nn

from tagger.data import LabelGroup, Rule
from tagger.errors import TaggerError
from tagger.regularisers import ModelOutputs, RegulariserContext, StepContext, regularisers
from tagger.regularisers.ordinal_regression import target_class_index

FACTS = RegulariserContext(
    8,
    ("old", "cat", "young", "middle", "animal"),
    {
        "age": LabelGroup(kind="ordinal", labels=["young", "middle", "old"]),
        "x": LabelGroup(kind="multi", labels=["cat"]),
    },
    (Rule("cat", "animal"), Rule("old", "animal")),
)
UNKNOWN = -1.0


def a_step(targets) -> StepContext:
    return StepContext(torch.tensor(targets), torch.tensor(0.5), torch.Generator())


def some_outputs(num=4):
    generator = torch.Generator().manual_seed(0)
    logits_BK = torch.randn(num, 5, generator=generator).requires_grad_()
    return ModelOutputs(logits_BK, torch.randn(num, 8, generator=generator).requires_grad_())


KNOWN = [  # old, cat, young, middle, animal
    [1.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 1.0, UNKNOWN, 0.0],
    [UNKNOWN, 0.0, 0.0, 0.0, 0.0],
    [0.3, 0.0, 0.7, 0.0, 1.0],
]


def test_the_regression_error_is_that_of_a_loop_over_known_images():
    part, outputs = regularisers.build("ordinal-regression", FACTS, alpha=0.5), some_outputs()
    guesses = [sum(w * x for w, x in zip(part.head.weight[0], row, strict=True)) + part.head.bias[0]
               for row in outputs.features_BD]  # fmt: skip
    expected = 0.5 * ((guesses[0] - 2) ** 2 + (guesses[1] - 0) ** 2 + (guesses[3] - 0.6) ** 2) / 3
    assert part.loss(outputs, a_step(KNOWN)).item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_reaches_the_features_of_known_images_and_every_parameter():
    part, outputs = regularisers.build("ordinal-regression", FACTS), some_outputs()
    part.loss(outputs, a_step(KNOWN)).backward()
    assert [bool(row.any()) for row in outputs.features_BD.grad] == [True, True, False, True]
    assert all(parameter.grad.abs().sum() > 0 for parameter in part.parameters())
    assert outputs.logits_BK.grad is None


def test_an_image_without_a_known_class_gives_nothing():
    part = regularisers.build("ordinal-regression", FACTS)
    nothing = [[0.0, 1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0, 0.0], [UNKNOWN] * 5]
    loss = part.loss(some_outputs(3), a_step(nothing))
    assert loss.item() == 0
    assert not target_class_index(torch.tensor(nothing)[:, [2, 3, 0]])[1].any()


def test_a_network_can_learn_the_order_through_it():
    torch.manual_seed(0)
    part, trunk = regularisers.build("ordinal-regression", FACTS), nn.Linear(3, 8)
    images_B3 = torch.rand(64, 3)
    place_B = (3 * images_B3[:, 0]).long().clamp(max=2)
    targets_BK = torch.zeros(64, 5)
    targets_BK[torch.arange(64), torch.tensor([2, 3, 0])[place_B]] = 1.0
    optimiser = torch.optim.Adam([*part.parameters(), *trunk.parameters()], lr=0.05)
    step = StepContext(targets_BK, torch.tensor(0.0), torch.Generator())
    losses = []
    for _ in range(150):
        loss = part.loss(ModelOutputs(torch.zeros(64, 5), trunk(images_B3)), step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_rule_consistency_is_the_mean_of_a_double_loop():
    part, outputs = regularisers.build("rule-consistency", FACTS, weight=0.5), some_outputs()
    probs_BK = torch.sigmoid(outputs.logits_BK.double())
    pairs = [(1, 4), (0, 4)]
    expected = sum(p[a] * (1 - p[b]) for p in probs_BK for a, b in pairs) / (4 * 2)
    loss = part.loss(outputs, a_step(KNOWN))
    assert loss.item() == pytest.approx(0.5 * expected.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, outputs.logits_BK)
    (slow,) = torch.autograd.grad(0.5 * expected, outputs.logits_BK)
    torch.testing.assert_close(gradient, slow, rtol=1e-4, atol=1e-7)
    assert (gradient[:, [0, 1]] > 0).all()
    assert (gradient[:, 4] < 0).all()


@pytest.mark.parametrize(
    ("name", "off"), [("ordinal-regression", {"alpha": 0}), ("rule-consistency", {"weight": 0})]
)
def test_nought_is_off(name, off):
    part = regularisers.build(name, FACTS, **off)
    assert part.loss(some_outputs(), a_step(KNOWN)) is None
    assert not list(part.parameters())


@pytest.mark.parametrize("name", ["ordinal-regression", "rule-consistency"])
def test_without_something_to_act_on_it_says_what_to_declare(name):
    with pytest.raises(TaggerError, match=r"labels\.toml"):
        regularisers.build(name, RegulariserContext(8, ("a", "b")))


@pytest.mark.parametrize(
    ("name", "bad"), [("ordinal-regression", {"alpha": -1}), ("rule-consistency", {"weight": -1})]
)
def test_a_negative_weight_is_refused(name, bad):
    with pytest.raises(TaggerError, match="negative"):
        regularisers.build(name, FACTS, **bad)


@pytest.mark.parametrize("name", ["ordinal-regression", "rule-consistency"])
def test_half_precision_and_compilation_stay_finite(name):
    part = regularisers.build(name, FACTS)
    outputs = some_outputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = part.loss(
            ModelOutputs(outputs.logits_BK.bfloat16(), outputs.features_BD.bfloat16()), a_step(KNOWN)
        )
    assert half.dtype == torch.float32
    assert torch.isfinite(half)
    compiled = torch.compile(lambda logits, features: part.loss(ModelOutputs(logits, features), a_step(KNOWN)),
                             backend="aot_eager")  # fmt: skip
    torch.testing.assert_close(compiled(*outputs[:2]), part.loss(outputs, a_step(KNOWN)))
