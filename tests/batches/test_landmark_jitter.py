"""Jitter of aligned batches: the warp it stands for, as scikit-image does it, and what it leaves as it was."""

import numpy as np
import pytest
import torch
from skimage.transform import SimilarityTransform, warp

from tagger.batches import AlignedPhotos, LandmarkJitter
from tagger.data.images.alignment import Alignment
from tagger.data.landmarks.procrustes import mean_shape

SIZE = 32


def make(mode: str, share: float, *, known: bool = True) -> LandmarkJitter:
    points_P2 = np.random.default_rng(0).normal(size=(12, 2))
    alignment = Alignment(
        mean_shape(points_P2[None]), "crop" if mode == "crop" else "warp", 0.1, tuple(range(12))
    )
    points_NP2 = np.stack([points_P2 * 9, points_P2 if known else points_P2 * np.nan]).astype(np.float32)
    return LandmarkJitter(AlignedPhotos(alignment, points_NP2), SIZE, share)


def smooth_images() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return torch.stack([torch.sin(x / 7), torch.cos(y / 5), torch.sin((x + y) / 9)]).repeat(2, 1, 1, 1)


@pytest.mark.parametrize("mode", ["crop", "warp"])
def test_without_noise_nothing_moves_and_with_noise_something_does(mode: str):
    images = smooth_images()
    rows, generator = torch.tensor([0, 1]), torch.Generator().manual_seed(1)
    assert torch.allclose(make(mode, 0.0)(images, rows, generator), images, atol=1e-5)
    moved = make(mode, 0.03)(images, rows, torch.Generator().manual_seed(1))
    assert (moved - images).abs().amax(dim=(1, 2, 3)).min() > 0.05
    assert not torch.equal(moved[0], moved[1])
    assert torch.equal(moved, make(mode, 0.03)(images, rows, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("mode", ["crop", "warp"])
def test_photos_without_landmarks_stay_as_they_are(mode: str):
    images = smooth_images()
    moved = make(mode, 0.05, known=False)(images, torch.tensor([0, 1]), torch.Generator().manual_seed(2))
    assert torch.equal(moved[1], images[1])
    assert not torch.equal(moved[0], images[0])


def test_a_crop_is_jittered_as_scikit_image_moves_it():
    images = smooth_images()
    jitter = make("crop", 0.05)
    draws_B4 = (torch.randn(2, 4, generator=torch.Generator().manual_seed(3)) * 0.05).numpy()
    found = jitter(images, torch.tensor([0, 1]), torch.Generator().manual_seed(3))
    centre = (SIZE - 1) / 2
    for image, got, (dx, dy, scale, angle) in zip(images, found, draws_B4, strict=True):
        about = SimilarityTransform(translation=(-centre, -centre)) + SimilarityTransform(
            scale=np.exp(scale), rotation=angle
        )
        back = about + SimilarityTransform(translation=(centre + dx * SIZE, centre + dy * SIZE))
        expected = warp(image.permute(1, 2, 0).numpy(), back, order=1, mode="edge")
        assert np.abs(expected[4:-4, 4:-4] - got.permute(1, 2, 0).numpy()[4:-4, 4:-4]).max() < 1e-3
