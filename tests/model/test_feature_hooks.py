"""Taps: every map is shown as it is, put back where it was, and left alone when nothing is trained."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.errors import TaggerError
from tagger.heads import HeadEnsemble, heads
from tagger.model import Backbone, TagModel, make_backbone
from tagger.model.feature_hooks import hook_feature_maps, map_classifier_weights, redistribute_weights

SMALL_SWIN = {"window_size": 2, "depths": (1, 1, 1, 1), "embed_dim": 16, "num_heads": (1, 2, 2, 4)}
SMALL_VIT = {"depth": 3, "embed_dim": 24, "num_heads": 3, "patch_size": 16}
NETWORKS: dict[str, dict[str, Any]] = {
    "mobilenetv2_100": {},
    "test_resnet": {},
    "test_efficientnet": {},
    "test_convnext": {},
    "test_byobnet": {},
    "test_mambaout": {"drop_path_rate": 0.0},
    "test_vit": {},
    "deit_tiny_distilled_patch16_224": SMALL_VIT,
    "vit_small_patch14_reg4_dinov2": {**SMALL_VIT, "init_values": 1.0},
    "swin_tiny_patch4_window7_224": {**SMALL_SWIN, "drop_path_rate": 0.0},
}
PREFIX = {"test_vit": 1, "deit_tiny_distilled_patch16_224": 2, "vit_small_patch14_reg4_dinov2": 5}


def make(name: str, *, levels: int = 1) -> Backbone:
    """A small network of random weights, learning."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_backbone(name, "none", size=64, levels=levels, **NETWORKS[name]).train()


@pytest.fixture(params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    """The name of each kind of network."""
    return str(request.param)


@pytest.fixture(scope="module")
def images_BCHW() -> Tensor:
    """A batch of noise in 0..1."""
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def keep_in(maps: dict[int, Tensor]) -> Any:
    """A change that changes nothing and keeps what it is shown."""

    def change(map_BCHW: Tensor, depth: int) -> Tensor:
        maps[depth] = map_BCHW.detach().clone()
        return map_BCHW

    return change


@pytest.mark.parametrize("levels", [1, 3])
@torch.no_grad()
def test_a_change_that_changes_nothing_gives_the_same_bits_and_is_shown_timms_maps(
    name: str, levels: int, images_BCHW: Tensor
):
    backbone = make(name, levels=levels)
    before_BD = backbone(images_BCHW)
    seen: dict[int, Tensor] = {}
    handles = hook_feature_maps(backbone, 2, keep_in(seen))
    assert torch.equal(backbone(images_BCHW), before_BD)
    for handle in handles:
        handle.remove()
    unread = (
        name in PREFIX and levels == 1
    )  # the places of a transformer's last map, where its class token is read
    x = (images_BCHW - backbone.mean) / backbone.std
    maps = backbone.net.forward_intermediates(x, intermediates_only=True)
    assert sorted(seen) == [0, 1]
    for depth, map_BCHW in seen.items():
        torch.testing.assert_close(map_BCHW, maps[-1 - depth - unread])


@torch.no_grad()
def test_one_place_changed_is_one_number_of_the_modules_output(name: str, images_BCHW: Tensor):
    backbone = make(name, levels=2)
    outputs: list[Tensor] = []
    module = backbone.net.get_submodule(backbone.net.feature_info[-1]["module"])
    module.register_forward_hook(lambda _m, _i, output: outputs.append(output.clone()))

    def change(map_BCHW: Tensor, depth: int) -> Tensor:
        changed_BCHW = map_BCHW.clone()
        changed_BCHW[1, 3, 0, 1] = 99.0
        return changed_BCHW

    hook_feature_maps(backbone, 1, change)
    module.register_forward_hook(lambda _m, _i, output: outputs.append(output.clone()))
    outputs.clear()
    backbone(images_BCHW)
    before, after = outputs
    assert after.shape == before.shape
    places = (after != before).nonzero().tolist()
    if before.ndim == 3:  # tokens: those in front stay
        assert places == [[1, PREFIX[name] + 1, 3]]
    else:
        assert places == [[1, 0, 1, 3] if name.startswith(("swin", "test_mambaout")) else [1, 3, 0, 1]]


@torch.no_grad()
def test_the_change_reaches_the_features_until_the_handle_is_removed(name: str, images_BCHW: Tensor):
    backbone = make(name)
    before_BD = backbone(images_BCHW)
    (handle,) = hook_feature_maps(
        backbone, 1, lambda map_BCHW, depth: map_BCHW * torch.linspace(0, 2, map_BCHW.shape[-1])
    )
    assert not torch.allclose(backbone(images_BCHW), before_BD, atol=1e-5)
    handle.remove()
    assert torch.equal(backbone(images_BCHW), before_BD)


@torch.no_grad()
def test_evaluation_is_left_alone(name: str, images_BCHW: Tensor):
    backbone = make(name).eval()
    before_BD = backbone(images_BCHW)
    hook_feature_maps(backbone, 2, lambda map_BCHW, depth: map_BCHW * 0)
    assert torch.equal(backbone(images_BCHW), before_BD)


def test_looking_for_the_maps_leaves_the_network_as_it_was():
    backbone = make("test_resnet")
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    state = torch.get_rng_state()
    handles = hook_feature_maps(backbone, 2, lambda map_BCHW, depth: map_BCHW)
    assert torch.equal(torch.get_rng_state(), state)
    assert backbone.training
    assert backbone.net.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in backbone.state_dict().items())
    for handle in handles:
        handle.remove()
    assert not any(module._forward_hooks for module in backbone.modules())


def test_tokens_of_another_size_than_the_network_was_made_for_make_a_square(images_BCHW: Tensor):
    backbone = make_backbone("test_vit", "none", size=64, levels=1, dynamic_img_size=True).train()
    seen: dict[int, Tensor] = {}
    hook_feature_maps(backbone, 1, keep_in(seen))
    backbone(torch.nn.functional.interpolate(images_BCHW, 96))
    assert seen[0].shape == (2, 64, 6, 6)


def test_gradient_passes_a_change_in_bfloat16_too(name: str, images_BCHW: Tensor):
    backbone = make(name)
    hook_feature_maps(backbone, 2, lambda map_BCHW, depth: map_BCHW * 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        features_BD = backbone(images_BCHW)
    assert features_BD.isfinite().all()
    features_BD.square().sum().backward()
    first = next(backbone.net.parameters())
    assert first.grad is not None
    assert first.grad.isfinite().all()


@pytest.mark.parametrize("name", ["deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224"])
def test_a_compiled_network_is_changed_the_same_way(name: str, images_BCHW: Tensor):
    torch.compiler.reset()
    backbone = make(name)
    hook_feature_maps(backbone, 2, lambda map_BCHW, depth: map_BCHW * (0.5 + depth))
    compiled_BD = torch.compile(backbone, backend="aot_eager")(images_BCHW)
    torch.testing.assert_close(compiled_BD, backbone(images_BCHW), rtol=1e-4, atol=1e-5)


def test_a_network_without_maps_is_named():
    backbone = make("test_resnet")
    with pytest.raises(
        TaggerError, match=r"ResNet has 5 feature maps that can be changed, and 9 are wanted: .* 5 or less"
    ):
        hook_feature_maps(backbone, 9, lambda map_BCHW, depth: map_BCHW)
    for module, reason in (
        ("layer9", "it has no part 'layer9'"),
        ("layer1", "its part 'layer1' gives is not one map"),
    ):
        backbone.net.feature_info[-1] = {**backbone.net.feature_info[-1], "module": module}
        with pytest.raises(TaggerError, match=reason) as error:
            hook_feature_maps(backbone, 1, lambda map_BCHW, depth: map_BCHW)
        assert "\n" not in str(error.value)
        assert not any(module._forward_hooks for module in backbone.modules())


@pytest.mark.parametrize("head", ["linear", "ecoc"])
@torch.no_grad()
def test_class_weights_of_a_map_are_those_of_its_means_among_the_features(
    name: str, head: str, images_BCHW: Tensor
):
    backbone = make(name, levels=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        members = [heads.build(head, backbone.num_features, 4) for _ in range(2)]
        for member in members:
            member.std.uniform_(0.5, 2.0)
    model = TagModel(backbone, HeadEnsemble(members))
    seen: dict[int, Tensor] = {}
    hook_feature_maps(backbone, 3, keep_in(seen))
    features_BD = backbone(images_BCHW)
    weights_KD = torch.stack([member.classifier_weights() for member in members]).mean(0)
    found = 0
    for depth, map_BCHW in seen.items():
        means_BC = map_BCHW.mean((2, 3))
        num = means_BC.shape[1]
        starts = range(backbone.num_features - num + 1)
        at = [
            s for s in starts if torch.allclose(features_BD[:, s : s + num], means_BC, rtol=1e-4, atol=1e-7)
        ]
        if at:
            found += 1
            assert torch.equal(map_classifier_weights(model, depth, num), weights_KD[:, at[0] : at[0] + num])
        else:
            last_KC = weights_KD[:, -backbone.net.head_hidden_size :]
            np.testing.assert_allclose(
                map_classifier_weights(model, depth, num), slow_share_out(last_KC, num), atol=1e-6
            )
    assert found >= 2


def test_a_head_without_weights_by_label_is_refused():
    backbone = make("test_resnet")
    model = TagModel(backbone, heads.build("mlp", backbone.num_features, 3))
    with pytest.raises(TaggerError, match=r"head\.name=linear"):
        map_classifier_weights(model, 0, 96)


def slow_share_out(weights_KD: Tensor, channels: int) -> list[list[float]]:
    """``redistribute_weights`` in loops, as the source has it."""
    num = weights_KD.shape[1]
    shared = []
    for row in weights_KD.tolist():
        each = num // channels
        if each:
            shared.append([sum(row[c * each + j] for j in range(each)) for c in range(channels)])
        else:
            shared.append([row[int(c * num / channels)] for c in range(channels)])
    return shared


@given(st.integers(1, 12), st.integers(1, 12))
def test_weights_are_shared_out_as_loops_do_it(num: int, channels: int):
    weights_KD = torch.arange(2 * num, dtype=torch.float64).view(2, num).sin()
    np.testing.assert_allclose(
        redistribute_weights(weights_KD, channels), slow_share_out(weights_KD, channels), rtol=1e-12
    )
    if num == channels:
        assert torch.equal(redistribute_weights(weights_KD, channels), weights_KD)
