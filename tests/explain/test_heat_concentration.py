"""The share of heat outside the hottest cell: by hand, against a slow count of small squares, and what must
not change it.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tagger.explain import cell_means, outside_hottest_cell

MAPS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(0, 1))
)


def slow_means(map_HW: np.ndarray, cells: int) -> np.ndarray:
    """The map cut into as many small squares as fit both grids, then averaged in loops."""
    (height, width), means = map_HW.shape, np.zeros((cells, cells))
    fine = np.kron(map_HW, np.ones((cells, cells)))  # H * cells rows: each cell has H of them
    for row in range(cells):
        for column in range(cells):
            square = fine[row * height : (row + 1) * height, column * width : (column + 1) * width]
            means[row, column] = square.mean()
    return means


@given(MAPS, st.integers(1, 8))
def test_cells_are_means_by_area(map_HW: np.ndarray, cells: int):
    np.testing.assert_allclose(cell_means(map_HW, cells=cells), slow_means(map_HW, cells), atol=1e-12)


@given(MAPS, st.floats(0.01, 100))
def test_it_is_a_share_that_knows_no_unit_and_no_direction(map_HW: np.ndarray, factor: float):
    share = outside_hottest_cell(map_HW)
    if map_HW.sum() < 1e-9:
        return
    assert -1e-9 <= share <= 1 - 1 / 49 + 1e-9
    for same in (factor * map_HW, map_HW[::-1], map_HW.T, np.kron(map_HW, np.ones((3, 2)))):
        assert outside_hottest_cell(same) == pytest.approx(share, abs=1e-6)


def test_its_ends_are_one_cell_and_everywhere():
    one = np.zeros((14, 14))
    one[2:4, 4:6] = [[1, 2], [3, 4]]
    assert outside_hottest_cell(one) == pytest.approx(0, abs=1e-12)
    assert outside_hottest_cell(np.ones((5, 3))) == pytest.approx(48 / 49)
    assert math.isnan(outside_hottest_cell(np.zeros((7, 7))))


def test_a_network_of_finer_maps_does_not_look_as_if_it_saw_more():
    """The same two spots drawn on 7 x 7 and on 28 x 28: the same number, where each one's own grid would differ."""
    coarse = np.zeros((7, 7))
    coarse[1, 1], coarse[5, 5] = 3.0, 1.0
    fine = np.kron(coarse, np.ones((4, 4)))
    assert outside_hottest_cell(coarse) == pytest.approx(outside_hottest_cell(fine)) == pytest.approx(0.25)
    assert outside_hottest_cell(fine, cells=28) > 0.9
