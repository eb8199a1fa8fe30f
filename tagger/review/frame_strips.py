"""The frames about a photo of a sequence: those before and after, and the run of frames that say the same."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

SHOWN_EACH_WAY = 2
MOST_OF_A_RUN = 100  # frames each way that one answer settles


@dataclass(frozen=True, kw_only=True)
class FrameView:
    """A frame before (negative ``offset``) or after: its row, its file, and the label's value there (-1, 0, 1)."""

    row: int
    file: str
    offset: int
    value: int


@dataclass(frozen=True)
class CellOfFrame:
    """The label's value at a frame now, and whether a person decided it."""

    value: int
    verified: bool


class FrameStrips:
    """Which frames lie about each image of a run; none where the run knows no sequences."""

    def __init__(self, images: pd.DataFrame):
        self.known = {"sequence", "place"} <= set(images.columns)
        if not self.known:
            return
        sequence_N = images["sequence"].to_numpy(np.int64)
        self._order = np.lexsort((images["place"].to_numpy(np.int64), sequence_N))
        self._at = np.empty(len(self._order), np.int64)
        self._at[self._order] = np.arange(len(self._order))
        self._sorted = sequence_N[self._order]

    def span(self, row: int) -> tuple[int, ...]:
        """The rows of its sequence about an image, itself among them, in order; empty where it stands alone."""
        if not self.known:
            return ()
        at = int(self._at[row])
        start, end = max(at - MOST_OF_A_RUN, 0), at + MOST_OF_A_RUN + 1
        near = np.arange(start, min(end, len(self._order)))
        rows = self._order[near[self._sorted[near] == self._sorted[at]]]
        return tuple(rows.tolist()) if len(rows) > 1 else ()


def shown_frames(
    row: int, span: tuple[int, ...], cells: Mapping[int, CellOfFrame], files: np.ndarray
) -> list[FrameView]:
    """The frames before and after a photo, as many as are shown."""
    at = span.index(row) if span else 0
    return [
        FrameView(row=other, file=files[other], offset=place - at, value=cells[other].value)
        for place, other in enumerate(span)
        if 0 < abs(place - at) <= SHOWN_EACH_WAY
    ]


def run_about(row: int, span: tuple[int, ...], cells: Mapping[int, CellOfFrame]) -> list[int]:
    """The other rows of the run of a photo: frames on either side that say the same, up to one that says something
    else or that a person decided.

    >>> cells = {n: CellOfFrame(value, n == 5) for n, value in enumerate([1, 0, 0, 0, 0, 0])}
    >>> run_about(3, (0, 1, 2, 3, 4, 5), cells)
    [1, 2, 4]
    """
    at = span.index(row) if span else 0
    found = []
    for way in (range(at - 1, -1, -1), range(at + 1, len(span))):
        for place in way:
            cell = cells[span[place]]
            if cell.verified or cell.value != cells[row].value:
                break
            found.append(span[place])
    return sorted(found, key=span.index)
