"""Grad-CAM: against a slow loop, the package grad-cam and finite differences; adds up to the score; many networks."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from networks import LABELS, make, noise
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from tagger.errors import TaggerError
from tagger.explain import explain, explanations, grad_cam, normalise
from tagger.explain.split_forward import forward_from_maps, forward_to_maps
from tagger.heads.grouping import set_head_groups
from tagger.model import TagModel


def slow_grad_cam(model: TagModel, image_BCHW: torch.Tensor, label: int) -> np.ndarray:
    """Equations 1 and 2 without ReLU for a network of one level, written as they stand: a loop over channels."""
    with torch.no_grad():
        _, last = model.backbone.forward_maps(image_BCHW)
    last = last.clone().requires_grad_()
    model.head(model.backbone.pool([], last))[0, label].backward()
    assert last.grad is not None
    total = np.zeros(tuple(last.shape[2:]))
    for c in range(last.shape[1]):
        alpha = float(last.grad[0, c].mean())
        total += alpha * last[0, c].detach().numpy()
    return total


@pytest.mark.parametrize("head", ["linear", "mlp"])
@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "mobilenetv3_small_050"])
def test_one_level_is_the_paper_up_to_its_unit(name: str, head: str):
    model = make(name, head=head)
    ours = grad_cam(model, noise(), 1)[0].numpy()
    slow = slow_grad_cam(model, noise(), 1)
    np.testing.assert_allclose(ours, slow * slow.size, rtol=1e-3, atol=1e-5)


def tokens_to_map(tokens_BTC: torch.Tensor, prefix: int = 1) -> torch.Tensor:
    """What the package asks for: (B, C, h, w) of a transformer's tokens."""
    side = round((tokens_BTC.shape[1] - prefix) ** 0.5)
    return tokens_BTC[:, prefix:].transpose(1, 2).unflatten(2, (side, side))


@pytest.mark.parametrize(
    ("name", "size", "layer", "reshape"),
    [
        ("test_resnet", 64, "layer4", None),
        ("test_convnext", 64, "stages", None),
        ("mobilenetv2_100", 96, "bn2", None),
        ("mobilenetv3_small_050", 96, "blocks", None),
        ("test_vit", 160, "blocks.5.norm1", tokens_to_map),
        ("deit_tiny_distilled_patch16_224", 224, "blocks.11.norm1", partial(tokens_to_map, prefix=2)),
        ("test_vit_relpos", 160, "norm", partial(tokens_to_map, prefix=0)),
        ("swin_s3_tiny_224", 224, "norm", lambda last_BHWC: last_BHWC.movedim(-1, 1)),
    ],
)
def test_of_one_level_it_is_what_the_package_grad_cam_draws(name: str, size: int, layer: str, reshape: Any):
    model, image = make(name, size=size), noise(size=size)
    with torch.no_grad():
        model.get_parameter("head.fc.weight").mul_(1e4)  # the package adds 1e-7 to the largest value
    layers = [model.backbone.net.get_submodule(layer)]
    with GradCAM(model=model, target_layers=layers, reshape_transform=reshape) as theirs:
        for label in range(LABELS):
            picture_HW = theirs(input_tensor=image, targets=[ClassifierOutputTarget(label)])[0]
            ours_1hw = grad_cam(model, image, label).clamp(min=0).numpy()
            scaled_HW = scale_cam_image(scale_cam_image(ours_1hw, (size, size)))[
                0
            ]  # each layer, then their mean
            np.testing.assert_allclose(scaled_HW, picture_HW, atol=1e-4)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_vit", "test_vit2"])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_pieces_are_the_model(name: str, depth: int):
    """What Grad-CAM takes the slope of is the score that the model gives, also with attention beside the head."""
    model, image = make(name, levels=2, size=160, depth=depth), noise(size=160)
    with torch.no_grad():
        torch.testing.assert_close(
            forward_from_maps(model, *forward_to_maps(model, image)), model.raw_scores(image)
        )


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_attention_adds_its_own_places(name: str):
    model, image = make(name, size=160, depth=1), noise(size=160)
    plain = TagModel(model.backbone, model.head).eval()
    assert not torch.allclose(grad_cam(model, image, 0), grad_cam(plain, image, 0))
    assert explain(model, image, 0).max() == 1


def test_in_a_group_of_labels_the_score_is_the_one_before_the_softmax():
    model, image = make(), noise()
    before = grad_cam(model, image, 0)
    set_head_groups(
        model.head,
        ["a", "b", "c"],
        {"age": {"kind": "ordinal", "labels": ["a", "b", "c"]}},
        np.eye(3, dtype=np.int8),
    )
    assert not torch.equal(model(image), model.raw_scores(image))
    torch.testing.assert_close(grad_cam(model, image, 0), before)


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("members", [0, 2])
def test_with_mean_pooling_and_a_linear_head_the_map_adds_up_to_the_logit(levels: int, members: int):
    model, image = make(levels=levels, members=members, size=64), noise()
    nothing = torch.zeros(1, model.backbone.num_features)
    with torch.no_grad():
        for k in range(LABELS):
            rest = model(image)[0, k] - model.head(nothing)[0, k]
            maps, last = model.backbone.forward_maps(image)
            torch.testing.assert_close(grad_cam(model, image, k).mean(), rest, rtol=1e-3, atol=1e-4)
    finest = max(tuple(m.shape[2:]) for m in (*maps, last))
    assert grad_cam(model, image, 0).shape[1:] == finest


def test_the_weights_are_the_slopes_of_the_logit():
    """Raising a channel of the last map everywhere changes the logit as its weight says: finite differences."""
    model, image = make(head="mlp").double(), noise().double()
    with torch.no_grad():
        _, last = model.backbone.forward_maps(image)
        total, step = torch.zeros(last.shape[2:], dtype=last.dtype), 1e-5  # small: the head has kinks
        for c in range(last.shape[1]):
            shift = torch.zeros_like(last)
            shift[:, c] = step
            up, down = (model.head(model.backbone.pool([], last + s * shift))[0, 2] for s in (1, -1))
            total += (up - down) / (2 * step) * last[0, c]
    torch.testing.assert_close(grad_cam(model, image, 2)[0].double(), total, rtol=2e-3, atol=1e-5)


class Corners(nn.Module):
    """A "backbone" of one channel a colour at half the resolution, read by its mean."""

    net = nn.Identity()
    levels = ()

    def forward_intermediates(
        self, images_BCHW: torch.Tensor, indices: list[int]
    ) -> tuple[dict, torch.Tensor]:
        return {}, nn.functional.avg_pool2d(images_BCHW, 2)

    def pool(self, maps: list[torch.Tensor], last: torch.Tensor) -> torch.Tensor:
        return last.mean((2, 3))


class Copy(nn.Module):
    """A "head" whose scores are the features themselves."""

    def raw_scores(self, features_BD: torch.Tensor) -> torch.Tensor:
        return features_BD


def test_a_planted_spot_lights_up_for_its_label_only():
    model: Any = nn.Module()
    model.backbone, model.head, model.attention = (
        Corners(),
        Copy(),
        None,
    )  # label k is how much of colour k there is
    image = torch.zeros(1, 3, 8, 8)
    image[0, 0, :2, :2] = 1.0  # red, top left
    image[0, 1, 6:, 6:] = 1.0  # green, bottom right
    red, green, blue = (explain(model, image, k) for k in range(3))
    assert (red.shape, red[0, 0], red.sum()) == ((4, 4), 1.0, 1.0)
    assert (green[3, 3], green.sum()) == (1.0, 1.0)
    assert not blue.any()


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_convnext", "mobilenetv2_100", "swin_s3_tiny_224"]
)
def test_every_network_with_maps_is_explained_in_0_to_1(name: str, levels: int):
    size = 224 if "swin" in name else 64
    map_HW = explain(make(name, levels=levels, size=size), noise(size=size), 0)
    assert map_HW.ndim == 2
    assert min(map_HW.shape) > 1
    assert map_HW.min() >= 0
    assert map_HW.max() in (0.0, 1.0)
    assert np.isfinite(map_HW).all()


def test_channels_that_come_last_are_found():
    """A Swin's last features are (B, h, w, C): the same map as with the channels moved by hand."""
    model, image = make("swin_s3_tiny_224", size=224), noise(size=224)
    with torch.no_grad():
        _, last = model.backbone.forward_maps(image)
    leaf = last.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model.head(model.backbone.pool([], leaf))[0, 0], leaf)
    slow = sum(float(slope[0, :, :, c].sum()) * last[0, :, :, c] for c in range(last.shape[-1]))
    torch.testing.assert_close(grad_cam(model, image, 0)[0], slow, rtol=1e-3, atol=1e-4)


def test_images_of_a_batch_do_not_touch_each_other():
    model, images = make(levels=3), noise(batch=3)
    together = grad_cam(model, images, 1)
    for n in range(3):
        torch.testing.assert_close(
            together[n : n + 1], grad_cam(model, images[n : n + 1], 1), rtol=1e-4, atol=1e-5
        )


def test_the_strongest_place_counts_where_the_network_pools_by_maximum():
    map_HW = explain(make(global_pool="max"), noise(), 0)
    assert map_HW.max() in (0.0, 1.0)


def test_the_model_is_left_as_it_was():
    model = make(levels=3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    explain(model, noise(), 0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.inference_mode(False), torch.no_grad():
        explain(model, noise(), 0)  # a caller without gradients gets the same


def test_a_network_that_keeps_no_places_apart_is_refused_in_words():
    with pytest.raises(
        TaggerError, match=r"grad_cam: CrossVit keeps no two-dimensional maps.* Ask for saliency"
    ):
        explain(make("crossvit_tiny_240", size=240), noise(size=240), 0)


def test_an_unknown_method_suggests_the_nearest():
    with pytest.raises(TaggerError, match=r"Unknown explanation 'gradcam'\. Did you mean 'grad_cam'"):
        explain(make(), noise(), 0, method="gradcam")
    assert "grad_cam" in explanations.names()


def test_a_map_without_evidence_is_dark():
    assert not normalise(-torch.ones(1, 2, 2)).any()


@pytest.mark.parametrize("method", [name for name in explanations.names() if name != "glimpses"])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit2"])
def test_mixed_precision_stays_finite_and_close(name: str, method: str):
    model, image = make(name, size=160), noise(size=160)
    whole_HW = explain(model, image, 0, method=method)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed_HW = explain(model, image, 0, method=method)
    assert np.isfinite(mixed_HW).all()
    assert np.corrcoef(whole_HW.ravel(), mixed_HW.ravel())[0, 1] > 0.9


def test_a_network_with_a_class_token_keeps_no_hook():
    model, image = make("test_vit", size=160), noise(size=160)
    before = model(image)
    explain(model, image, 0)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    torch.testing.assert_close(model(image), before, rtol=0, atol=0)
