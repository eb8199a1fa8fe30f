"""Growing images: even steps up to the full size, which the last third sees; off, the very same tensor."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tagger.batches import progressive_size, resize_images
from tagger.setting_sections import ImageSettings


@given(size=st.integers(16, 512), start=st.integers(1, 512), epochs=st.integers(1, 40))
def test_the_side_never_shrinks_and_the_last_third_has_the_full_size(size, start, epochs):
    sides = [
        progressive_size(epoch, epochs, ImageSettings(size=size, progressive_start=start))
        for epoch in range(epochs)
    ]
    assert sides == sorted(sides)
    assert set(sides[epochs - epochs // 3 :]) <= {size}
    assert epochs == 1 or sides[-1] == size
    assert min(sides) >= min(start, size)


def test_off_every_epoch_has_the_full_size():
    assert {progressive_size(epoch, 9, ImageSettings(size=100)) for epoch in range(9)} == {100}


def test_images_that_have_the_size_come_back_as_they_are():
    images = torch.rand(2, 3, 8, 8)
    assert resize_images(images, 8) is images


@pytest.mark.parametrize("factor", [2, 4])
def test_smaller_images_keep_their_mean_colour(factor):
    images = torch.rand(2, 3, 64, 64)
    small = resize_images(images, 64 // factor)
    assert small.shape[-1] == 64 // factor
    torch.testing.assert_close(small.mean((2, 3)), images.mean((2, 3)), atol=0.01, rtol=0)
