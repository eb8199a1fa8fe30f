"""Cached images are the decoded ones, and a cache that is too large is not made."""

import numpy as np
import pytest
import torch
from PIL import Image

from tagger.batches import CachedImages, ImageFiles, make_loader, open_cache, write_cache


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    files = [f"{n}.png" for n in range(5)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / file)
    return ImageFiles(tmp_path, files, size=16)


def test_the_cache_holds_the_pixels_that_decoding_gives_and_lets_every_batch_pass(images, tmp_path):
    path = tmp_path / "pixels.npy"
    loader = make_loader(images, [3, 1, 0, 2, 4], batch_size=2, workers=0)
    passed = list(write_cache(loader, images, path))
    assert [b.indices_B.tolist() for b in passed] == [[3, 1], [0, 2], [4]]
    again = open_cache(images, np.array([4, 0]), path)
    assert isinstance(again, CachedImages)
    assert list(again.files) == ["4.png", "0.png"]
    for row, original in enumerate([4, 0]):
        pixels, index, reason = again[row]
        assert torch.equal(pixels, images[original][0])
        assert (index, reason) == (row, None)


def test_batches_of_cached_images_equal_batches_of_files(images, tmp_path):
    path, order = tmp_path / "pixels.npy", [1, 1, 4, 0]
    for _ in write_cache(make_loader(images, range(5), batch_size=4, workers=0), images, path):
        pass
    rows = np.arange(5)
    for a, b in zip(
        make_loader(images, order, batch_size=3, workers=0),
        make_loader(open_cache(images, rows, path), order, batch_size=3),
        strict=True,
    ):
        assert torch.equal(a.images_BCHW, b.images_BCHW)
        assert torch.equal(a.indices_B, b.indices_B)


def test_without_a_cache_the_files_are_read(images, tmp_path):
    some = open_cache(images, np.array([2, 3]), tmp_path / "none.npy")
    assert isinstance(some, ImageFiles)
    assert torch.equal(some[1][0], images[3][0])
