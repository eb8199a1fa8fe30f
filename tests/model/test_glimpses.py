"""Glimpses: where and what number by number, what they leave alone, where they start, and their life in a model."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tagger.config import Settings, check_settings
from tagger.errors import TaggerError
from tagger.model import (
    Glimpses,
    TagModel,
    example_images,
    fuse_batchnorm,
    load_model,
    new_attention,
    new_backbone,
    new_glimpses,
    new_head,
    save_model,
)
from tagger.model.feature_maps import FeatureMapInfo
from tagger.model.glimpses import EPSILON, choose_cells, cut_cells, resize_map, weigh_cells
from tagger.training.check_glimpses import check_glimpses
from tagger.training.network.weight_averaging import average_weights

LABELS = 4
OPTIONS: dict[str, dict[str, Any]] = {
    "swin_tiny_patch4_window7_224": {"embed_dim": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]}
}
NETWORKS = ("mobilenetv2_100", "test_resnet", "test_convnext", "test_vit", "swin_tiny_patch4_window7_224")
CPU = torch.device("cpu")


def settings_for(name: str = "test_resnet", *, depth: int = 0, **glimpses: Any) -> Settings:
    """Settings of a network from random weights, three of 8 x 8 cells of 16 px."""
    return check_settings(
        {
            "backbone": {"name": name, "weights": "none", **OPTIONS.get(name, {})},
            "attention": {"depth": depth},
            "image": {"size": 64},
            "glimpses": {"count": 3, "grid": 8, "size": 128, **glimpses},
        }
    )


def build(settings: Settings) -> TagModel:
    """A model in evaluation mode, all of it at its start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = new_backbone(settings)
        head = new_head(backbone.num_features, LABELS, settings)
        attention = new_attention(backbone, LABELS, settings)
    return TagModel(backbone, head, attention, glimpses=new_glimpses(backbone, LABELS, settings)).eval()


def glimpses_of(model: TagModel, *, seed: int = 5) -> Glimpses:
    """The model's glimpses, with scores that are not at their start."""
    assert model.glimpses is not None
    torch.nn.init.normal_(model.glimpses.what.weight, generator=torch.Generator().manual_seed(seed))
    return model.glimpses


def images(settings: Settings, num: int = 2) -> Tensor:
    size = settings.input_size
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(1))


def slow_cells(maps: list[Tensor], filters: list[list[float]], grid: int) -> list[float]:
    """G of one image, from its maps (C, h, w), place by place; the maps have the grid's size."""

    def standard(values: list[float]) -> list[float]:
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values) + EPSILON)
        return [(v - mean) / spread for v in values]

    logits = [0.0] * grid**2
    for map_CHW, filter_C in zip(maps, filters, strict=True):
        channels = [standard(values) for values in map_CHW.flatten(1).tolist()]
        energy = standard([sum(v**2 for v in place) / len(place) for place in zip(*channels, strict=True)])
        for cell, place in enumerate(zip(*channels, strict=True)):
            linear = sum(w * v for w, v in zip(filter_C[:-1], place, strict=True))
            logits[cell] += linear / math.sqrt(len(place)) + filter_C[-1] * energy[cell]
    powers = [math.exp(logit) for logit in logits]
    return [power / sum(powers) for power in powers]


def slow_scores(model: TagModel, image_CHW: Tensor, weights: list[float]) -> list[float]:
    """What the chosen cells of one image add to each label, cell by cell, channel by channel."""
    glimpses = model.glimpses
    assert glimpses is not None
    grid, side = glimpses.grid, image_CHW.shape[-1] // glimpses.grid
    best = sorted(sorted(range(grid**2), key=lambda cell: -weights[cell])[: glimpses.count])
    weighed: list[list[float]] = []
    for cell in best:
        top, left = cell // grid * side, cell % grid * side
        patch = image_CHW[None, :, top : top + side, left : left + side]
        maps = model.backbone.net.forward_intermediates(
            (patch - model.backbone.mean) / model.backbone.std, indices=[glimpses.stage - 1],
            stop_early=True, intermediates_only=True,
        )  # fmt: skip
        channels = maps[0][0].flatten(1).tolist()
        weighed.append([weights[cell] * sum(values) / len(values) for values in channels])
    if glimpses.mode == "sum":
        weighed = [[sum(parts) for parts in zip(*weighed, strict=True)]]
    flat = [value for part in weighed for value in part]
    norm = math.sqrt(sum(value**2 for value in flat))
    return [
        math.sqrt(len(flat)) * sum(w * v / norm for w, v in zip(row, flat, strict=True))
        for row in glimpses.what.weight.tolist()
    ]


@torch.no_grad()
def test_where_is_what_a_slow_loop_says():
    torch.manual_seed(0)
    glimpses = Glimpses([FeatureMapInfo(0, 5), FeatureMapInfo(1, 7)], 6, LABELS, count=2, grid=4, stage=1)
    maps = [torch.randn(2, 5, 4, 4), torch.randn(2, 7, 4, 4)]
    for filter_1C in glimpses.where:
        filter_1C.normal_()
    filters = [filter_1C[0].tolist() for filter_1C in glimpses.where]
    weights_BG = glimpses.cell_weights(maps)
    for b in range(2):
        expected = slow_cells([map_BCHW[b] for map_BCHW in maps], filters, 4)
        assert weights_BG[b].tolist() == pytest.approx(expected, rel=1e-4)
    assert weights_BG.sum(1).tolist() == pytest.approx([1, 1], rel=1e-5)


@pytest.mark.parametrize("mode", ["product", "sum"])
@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "swin_tiny_patch4_window7_224"])
@torch.no_grad()
def test_what_is_what_a_slow_loop_says(name: str, mode: str):
    settings = settings_for(name, mode=mode, stage=2)
    model = build(settings)
    glimpses = glimpses_of(model)
    pixels = images(settings)
    weights_BG = torch.rand(2, 64, generator=torch.Generator().manual_seed(3)).softmax(1)
    glimpses.cell_weights = lambda maps: weights_BG  # type: ignore[method-assign]
    scores_BK = glimpses(model.backbone, pixels, [])
    for b in range(2):
        expected = slow_scores(model, pixels[b], weights_BG[b].tolist())
        assert scores_BK[b].tolist() == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_coarse_maps_are_interpolated_and_fine_ones_averaged():
    """Against torch's own: align_corners off upwards; antialiased downwards, which keeps the sum of a smooth map."""
    coarse = torch.rand(2, 3, 3)
    expected = functional.interpolate(coarse[:, None], size=(8, 8), mode="bilinear", align_corners=False)[
        :, 0
    ]
    torch.testing.assert_close(resize_map(coarse, 8), expected)
    assert resize_map(torch.full((1, 24, 24), 2.0), 16).unique().tolist() == pytest.approx([2.0])


def test_cells_are_cut_where_they_are_and_keep_the_order_of_the_grid():
    image = torch.arange(2 * 3 * 12 * 12.0).view(2, 3, 12, 12)
    cells_BN = choose_cells(torch.tensor([[0.0, 9, 1, 8, 0, 0, 0, 0, 7], [5.0, 0, 0, 0, 0, 0, 4, 0, 6]]), 3)
    assert cells_BN.tolist() == [[1, 3, 8], [0, 6, 8]]
    patches = cut_cells(image, cells_BN, grid=3).unflatten(0, (2, 3))
    for b, row in enumerate(cells_BN.tolist()):
        for n, cell in enumerate(row):
            top, left = 4 * (cell // 3), 4 * (cell % 3)
            assert torch.equal(patches[b, n], image[b, :, top : top + 4, left : left + 4])


def test_all_cells_with_a_sum_are_a_dense_weighted_pool():
    pooled = torch.randn(2, 9, 5)
    weights_BG = torch.rand(2, 9).softmax(1)
    cells_BN = choose_cells(weights_BG, 9)
    seen_BD = weigh_cells(pooled, weights_BG.gather(1, cells_BN), mode="sum")
    dense_BD = torch.einsum("bg,bgd->bd", weights_BG, pooled)
    torch.testing.assert_close(seen_BD, dense_BD / dense_BD.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_it_starts_as_the_network_on_the_small_view_bit_for_bit(name: str, depth: int):
    settings = settings_for(name, depth=depth)
    model, pixels = build(settings), images(settings_for(name))
    small = functional.interpolate(
        pixels, size=(64, 64), mode="bilinear", antialias=True, align_corners=False
    )
    base = TagModel(model.backbone, model.head, model.attention).eval()
    assert torch.equal(model(pixels), base(small))
    glimpses_of(model)
    assert not torch.equal(model(pixels), base(small))


def test_off_there_is_nothing_of_it_whatever_else_is_set():
    """No parameter, no option of the network, no pixel: the model is the one without the section."""
    off = settings_for("test_vit", count=0, grid=4, size=1024, stage=2, mode="sum")
    without = check_settings({"backbone": {"name": "test_vit", "weights": "none"}, "image": {"size": 64}})
    assert off.input_size == without.input_size == 64
    one, two = build(off), build(without)
    assert one.glimpses is None
    assert one.backbone.view_size is None
    assert one.state_dict().keys() == two.state_dict().keys()
    assert all(torch.equal(tensor, two.state_dict()[key]) for key, tensor in one.state_dict().items())
    pixels = images(without)
    assert torch.equal(one(pixels), two.head(two.backbone(pixels)))


@pytest.mark.parametrize("mode", ["product", "sum"])
def test_gradient_reaches_where_and_what_and_the_first_stages_but_no_cell_that_was_not_chosen(mode: str):
    settings = settings_for("test_resnet", mode=mode)
    model = build(settings).train()
    glimpses = glimpses_of(model)
    pixels = images(settings).requires_grad_()
    features_BD = model.backbone(pixels.detach())
    features_BD.sum().backward()  # its own gradient is not that of the glimpses
    model.zero_grad()
    maps = [m.detach() for m in drawn_maps(model, pixels)]
    glimpses(model.backbone, pixels, maps).square().sum().backward()
    assert pixels.grad is not None
    cells_BN = choose_cells(glimpses.cell_weights(maps), 3)
    touched = pixels.grad.abs().sum(1).unflatten(1, (8, 16)).unflatten(3, (8, 16)).sum((2, 4)).flatten(1)
    assert [row.nonzero()[:, 0].tolist() for row in touched] == cells_BN.tolist()
    assert all(w.grad is not None and w.grad.abs().sum() > 1e-8 for w in glimpses.where)
    assert glimpses.what.weight.grad is not None
    first = dict(model.backbone.net.named_parameters())[model.backbone.stages()[0][0]]
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


def drawn_maps(model: TagModel, pixels: Tensor) -> list[Tensor]:
    """The maps that say where, of drawn numbers."""
    assert model.glimpses is not None
    torch.manual_seed(4)
    return [torch.randn(len(pixels), info.channels, 8, 8) for info in model.glimpses.map_infos]


def test_patches_leave_the_statistics_and_modes_of_a_learning_network_alone():
    settings = settings_for("test_resnet")
    model = build(settings).train()
    model.backbone.net.layer1.eval()
    modes = [module.training for module in model.modules()]
    before = {name: buffer.clone() for name, buffer in model.backbone.named_buffers()}
    model.backbone.forward_patches(torch.rand(4, 3, 16, 16), 2)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.backbone.named_buffers())


def test_all_networks_of_a_run_begin_with_the_same_glimpses_and_average():
    settings = settings_for("test_resnet")
    backbone = new_backbone(settings)
    state = torch.get_rng_state()
    first, second = (new_glimpses(backbone, LABELS, settings) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first is not None
    assert second is not None
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    models = [build(settings), build(settings)]
    parts = [glimpses_of(model, seed=seed).what.weight.clone() for seed, model in enumerate(models)]
    weights = [{name: t.clone() for name, t in model.state_dict().items()} for model in models]
    mean = average_weights(models[0], weights, [model.head for model in models])
    assert mean.glimpses is not None
    torch.testing.assert_close(mean.glimpses.what.weight.detach(), (parts[0] + parts[1]).detach() / 2)


def test_other_labels_keep_their_scores_and_new_ones_get_nothing():
    settings = settings_for("test_resnet")
    model = build(settings)
    glimpses, pixels = glimpses_of(model), images(settings)
    maps = drawn_maps(model, pixels)
    new = glimpses.remap_labels([3, None, 1])
    with torch.no_grad():
        before_BK, after_BK = (one(model.backbone, pixels, maps) for one in (glimpses, new))
    torch.testing.assert_close(after_BK[:, [0, 2]], before_BK[:, [3, 1]])
    assert not after_BK[:, 1].any()


@pytest.mark.parametrize("name", ["mobilenetv2_100", "test_vit"])
@torch.no_grad()
def test_a_saved_model_and_one_with_fused_norms_give_the_same(name: str, tmp_path: Path):
    settings = settings_for(name)
    model, pixels = build(settings), images(settings)
    glimpses_of(model)
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors", settings, LABELS)
    assert torch.equal(again(pixels), model(pixels))
    fast = fuse_batchnorm(model, example_images(settings.input_size, CPU))
    torch.testing.assert_close(fast(pixels), model(pixels), rtol=1e-3, atol=1e-3)
    if name == "mobilenetv2_100":  # the first stages too, though patches pass through them again
        assert isinstance(fast.backbone.net.bn1, torch.nn.Sequential)


def test_a_run_that_kept_the_frozen_backbone_still_shrinks_its_large_images(tmp_path: Path):
    settings = settings_for("test_resnet")
    model = build(settings)
    model.glimpses = None
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors", settings, LABELS)
    assert again.glimpses is None
    with torch.no_grad():
        assert torch.equal(again(images(settings)), model(images(settings)))


def test_it_is_finite_in_mixed_precision_and_gives_float32():
    settings = settings_for("test_resnet")
    model = build(settings).train()
    glimpses_of(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits_BK = model(images(settings))
    assert logits_BK.dtype == torch.float32
    logits_BK.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("name", "glimpses", "words"),
    [
        ("test_resnet", {"stage": 9}, "glimpses.stage = 9, and it has 5. Set it to 5 or less"),
        ("vgg11", {"stage": 9}, "Set it to"),
        ("gmixer_12_224", {}, "images of one size only"),
    ],
)
def test_a_network_that_takes_no_cells_is_refused_in_words(name: str, glimpses: dict[str, Any], words: str):
    with pytest.raises(TaggerError, match=words):
        build(settings_for(name, **glimpses))


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"glimpses": {"count": 1}}, ["one cell alone cannot learn"]),
        ({"glimpses": {"count": 5, "grid": 2}}, ["the grid has 4 cells"]),
        ({"glimpses": {"count": 5, "size": 600}}, ["16 whole cells", "592 does"]),
        ({"glimpses": {"count": 5}, "image": {"size": 576}}, ["shows no more than image.size = 576"]),
        ({"glimpses": {"count": 5}, "train": {"epochs": 0}}, ["only a head on cached features"]),
        ({"glimpses": {"count": 5}, "image": {"progressive_start": 96}}, ["progressive_start"]),
        (
            {"glimpses": {"count": 1, "size": 600}, "train": {"epochs": 3, "compile": True}},
            ["one cell alone", "592 does", "train.compile=false"],
        ),
    ],
)
def test_senseless_settings_are_refused_with_all_reasons(tree: dict[str, Any], words: list[str]):
    with pytest.raises(TaggerError) as error:
        check_glimpses(check_settings({"train": {"epochs": 3}} | tree))
    assert all(word in str(error.value) for word in words)
    off = tree | {"glimpses": tree["glimpses"] | {"count": 0}}
    check_glimpses(check_settings({"train": {"epochs": 3}} | off))
