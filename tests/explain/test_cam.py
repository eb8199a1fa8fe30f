"""CAM: against the sum by hand, as a decomposition of the score, for every head that has weights, and who has none."""

import numpy as np
import pytest
import torch
from networks import LABELS, make, noise

from tagger.errors import TaggerError
from tagger.explain import cam, explain, grad_cam


@pytest.mark.parametrize("label", range(LABELS))
def test_one_level_is_the_sum_by_hand(label: int):
    model, image = make(), noise()
    with torch.no_grad():
        last_CHW = model.backbone.forward_maps(image)[1][0].numpy()
    std_C = np.linspace(0.5, 2.0, len(last_CHW), dtype=np.float32)
    model.get_buffer("head.std").copy_(
        torch.from_numpy(std_C)
    )  # heads standardise: these are weights on raw features
    weights_C = model.get_parameter("head.fc.weight")[label].detach().numpy() / std_C
    slow_HW = np.zeros(last_CHW.shape[1:])
    for c in range(len(last_CHW)):
        slow_HW += weights_C[c] * last_CHW[c]
    np.testing.assert_allclose(cam(model, image, label)[0].numpy(), slow_HW, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("members", [0, 2])
@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("test_resnet", 1),
        ("test_resnet", 3),
        ("mobilenetv2_100", 3),
        ("mixer_s32_224", 1),
        ("swin_s3_tiny_224", 2),
    ],
)
def test_where_the_head_reads_means_the_map_adds_up_to_the_score(name: str, levels: int, members: int):
    size = 224 if name.endswith("224") else 64
    model, image = make(name, levels=levels, members=members, size=size), noise(size=size)
    with torch.no_grad():
        rest_K = (
            model.raw_scores(image) - model.head.raw_scores(torch.zeros(1, model.backbone.num_features))
        )[0]
    for k in range(LABELS):
        torch.testing.assert_close(cam(model, image, k).mean(), rest_K[k], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "mobilenetv2_100"])
def test_where_the_head_reads_means_it_is_grad_cam(name: str):
    """Selvaraju et al. 2017, section 3.1: Grad-CAM generalises CAM; the same here for every level."""
    model, image = make(name, levels=2), noise()
    torch.testing.assert_close(cam(model, image, 1), grad_cam(model, image, 1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "size"),
    [("test_convnext", 64), ("mobilenetv3_small_050", 64), ("test_vit4", 160), ("mambaout_femto", 64)],
)
def test_layers_after_the_mean_are_asked_for_each_place_alone(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
):
    """Where all places are the same, each of them scores what the whole does."""
    model, image = make(name, size=size), noise(size=size)
    net = model.backbone.net
    places = (1, 2) if str(getattr(net, "output_fmt", "")) == "NHWC" else (2, 3)
    with torch.no_grad():
        last = model.backbone.forward_maps(image)[1]
        even = last.mean(places if last.ndim == 4 else 1, keepdim=True).expand_as(last)
        monkeypatch.setattr(net, "forward_features", lambda _: even)
        rest_K = (
            model.raw_scores(image) - model.head.raw_scores(torch.zeros(1, model.backbone.num_features))
        )[0]
    map_BHW = cam(model, image, 2)
    torch.testing.assert_close(map_BHW, rest_K[2].expand_as(map_BHW), rtol=1e-3, atol=1e-4)


def test_the_error_correcting_head_has_weights_by_its_code():
    model, image = make(head="ecoc"), noise()
    assert explain(model, image, 0, method="cam").shape == (2, 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"head": "mlp"}, "needs a linear head, and the run has head 'mlp'"),
        ({"name": "cait_xxs24_224", "size": 224}, "Cait gives the head its class token, in a way"),
        ({"name": "crossvit_tiny_240", "size": 240}, "CrossVit keeps no places of the image apart"),
        ({"depth": 1}, "with gated attention the score is not linear"),
    ],
)
def test_who_has_no_cam_is_told_why(options: dict, reason: str):
    with pytest.raises(TaggerError, match=reason):
        cam(make(**options), noise(size=options.get("size", 64)), 0)
