"""Heat concentration: the share of a map's heat outside its hottest cell, to compare two runs.

A network that tells a label by one detail has most of its heat in one place. Grid dropout is meant to make
it use the whole object; its source shows that by pictures alone ("Image ordinal classification and
understanding: grid dropout with masking label", section 4.3 and figure 5). This is the number beside such
pictures.

It says nothing of how good a network is: one that is merely unsure spreads its heat too. On the demo's
digits (30 epochs, one seed), grid dropout raised it by 0.037 (0.027 to 0.047) where both runs chose the
label, and the test mAP fell from .712 to .346, as blackened cells hide whole digits whose labels stay.
Compare runs that are about as good.
"""

import numpy as np

from tagger.arrays import Floats

GRID_SIDE = 7
"""Cells along each side. A grid that is the same for every map, not the network's own: on a finer grid the hottest cell
is smaller, so of two networks the one with finer maps would look as if it saw more. 7 is what networks of stride 32
have at 224 pixels, so that their maps are measured as they come."""


def outside_hottest_cell(map_HW: Floats, *, cells: int = GRID_SIDE) -> float:
    """The share (0..1) of a map's heat that lies outside the hottest of ``cells`` x ``cells`` equal cells.

    The map (any size, at least 0 everywhere) is averaged over each cell by area. Heat in one cell alone
    gives 0, evenly spread heat 1 - 1 / cells^2 (.98), no heat at all NaN. A map of fewer cells than the
    grid lies across several of them, so that its smallest value is above 0: (4 x 4)-maps should be compared
    with one another only.

    >>> outside_hottest_cell(np.array([[1.0, 1.0], [0.0, 2.0]]), cells=2)
    0.5
    >>> outside_hottest_cell(np.eye(3), cells=1), outside_hottest_cell(np.zeros((3, 3)))
    (0.0, nan)
    """
    heat_CC = cell_means(map_HW, cells=cells)
    total = heat_CC.sum()
    return float(1 - heat_CC.max() / total) if total > 0 else float("nan")


def cell_means(map_HW: Floats, *, cells: int = GRID_SIDE) -> Floats:
    """The means (cells, cells) of a map over equal cells; a value that lies across several counts by its area
    in each.

    >>> cell_means(np.array([[0.0, 3.0, 6.0]]), cells=2).tolist()
    [[1.0, 5.0], [1.0, 5.0]]
    """
    rows_CH, columns_CW = (_shares(size, cells) for size in map_HW.shape)
    return rows_CH @ np.asarray(map_HW, dtype=np.float64) @ columns_CW.T


def _shares(size: int, cells: int) -> Floats:
    """Row c: how much of cell c each of ``size`` equal stretches fills; rows sum to 1."""
    start_S = np.arange(size) / size
    start_C = np.arange(cells) / cells
    ends = np.minimum(start_S + 1 / size, start_C[:, None] + 1 / cells)
    overlap_CS = np.clip(ends - np.maximum(start_S, start_C[:, None]), 0, None)
    return overlap_CS * cells
