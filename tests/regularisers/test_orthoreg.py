"""OrthoReg: the closed forms against loops and autograd, which layers are touched, and that filters do move apart."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tagger.errors import TaggerError
from tagger.heads import LinearHead
from tagger.model import TagModel, make_backbone
from tagger.regularisers import ModelOutputs, RegulariserContext, orthoreg, regularisers
from tagger.regularisers.orthoreg import OrthoReg, filter_angles, filter_weights, similarity_gradient

FACTS = RegulariserContext(num_features=8, names=("a", "b"))
MODES = ("local", "global")


def rows(num: int, size: int, *, groups: int = 1, seed: int = 0) -> Tensor:
    """Random filters (groups, num, size), float64, of different lengths and rather alike."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(groups, num, size, generator=generator, dtype=torch.float64)
    return (noise + 0.7) * (1 + torch.rand(groups, num, 1, generator=generator, dtype=torch.float64))


def slow_gradient(rows_ND: Tensor, mode: str, lamda: float) -> Tensor:
    """Eq. 5.4 and 5.8, pair by pair."""
    unit = [[float(x) / math.sqrt(sum(float(y) ** 2 for y in row)) for x in row] for row in rows_ND]
    result = torch.zeros_like(rows_ND)
    for i, theta_i in enumerate(unit):
        for k, theta_k in enumerate(unit):
            if k == i:
                continue
            inner = sum(a * b for a, b in zip(theta_i, theta_k, strict=True))
            factor = inner
            if mode == "local":
                factor = lamda * math.exp(lamda * inner) / (math.exp(lamda * inner) + math.exp(lamda))
            for j, value in enumerate(theta_k):
                result[i, j] += factor * value
    return result


def unordered_loss(products_NN: Tensor, mode: str, lamda: float) -> Tensor:
    """What the closed forms are the gradient of: eq. 5.2 and 5.7 with each pair once (and half of 5.2's squares)."""
    i, k = torch.triu_indices(len(products_NN), len(products_NN), offset=1)
    products_P = products_NN[i, k]
    if mode == "global":
        return 0.5 * products_P.square().sum()
    return torch.log1p(torch.exp(lamda * (products_P - 1))).sum()


@pytest.mark.parametrize("mode", MODES)
@given(num=st.integers(2, 6), size=st.integers(1, 5), lamda=st.floats(1.0, 15.0), seed=st.integers(0, 99))
def test_the_vectorised_gradient_is_the_sum_over_pairs(
    mode: str, num: int, size: int, lamda: float, seed: int
):
    rows_GND = rows(num, size, groups=2, seed=seed)
    expected = torch.stack([slow_gradient(rows_ND, mode, lamda) for rows_ND in rows_GND])
    torch.testing.assert_close(
        similarity_gradient(rows_GND, mode=mode, lamda=lamda), expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("mode", MODES)
def test_it_is_autograds_gradient_of_the_loss_over_unordered_pairs(mode: str):
    rows_GND = rows(7, 5)
    unit_ND = (rows_GND[0] / rows_GND[0].norm(dim=1, keepdim=True)).requires_grad_()
    unordered_loss(unit_ND @ unit_ND.T, mode, 10.0).backward()
    assert unit_ND.grad is not None
    torch.testing.assert_close(
        similarity_gradient(rows_GND, mode=mode)[0], unit_ND.grad, rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("mode", MODES)
def test_with_the_lengths_in_the_loss_only_the_part_along_each_row_differs(mode: str):
    rows_GND = rows(7, 5)
    rows_ND = rows_GND[0].clone().requires_grad_()
    unit_ND = rows_ND / rows_ND.norm(dim=1, keepdim=True)
    unordered_loss(unit_ND @ unit_ND.T, mode, 10.0).backward()
    assert rows_ND.grad is not None
    closed_ND, unit_ND = similarity_gradient(rows_GND, mode=mode)[0], unit_ND.detach()
    across_ND = closed_ND - (closed_ND * unit_ND).sum(1, keepdim=True) * unit_ND
    expected_ND = across_ND / rows_GND[0].norm(dim=1, keepdim=True)
    torch.testing.assert_close(rows_ND.grad, expected_ND, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("MAX_COSINES", 1),
        ("MAX_COSINES", 64),
        ("CPU_BLOCK_ROWS", 1),
        ("CPU_BLOCK_ROWS", 2),
        ("CPU_BLOCK_ROWS", 8),
    ],
)
def test_a_layer_done_in_blocks_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, mode: str, name: str, limit: int
):
    rows_GND = rows(9, 4, groups=2)
    whole = similarity_gradient(rows_GND, mode=mode)
    monkeypatch.setattr(orthoreg, name, limit)
    torch.testing.assert_close(similarity_gradient(rows_GND, mode=mode), whole)


def test_local_leaves_opposite_filters_alone_and_global_does_not():
    opposite = torch.tensor([[[1.0, 0.0], [-1.0, 0.1]]], dtype=torch.float64)
    assert similarity_gradient(opposite, mode="local").abs().max() < 1e-6
    assert similarity_gradient(opposite, mode="global").abs().max() > 0.9


@pytest.mark.parametrize(
    ("mode", "rate"), [("global", 0.01), ("local", 1.0)]
)  # local pushes hard near 0 degrees only
def test_small_steps_turn_filters_apart_and_keep_their_lengths(mode: str, rate: float):
    rows_GND = rows(12, 20)
    before = rows_GND.clone()
    for _ in range(50):
        rows_GND = rows_GND - rate * similarity_gradient(rows_GND, mode=mode)

    def positive_cosine(x: Tensor) -> float:
        unit = x[0] / x[0].norm(dim=1, keepdim=True)
        return float((unit @ unit.T).fill_diagonal_(0).clamp(min=0).mean())

    assert positive_cosine(rows_GND) < 0.8 * positive_cosine(before)
    one_step = before - 0.01 * rate * similarity_gradient(before, mode=mode)
    torch.testing.assert_close(one_step.norm(dim=2), before.norm(dim=2), rtol=5e-3, atol=0)


class Layers(nn.Module):
    """A backbone and a head with every kind of layer."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone: Any = nn.ModuleDict(
            {
                "plain": nn.Conv2d(3, 6, 3),
                "grouped": nn.Conv2d(6, 8, 1, groups=2),
                "depthwise": nn.Conv2d(6, 12, 3, groups=6),
                "one": nn.Conv2d(6, 1, 1),
                "norm": nn.BatchNorm2d(6),
            }
        )
        self.head = nn.Linear(6, 4)
        self.attention = nn.Linear(6, 4)
        for parameter in self.parameters():
            parameter.grad = torch.zeros_like(parameter)


def touched(model: nn.Module, part: OrthoReg) -> set[str]:
    part.on_gradients(model)
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}


def test_convolutions_and_linear_layers_of_backbone_and_head_are_touched_and_nothing_else():
    expected = {"backbone.plain.weight", "backbone.grouped.weight", "head.weight"}
    assert touched(Layers(), OrthoReg(FACTS)) == expected


def test_a_grouped_convolution_is_compared_within_each_group():
    model = Layers()
    OrthoReg(FACTS, mode="global", gamma=1.0).on_gradients(model)
    weight: nn.Parameter = model.backbone["grouped"].weight
    assert weight.grad is not None
    for group in (slice(0, 4), slice(4, 8)):
        expected = slow_gradient(weight[group].detach().flatten(1), "global", 10.0)
        torch.testing.assert_close(weight.grad[group].flatten(1), expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_is_added_gamma_times_and_once():
    model = Layers()
    model.head.weight.grad = torch.ones_like(model.head.weight)
    OrthoReg(FACTS, gamma=0.5).on_gradients(model)
    expected = 1 + 0.5 * similarity_gradient(model.head.weight.detach()[None])[0]
    torch.testing.assert_close(model.head.weight.grad, expected)


def test_a_weight_used_twice_is_counted_once():
    model = Layers()
    model.backbone["again"] = model.backbone["plain"]
    model.backbone["tied"] = nn.Conv2d(3, 6, 3)
    model.backbone["tied"].weight = model.backbone["plain"].weight
    assert sum(weight is model.backbone["plain"].weight for weight, _ in filter_weights(model)) == 1


def test_frozen_layers_stay_frozen():
    model = Layers()
    model.backbone["plain"].weight.grad = None
    OrthoReg(FACTS).on_gradients(model)
    assert model.backbone["plain"].weight.grad is None


def test_gamma_0_leaves_every_gradient_as_it_was():
    assert touched(Layers(), OrthoReg(FACTS, gamma=0.0)) == set()


def test_zero_filters_and_half_precision_stay_finite():
    model = Layers().to(torch.bfloat16)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with torch.no_grad():
        model.backbone["plain"].weight[2:4].zero_()
    OrthoReg(FACTS, gamma=1.0).on_gradients(model)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["mobilenetv2_100", "test_resnet", "test_vit"])
def test_a_real_network_takes_it(name: str):
    backbone = make_backbone(name, "none", size=64, levels=1)
    model = TagModel(backbone, LinearHead(backbone.num_features, 3))
    model(torch.rand(2, 3, 64, 64)).sum().backward()
    before = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    OrthoReg(FACTS, gamma=1.0).on_gradients(model)
    changed = [
        name
        for name, p in model.named_parameters()
        if p.grad is not None and not torch.equal(p.grad, before[name])
    ]
    assert len(changed) >= 5
    assert all(dict(model.named_parameters())[name].ndim > 1 for name in changed)


@pytest.mark.parametrize(
    "chosen", [{"mode": "nearby"}, {"layers": "linear"}, {"gamma": -1.0}, {"lamda": 0.0}]
)
def test_options_that_make_no_sense_are_refused(chosen: dict[str, object]):
    with pytest.raises(TaggerError, match="orthoreg"):
        regularisers.build("orthoreg", FACTS, **chosen)


@pytest.mark.parametrize("mode", MODES)
def test_a_training_in_bf16_gets_the_same_gradient_to_the_precision_of_bf16(mode: str):
    exact, fast = Layers(), Layers()
    fast.load_state_dict(exact.state_dict())
    OrthoReg(FACTS, mode=mode, gamma=1.0).on_gradients(exact)
    part = OrthoReg(FACTS, mode=mode, gamma=1.0)
    outputs = ModelOutputs(torch.zeros(1, 2), torch.zeros(1, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert part.loss(outputs, None) is None  # type: ignore[arg-type, func-returns-value]
    part.on_gradients(fast)
    mine, theirs = (model.backbone["plain"].weight.grad for model in (exact, fast))
    assert not torch.equal(mine, theirs)
    assert (
        mine - theirs
    ).norm() < 0.02 * mine.norm()  # a cosine near 1 is off by 2**-9, the exponent by 10 of that
    part.loss(outputs, None)  # type: ignore[arg-type]
    assert not part.in_bf16


def test_the_other_hooks_do_nothing():
    part = OrthoReg(FACTS)
    images = torch.rand(1, 3, 4, 4)
    assert part.on_images(images, None) is images  # type: ignore[arg-type]
    assert part.loss(ModelOutputs(torch.zeros(1, 2), torch.zeros(1, 8)), None) is None  # type: ignore
    assert part.num_maps == 0
    assert not list(part.parameters())


def test_convolutions_alone_leave_linear_layers_be():
    assert touched(Layers(), OrthoReg(FACTS, layers="conv")) == {
        "backbone.plain.weight",
        "backbone.grouped.weight",
    }


def test_a_normalised_gradient_has_length_gamma_in_each_layer_and_its_direction():
    model, plain = Layers(), Layers()
    plain.load_state_dict(model.state_dict())
    OrthoReg(FACTS, gamma=0.3, normalise=True).on_gradients(model)
    OrthoReg(FACTS, gamma=1.0).on_gradients(plain)
    for mine, other in ((model.head, plain.head), (model.backbone["grouped"], plain.backbone["grouped"])):
        grad, theirs = mine.weight.grad, other.weight.grad
        assert float(grad.norm()) == pytest.approx(0.3, rel=1e-5)
        torch.testing.assert_close(grad, 0.3 * theirs / theirs.norm())


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.AdamW])
def test_restored_norms_are_those_of_before_the_step_and_angles_still_change(optimiser: Any):
    model = Layers()
    with torch.no_grad():
        model.backbone["plain"].weight[1] = 0.0
    part, step = (
        OrthoReg(FACTS, gamma=1.0, restore_norms=True, layers="conv"),
        optimiser(model.parameters(), lr=0.1),
    )
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    part.on_gradients(model)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    with part.around_update(model):
        step.step()
    for layer in ("plain", "grouped"):
        old, new = before[f"backbone.{layer}.weight"], model.backbone[layer].weight.detach()
        for n, (one, other) in enumerate(zip(old, new, strict=True)):
            if layer != "plain" or n != 1:
                assert float(other.norm()) == pytest.approx(float(one.norm()), rel=1e-5)
        assert not torch.allclose(old, new)
    assert float(model.head.weight.detach().norm()) != pytest.approx(
        float(before["head.weight"].norm()), rel=1e-3
    )


def test_without_restored_norms_nothing_is_done_round_the_update():
    model = Layers()
    with OrthoReg(FACTS).around_update(model):
        model.head.weight.data.mul_(2)
        doubled = model.head.weight.detach().clone()
    assert torch.equal(model.head.weight, doubled)


def test_angles_are_those_of_the_nearest_pair_by_loops():
    model = Layers()
    found = {row["layer"]: row for row in filter_angles(model)}
    assert list(found) == ["backbone.plain", "backbone.grouped", "head"]
    for name, groups in (
        ("backbone.plain", [range(6)]),
        ("backbone.grouped", [range(4), range(4, 8)]),
        ("head", [range(4)]),
    ):
        weight = model.get_submodule(name).weight.detach().flatten(1).double()  # type: ignore[operator, union-attr]
        nearest = []
        for group in groups:
            for i in group:
                angles = [
                    math.degrees(
                        math.acos(float(weight[i] @ weight[k] / (weight[i].norm() * weight[k].norm())))
                    )
                    for k in group
                    if k != i
                ]
                nearest.append(min(angles))
        assert found[name]["filters"] == len(nearest)
        assert found[name]["smallest"] == pytest.approx(min(nearest), abs=0.006)
        assert found[name]["mean_nearest"] == pytest.approx(sum(nearest) / len(nearest), abs=0.006)
    assert [row["layer"] for row in filter_angles(model, "conv")] == ["backbone.plain", "backbone.grouped"]


def test_steps_of_the_regulariser_widen_the_smallest_angle():
    model = Layers()
    with torch.no_grad():
        model.backbone["plain"].weight.add_(0.3)
    before = filter_angles(model)[0]["smallest"]
    part, step = OrthoReg(FACTS, gamma=1.0, restore_norms=True), torch.optim.SGD(model.parameters(), lr=0.02)
    for _ in range(100):
        step.zero_grad(set_to_none=False)
        part.on_gradients(model)
        with part.around_update(model):
            step.step()
    assert filter_angles(model)[0]["smallest"] > before + 10
