"""The order of frames within their sequences: by a column of a table, by number in the name, or by time.

``data.frame_column`` holds a number or a time for each photo. Without it the order follows ``data.sequences``: the
trailing number of the name, or the time of the photo.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.data.photo_columns import column_values
from tagger.data.related_images import Ids, photo_time, sequence_ids
from tagger.errors import TaggerError
from tagger.setting_sections import DataSettings
from tagger.text import counted, shortlist

Places = NDArray[np.float64]  # (N,): the number of a frame, or its time in seconds; NaN where it has none
CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
DATE_FORMATS = ("%Y:%m:%d %H:%M:%S", "%Y-%m-%d_%H-%M-%S", "%Y%m%d_%H%M%S")
EPOCH = datetime(1970, 1, 1)
USUAL = "a number (12, 3.5), a time (00:01:23.5) or a date and time (2024-05-01 12:00:03)"


@dataclass(frozen=True)
class FrameOrder:
    """The sequence and the place in it of each photo; ``place_N`` is a number or seconds, NaN without a sequence."""

    sequence_N: Ids
    place_N: Places
    what: str

    @property
    def step(self) -> float:
        """The usual distance of two frames that follow each other: the median; 0 if no sequence has two."""
        steps = np.concatenate([np.diff(self.place_N[rows]) for rows in self.sequences()] or [np.empty(0)])
        return float(np.median(steps)) if len(steps) else 0.0

    def sequences(self) -> list[NDArray[np.int64]]:
        """The rows of each sequence, in the order of its frames; sequences in the order of their first row.

        >>> order = FrameOrder(np.array([0, 1, 0, -1]), np.array([2.0, 1.0, 1.0, np.nan]), "name")
        >>> [rows.tolist() for rows in order.sequences()]
        [[2, 0], [1]]
        """
        known = np.flatnonzero(self.sequence_N >= 0)
        order = known[np.lexsort((known, self.place_N[known], self.sequence_N[known]))]
        starts = np.flatnonzero(np.diff(self.sequence_N[order], prepend=-1))
        found = np.split(order, starts[1:]) if len(order) else []
        return sorted(found, key=lambda rows: int(rows.min()))

    def gaps(self, more_than: float = 1.5) -> list[tuple[int, int]]:
        """(row, row of the next frame) wherever frames are missing: the distance is ``more_than`` times the usual."""
        limit = more_than * self.step
        return [
            (int(rows[n]), int(rows[n + 1]))
            for rows in self.sequences()
            for n in np.flatnonzero(np.diff(self.place_N[rows]) > limit).tolist()
        ]


def frame_order(root: Path, files: Sequence[str], data: DataSettings) -> FrameOrder | None:
    """The order of the frames; None where the settings name no sequence, or give its frames no order.

    TaggerError, with every cell, for frames without a number or time, and for two frames of one sequence at one
    place.
    """
    if data.frame_column and not data.sequence_column and data.sequences == "none":
        raise TaggerError(
            "data.frame_column: it orders the photos of a sequence, and no setting says which photos are one."
            " Name the column of sequences: --set data.sequence_column=NAME; or --set data.sequences=folder"
        )
    sequence_N = sequence_ids(root, files, data)
    if sequence_N is None or not (data.frame_column or data.sequences in ("name", "time", "folder")):
        return None
    if data.frame_column:
        what = f"column {data.frame_column!r}"
        place_N = _column_places(column_values(root, files, data, data.frame_column), files, sequence_N, data)
    elif data.sequences == "time":
        what = "time"
        place_N = np.array(
            [time if (time := photo_time(root / file)) is not None else np.nan for file in files]
        )
    else:
        what = "number in the name"
        place_N = np.array([_trailing_number(file) for file in files])
        if np.isnan(place_N[sequence_N >= 0]).any():
            return None
    place_N[sequence_N < 0] = np.nan
    return FrameOrder(sequence_N, place_N, what)


def _column_places(cells: Sequence[str], files: Sequence[str], sequence_N: Ids, data: DataSettings) -> Places:
    """The places that cells give. TaggerError, naming photos, for those that give none and for equal ones."""
    column = data.frame_column
    rows = np.flatnonzero(sequence_N >= 0).tolist()
    kinds = [_places_as(kind, [cells[n] for n in rows]) for kind in (_number, _seconds)]
    found = min(kinds, key=lambda places: int(np.isnan(places).sum()))
    bad = [f"{files[n]} ({cells[n]!r})" for n, place in zip(rows, found, strict=True) if np.isnan(place)]
    if bad:
        raise TaggerError(
            f"data.frame_column: {counted(len(bad), 'photo')} of a sequence without a place in the column"
            f" {column!r}: {shortlist(bad)}. Each needs {USUAL}, all of one kind"
        )
    place_N = np.full(len(files), np.nan)
    place_N[rows] = found
    _check_distinct(place_N, files, sequence_N, cells, column)
    return place_N


def _check_distinct(
    place_N: Places, files: Sequence[str], sequence_N: Ids, cells: Sequence[str], column: str
) -> None:
    """TaggerError, with every pair, if two frames of one sequence have one place."""
    first: dict[tuple[int, float], int] = {}
    same = []
    for n in np.flatnonzero(sequence_N >= 0).tolist():
        m = first.setdefault((int(sequence_N[n]), float(place_N[n])), n)
        if m != n:
            same.append(f"{files[m]} and {files[n]} ({cells[n]!r})")
    if same:
        raise TaggerError(
            f"data.frame_column: {counted(len(same), 'pair')} of photos with one place in one sequence, by the column"
            f" {column!r}: {shortlist(same)}. Correct the table, or name another column"
        )


def _places_as(kind: Callable[[str], float], cells: Sequence[str]) -> Places:
    return np.array([kind(cell.strip()) for cell in cells], dtype=np.float64)


def _number(cell: str) -> float:
    """A finite number; NaN for anything else.

    >>> _number("12"), _number("3.5"), _number("1_2"), _number("inf")
    (12.0, 3.5, nan, nan)
    """
    try:
        value = float(cell) if "_" not in cell else np.nan
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _seconds(cell: str) -> float:
    """A time of a clip, or a date and time, in seconds; NaN for anything else.

    >>> _seconds("00:01:23,5"), _seconds("1:02"), _seconds("1970-01-01 00:00:05"), _seconds("1970:01:01 00:00:05")
    (83.5, 62.0, 5.0, 5.0)
    >>> _seconds("1970-01-01T01:00:05.5+01:00"), _seconds("12")
    (5.5, nan)
    """
    if clock := CLOCK.fullmatch(cell):
        hours, mins, secs = (float((part or "0").replace(",", ".")) for part in clock.groups())
        return 3600 * hours + 60 * mins + secs
    for form in ("", *DATE_FORMATS):
        try:
            moment = datetime.strptime(cell, form) if form else datetime.fromisoformat(cell)
        except ValueError:
            continue
        if not form and cell.isdigit():
            return np.nan  # 20240501 is a number
        return (moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta()) - EPOCH).total_seconds()
    return np.nan


def _trailing_number(file: str) -> float:
    """The last number of a name; NaN without one.

    >>> _trailing_number("a/clip1_003.jpg"), _trailing_number("a/cat.jpg")
    (3.0, nan)
    """
    digits = re.findall(r"\d+", Path(file).stem)
    return float(digits[-1]) if digits else np.nan
