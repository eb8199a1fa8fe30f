"""Gated attention: equations 4.1 to 4.8 pair by pair, what it leaves alone, where it starts, and its life in a run."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tagger.config import Settings, check_settings
from tagger.errors import TaggerError
from tagger.heads import HeadEnsemble, LinearHead
from tagger.model import (
    GatedAttention,
    TagModel,
    load_model,
    new_attention,
    new_backbone,
    new_head,
    save_model,
)
from tagger.model.attention import (
    AttentionModule,
    attention_overlap,
    attention_scores,
    mix_scores,
    prior_log_odds,
)
from tagger.model.feature_layout import to_feature_map
from tagger.model.feature_maps import FeatureMapInfo, find_feature_maps, forward_feature_maps
from tagger.training.network.weight_averaging import average_weights

PRIORS = np.array([0.5, 0.1, 0.02, 0.3, 0.9], dtype=np.float32)
OPTIONS: dict[str, dict[str, Any]] = {
    "swin_tiny_patch4_window7_224": {"embed_dim": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]}
}
NETWORKS = ("mobilenetv2_100", "test_resnet", "test_convnext", "test_vit", "swin_tiny_patch4_window7_224")


def settings_for(name: str, *, levels: int = 3, depth: int = 3, seed: int = 0, **attention: Any) -> Settings:
    """Settings of a network from random weights."""
    return check_settings(
        {
            "seed": seed,
            "backbone": {"name": name, "levels": levels, "weights": "none", **OPTIONS.get(name, {})},
            "attention": {"depth": depth, **attention},
            "image": {"size": 64},
        }
    )


def build(settings: Settings) -> TagModel:
    """A model with a head that says something, and attention that has begun to."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = new_backbone(settings)
        head = new_head(backbone.num_features, len(PRIORS), settings)
    attention = new_attention(backbone, len(PRIORS), settings)
    if attention is not None:
        attention.init_from_priors(head, PRIORS)
    return TagModel(backbone, head, attention).eval()


def shake(attention: GatedAttention) -> GatedAttention:
    """The same with no parameter at its start."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return attention


def images(settings: Settings, num: int = 2) -> Tensor:
    size = settings.image.size
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(1))


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def slow_module(map_CHW: Tensor, read: AttentionModule) -> tuple[list[float], list[list[float]]]:
    """Equations 4.1 to 4.5 for one image, head by head and place by place."""
    channels, num_heads, num_labels = len(map_CHW), read.num_heads, read.num_labels
    places_PC = map_CHW.flatten(1).T.tolist()
    root, mean, std = math.sqrt(channels), read.mean.tolist(), read.std.tolist()
    filters = read.filters.tolist()

    def conv(row: int, place: list[float]) -> float:
        return sum(
            w * (x - m) / (s * root) for w, x, m, s in zip(filters[row], place, mean, std, strict=True)
        )

    looks, outputs, confidences = [], [], []
    for k in range(num_heads):
        look = softmax([conv(k, place) for place in places_PC])
        rows = range(num_heads + k * num_labels, num_heads + (k + 1) * num_labels)
        outputs.append(
            [sum(h * conv(row, place) for h, place in zip(look, places_PC, strict=True)) for row in rows]
        )
        gate_row = num_heads + num_heads * num_labels + k
        confidences.append(
            math.tanh(sum(h * conv(gate_row, p) for h, p in zip(look, places_PC, strict=True)))
        )
        looks.append(look)
    gates = softmax(confidences)
    scores = [
        sum(g * output[label] for g, output in zip(gates, outputs, strict=True)) + float(read.offset[label])
        for label in range(num_labels)
    ]
    return scores, looks


def drawn(num_heads: int = 3, diversity: float = 0.1) -> tuple[GatedAttention, list[Tensor], Tensor, Tensor]:
    """Attention over two drawn maps, with what it is given."""
    torch.manual_seed(0)
    attention = shake(
        GatedAttention(
            [FeatureMapInfo(0, 5), FeatureMapInfo(1, 7)], 7, 4, num_heads=num_heads, diversity=diversity
        )
    )
    for buffer in attention.buffers():
        buffer.uniform_(0.5, 1.5)
    return attention, [torch.randn(2, 5, 4, 4), torch.randn(2, 7, 2, 3)], torch.randn(2, 4), torch.randn(2, 7)


@pytest.mark.parametrize("num_heads", [1, 3])
@torch.no_grad()
def test_a_module_is_what_the_equations_say(num_heads: int):
    attention, maps, _, _ = drawn(num_heads)
    for read, map_BCHW in zip(attention.reads, maps, strict=True):
        scores_BK, looks_BJHW = read(map_BCHW)
        for b in range(2):
            scores, looks = slow_module(map_BCHW[b], read)
            assert scores_BK[b].tolist() == pytest.approx(scores, rel=1e-4, abs=1e-4)
            torch.testing.assert_close(looks_BJHW[b].flatten(1), torch.tensor(looks), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_output_gates_mix_the_base_path_and_the_modules():
    attention, maps, base_BK, last_BD = drawn()
    mixed_BK, _ = attention(base_BK, maps, last_BD)
    for b in range(2):
        scaled = (last_BD[b] - attention.mean) / attention.std / math.sqrt(7)
        gates = softmax([math.tanh(float(c)) for c in attention.gate.weight @ scaled + attention.gate.bias])
        parts = [
            base_BK[b].tolist(),
            *(slow_module(m[b], r)[0] for m, r in zip(maps, attention.reads, strict=True)),
        ]
        expected = [sum(g * part[k] for g, part in zip(gates, parts, strict=True)) for k in range(4)]
        assert mixed_BK[b].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_one_convolution_has_all_the_parameters_of_a_module():
    read = AttentionModule(96, 14, num_heads=4)
    assert read.filters.shape == (4 + 4 * 14 + 4, 96)
    assert sum(p.numel() for p in read.parameters()) == 4 * 16 * 96 + 14


def test_gates_on_the_base_path_alone_give_the_base_model_bit_for_bit():
    base_BK, other_BK = torch.randn(3, 5), torch.randn(3, 5)
    gates_BG = torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3)
    assert torch.equal(mix_scores([base_BK, other_BK, 3 * other_BK], gates_BG), base_BK)


def test_equal_gates_are_the_mean_of_all_outputs():
    parts = [torch.randn(3, 5) for _ in range(4)]
    torch.testing.assert_close(mix_scores(parts, torch.full((3, 4), 0.25)), torch.stack(parts).mean(0))


@torch.no_grad()
def test_every_heads_map_and_every_row_of_gates_sums_to_1():
    attention, maps, _, last_BD = drawn()
    for read, map_BCHW in zip(attention.reads, maps, strict=True):
        torch.testing.assert_close(read(map_BCHW)[1].sum((2, 3)), torch.ones(2, 3))
    torch.testing.assert_close(attention.gates(last_BD).sum(1), torch.ones(2))


def test_overlap_is_the_mean_squared_inner_product_of_different_heads():
    looks = torch.randn(2, 3, 4, 5).flatten(2).softmax(2).view(2, 3, 4, 5)
    values = [
        float((looks[b, i] * looks[b, j]).sum()) ** 2
        for b in range(2)
        for i in range(3)
        for j in range(3)
        if i != j
    ]
    assert attention_overlap(looks).item() == pytest.approx(sum(values) / len(values))
    one_place = torch.zeros(1, 2, 3, 3)
    one_place[:, :, 1, 1] = 1
    assert attention_overlap(one_place).item() == 1.0
    one_place[:, 0], one_place[:, 0, 0, 0] = 0, 1
    assert attention_overlap(one_place).item() == 0.0


def test_the_penalty_comes_in_training_only_and_carries_its_weight():
    attention, maps, base_BK, last_BD = drawn(diversity=0.1)
    penalty = attention(base_BK, maps, last_BD)[1]
    assert penalty is not None
    expected = 0.1 * sum(attention_overlap(r(m)[1]) for r, m in zip(attention.reads, maps, strict=True)) / 2
    torch.testing.assert_close(penalty, expected)
    assert attention.eval()(base_BK, maps, last_BD)[1] is None
    for without in (drawn(diversity=0.0), drawn(num_heads=1)):
        assert without[0](without[2], without[1], without[3])[1] is None


def test_the_penalty_parts_heads_that_look_at_one_place():
    read_BFHW = torch.zeros(1, 2 * (1 + 2), 4, 4)
    read_BFHW[0, :2, 1, 1] = torch.tensor([1.0, 1.1])
    read_BFHW.requires_grad_()
    optimiser = torch.optim.Adam([read_BFHW], lr=0.1)
    before = attention_overlap(attention_scores(read_BFHW, torch.zeros(1), num_heads=2)[1]).item()
    for _ in range(200):
        optimiser.zero_grad()
        loss = attention_overlap(attention_scores(read_BFHW, torch.zeros(1), num_heads=2)[1])
        loss.backward()
        optimiser.step()
    assert loss.item() < before / 100


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_maps_are_read_in_the_same_pass_and_the_features_stay_bit_for_bit(name: str):
    settings = settings_for(name)
    model = build(settings)
    map_infos = find_feature_maps(model.backbone, 3)
    features_BD, maps, last_BD = forward_feature_maps(model.backbone, images(settings), map_infos)
    assert torch.equal(features_BD, model.features(images(settings)))
    assert [m.shape[1] for m in maps] == [place.channels for place in map_infos]
    assert last_BD.shape[1] == model.backbone.net.head_hidden_size
    for place, map_BCHW in zip(map_infos, maps, strict=True):
        if place.columns is not None:
            mean_BC = map_BCHW.mean((2, 3))
            torch.testing.assert_close(mean_BC, features_BD[:, place.columns], rtol=1e-3, atol=1e-4)


def test_depth_counts_from_the_last_map_backwards():
    assert [
        (p.index, p.channels) for p in find_feature_maps(build(settings_for("mobilenetv2_100")).backbone, 3)
    ] == [
        (3, 96),
        (4, 320),
        (None, 1280),
    ]
    assert [
        (p.index, p.channels)
        for p in find_feature_maps(build(settings_for("test_resnet", levels=1)).backbone, 2)
    ] == [
        (3, 192),
        (None, 96),
    ]


def test_more_modules_than_maps_are_refused_with_the_number_there_is():
    with pytest.raises(TaggerError, match=r"attention.depth = 8: EfficientNet gives 6 feature maps.*depth=6"):
        build(settings_for("mobilenetv2_100", depth=8))


def test_tokens_become_a_map_without_their_class_token():
    net = nn.Module()
    net.num_prefix_tokens = 1  # type: ignore[assignment]
    tokens_BTC = torch.arange(2 * 10 * 3.0).view(2, 10, 3)
    map_BCHW = to_feature_map(net, tokens_BTC)
    assert map_BCHW is not None
    for b in range(2):
        for row in range(3):
            for column in range(3):
                assert torch.equal(map_BCHW[b, :, row, column], tokens_BTC[b, 1 + 3 * row + column])
    assert to_feature_map(net, tokens_BTC[:, :8]) is None


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_it_starts_ranking_images_as_the_base_model_does(name: str):
    settings = settings_for(name)
    model = build(settings)
    base_BK = TagModel(model.backbone, model.head).eval()(images(settings))
    gates = softmax([math.tanh(1.0), *[math.tanh(-1.0)] * 3])
    expected_BK = gates[0] * base_BK + (1 - gates[0]) * prior_log_odds(PRIORS)
    torch.testing.assert_close(model(images(settings)), expected_BK, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_all_networks_of_a_run_begin_with_the_same_attention(seed: int):
    settings = settings_for("test_resnet", seed=seed)
    backbone = new_backbone(settings)
    torch.manual_seed(123)
    first = new_attention(backbone, 5, settings)
    torch.manual_seed(321)
    state = torch.get_rng_state()
    second = new_attention(backbone, 5, settings)
    assert torch.equal(torch.get_rng_state(), state)
    assert first is not None
    assert second is not None
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_depth_0_is_the_model_without_it_bit_for_bit():
    settings = settings_for("test_resnet", depth=0)
    model = build(settings)
    assert model.attention is None
    assert not any(name.startswith("attention") for name in model.state_dict())
    assert torch.equal(model(images(settings)), model.head(model.features(images(settings))))
    assert model.forward_outputs(images(settings)).penalty is None


def test_gradient_reaches_every_parameter_and_the_backbone():
    settings = settings_for("test_resnet")
    model = build(settings).train()
    assert model.attention is not None
    shake(model.attention)
    outputs = model.forward_outputs(images(settings))
    assert outputs.penalty is not None
    (outputs.logits_BK.sigmoid().sum() + outputs.penalty).backward()
    for name, parameter in model.attention.named_parameters():
        assert parameter.grad is not None, name
        assert (
            (parameter.grad.flatten(1) if parameter.ndim > 1 else parameter.grad[:, None])
            .abs()
            .sum(1)
            .gt(0)
            .all()
        ), name
    assert all(p.grad is not None for p in model.backbone.parameters())


def test_from_its_blind_start_two_steps_move_every_filter():
    settings = settings_for("test_resnet")
    model = build(settings)
    assert model.attention is not None
    before = copy.deepcopy(model.attention)
    optimiser = torch.optim.SGD(model.attention.parameters(), lr=1.0)
    for _ in range(2):
        optimiser.zero_grad()
        model(images(settings)).square().sum().backward()
        optimiser.step()
    for old, new in zip(before.parameters(), model.attention.parameters(), strict=True):
        rows = (old - new).detach().flatten(1) if old.ndim > 1 else (old - new).detach()[:, None]
        assert rows.abs().sum(1).gt(0).all()


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_it_is_finite_in_mixed_precision_and_gives_float32(name: str):
    settings = settings_for(name)
    model = build(settings).train()
    assert model.attention is not None
    shake(model.attention)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model.forward_outputs(images(settings))
    assert outputs.logits_BK.dtype == torch.float32
    assert torch.isfinite(outputs.logits_BK).all()
    outputs.logits_BK.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_compiled_it_gives_the_same():
    attention, maps, base_BK, last_BD = drawn()
    compiled = torch.compile(attention, backend="aot_eager")
    for mine, theirs in zip(compiled(base_BK, maps, last_BD), attention(base_BK, maps, last_BD), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("members", [0, 2])
def test_a_saved_model_comes_back_with_its_attention(tmp_path: Path, members: int):
    settings = settings_for("test_resnet")
    model = build(settings)
    assert model.attention is not None
    shake(model.attention)
    if members:
        model.head = HeadEnsemble([copy.deepcopy(model.head) for _ in range(members)])  # type: ignore[misc]
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors", settings, 5)
    with torch.no_grad():
        assert torch.equal(again(images(settings)), model(images(settings)))


def test_a_run_that_kept_the_frozen_backbone_loads_without_attention(tmp_path: Path):
    asked = settings_for("test_resnet")
    model = build(asked)
    model.attention = None
    save_model(model, tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors", asked, 5).attention is None


def test_networks_average_with_their_attention():
    settings = settings_for("test_resnet")
    models = [build(settings), build(settings)]
    assert models[1].attention is not None
    shake(models[1].attention)
    weights = [{name: t.clone() for name, t in model.state_dict().items()} for model in models]
    assert isinstance(models[0].head, LinearHead)
    mean = average_weights(models[0], weights, [model.head for model in models])
    assert mean.attention is not None
    for name, tensor in mean.attention.state_dict().items():
        torch.testing.assert_close(
            tensor, (weights[0][f"attention.{name}"] + weights[1][f"attention.{name}"]) / 2
        )


def test_a_retraining_keeps_the_scores_of_old_labels_and_starts_new_labels_at_their_share():
    attention, maps, base_BK, last_BD = drawn()
    priors = np.array([0.2, 0.4, 0.6], dtype=np.float32)
    new = attention.eval().remap_labels([3, None, 1], priors)
    with torch.no_grad():
        before_BK, _ = attention(base_BK, maps, last_BD)
        after_BK, _ = new(base_BK[:, [3, 0, 1]], maps, last_BD)
        gates_BG = attention.gates(last_BD)
    torch.testing.assert_close(after_BK[:, [0, 2]], before_BK[:, [3, 1]])
    expected_B = gates_BG[:, 0] * base_BK[:, 0] + (1 - gates_BG[:, 0]) * prior_log_odds(priors)[1]
    torch.testing.assert_close(after_BK[:, 1], expected_B)
