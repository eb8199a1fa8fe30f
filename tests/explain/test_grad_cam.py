"""Grad-CAM: against a slow double loop and finite differences, as a decomposition of the logit, on many networks."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tagger.config import check_settings
from tagger.errors import TaggerError
from tagger.explain import explain, explanations, grad_cam, normalise
from tagger.heads import HeadEnsemble
from tagger.model import TagModel, new_backbone, new_head

LABELS = 3


def make(
    name: str = "test_resnet", *, levels: int = 1, size: int = 64, members: int = 0, head: str = "linear", **more: Any
) -> TagModel:
    """A model with random weights that depend on nothing but its name."""
    backbone_of = {"name": name, "weights": "none", "levels": levels} | more
    settings = check_settings({"backbone": backbone_of, "image": {"size": size}, "head": {"name": head}})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = new_backbone(settings)
        heads = [new_head(backbone.num_features, LABELS, settings) for _ in range(members or 1)]
    return TagModel(backbone, HeadEnsemble(heads) if members else heads[0]).eval()


def noise(*, batch: int = 1, size: int = 64) -> torch.Tensor:
    """Images of noise in 0..1."""
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


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
    model, image = make(head="mlp"), noise()
    with torch.no_grad():
        _, last = model.backbone.forward_maps(image)
        total, step = torch.zeros(last.shape[2:]), 0.05
        for c in range(last.shape[1]):
            shift = torch.zeros_like(last)
            shift[:, c] = step
            up, down = (model.head(model.backbone.pool([], last + s * shift))[0, 2] for s in (1, -1))
            total += (up - down) / (2 * step) * last[0, c]
    torch.testing.assert_close(grad_cam(model, image, 2)[0], total, rtol=2e-2, atol=2e-3)


class Corners(nn.Module):
    """A "backbone" of one channel a colour at half the resolution, read by its mean."""

    net = nn.Identity()

    def forward_maps(self, images_BCHW: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        return [], nn.functional.avg_pool2d(images_BCHW, 2)

    def pool(self, maps: list[torch.Tensor], last: torch.Tensor) -> torch.Tensor:
        return last.mean((2, 3))


def test_a_planted_spot_lights_up_for_its_label_only():
    model: Any = nn.Module()
    model.backbone, model.head = Corners(), nn.Identity()  # label k is how much of colour k there is
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
        torch.testing.assert_close(together[n : n + 1], grad_cam(model, images[n : n + 1], 1), rtol=1e-4, atol=1e-5)


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


def test_plain_tokens_are_refused_in_words_and_maps_of_a_transformer_are_used():
    with pytest.raises(TaggerError, match="keeps no two-dimensional maps"):
        explain(make("test_vit"), noise(), 0)
    assert explain(make("test_vit", levels=3), noise(), 0).shape == (4, 4)


def test_an_unknown_method_suggests_the_nearest():
    with pytest.raises(TaggerError, match=r"Unknown explanation 'gradcam'\. Did you mean 'grad_cam'"):
        explain(make(), noise(), 0, method="gradcam")
    assert "grad_cam" in explanations.names()


def test_a_map_without_evidence_is_dark():
    assert not normalise(-torch.ones(1, 2, 2)).any()
