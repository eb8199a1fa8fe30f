"""Saliency: against finite differences, on every kind of network, and of a group's score before its softmax."""

import pytest
import torch
from networks import make, noise

from tagger.explain import explain, saliency
from tagger.model import TagModel


def test_it_is_the_change_of_the_score_with_a_pixel():
    """Some pixels raised and lowered a little, one colour at a time."""
    model, image = make("test_convnext", size=32).double(), noise(size=32).double()
    model.head.float()  # a head computes in float32, which is what the tolerance is for
    map_HW, step = saliency(model, image, 1)[0], 1e-3
    for row, column in [(0, 0), (5, 17), (16, 16), (31, 30)]:
        changes = []
        for colour in range(3):
            shift = torch.zeros_like(image)
            shift[0, colour, row, column] = step
            with torch.no_grad():
                ahead, behind = (float(model.raw_scores(image + sign * shift)[0, 1]) for sign in (1, -1))
            changes.append(abs(ahead - behind) / (2 * step))
        assert float(map_HW[row, column]) == pytest.approx(max(changes), rel=2e-2, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "size"),
    [("test_resnet", 64), ("test_vit", 160), ("swin_s3_tiny_224", 224), ("crossvit_tiny_240", 240)],
)
def test_every_network_has_one_as_fine_as_its_input(name: str, size: int):
    map_HW = explain(make(name, size=size), noise(size=size), 0, method="saliency")
    assert map_HW.shape == (size, size)
    assert map_HW.min() >= 0
    assert map_HW.max() == 1


def test_images_of_a_batch_do_not_touch_each_other_and_nothing_stays_behind():
    model, images = make(levels=3), noise(batch=3)
    together = saliency(model, images, 1)
    for n in range(3):
        torch.testing.assert_close(
            together[n : n + 1], saliency(model, images[n : n + 1], 1), rtol=1e-3, atol=1e-6
        )
    assert not images.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_attention_has_its_part_in_it():
    model, image = make(depth=1), noise()
    plain = TagModel(model.backbone, model.head).eval()
    assert not torch.allclose(saliency(model, image, 0), saliency(plain, image, 0))
