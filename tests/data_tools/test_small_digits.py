"""Planted photos of one small digit: it lies in the cell that is named, among others that look like it from afar."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from data_tools.small_digits import NUM_SCRIBBLES, PLATE, draw_small_digit


def plates(pixels_HWC: np.ndarray, grid: int) -> np.ndarray:
    """The share of each cell (grid, grid) that has a plate's colour."""
    near = (np.abs(pixels_HWC - PLATE) < 60).all(axis=2) & (pixels_HWC.min(axis=2) > 130)
    side = len(pixels_HWC) // grid
    return near.reshape(grid, side, grid, side).mean(axis=(1, 3))


@pytest.mark.parametrize("seed", range(4))
def test_the_digits_cell_has_a_plate_and_so_have_a_few_others(seed: int):
    digits = load_digits()
    photo = draw_small_digit(digits.images[seed] / 16, np.random.default_rng(seed))
    assert photo.pixels_HWC.shape == (576, 576, 3)
    share = plates(photo.pixels_HWC, 16)
    top, left = divmod(photo.cell, 16)
    assert share[top, left] > 0.2
    assert (share > 0.2).sum() >= 1 + NUM_SCRIBBLES


def test_the_same_seed_draws_the_same_photo_and_digits_change_it():
    digits = load_digits()
    one, again = (draw_small_digit(digits.images[0] / 16, np.random.default_rng(7)) for _ in range(2))
    other = draw_small_digit(digits.images[1] / 16, np.random.default_rng(7))
    assert np.array_equal(one.pixels_HWC, again.pixels_HWC)
    assert one.cell == again.cell == other.cell
    top, left = (36 * at for at in divmod(one.cell, 16))
    mine, theirs = (photo.pixels_HWC[top : top + 36, left : left + 36].astype(int) for photo in (one, other))
    assert np.abs(mine - theirs).max() > 100
