"""The window of each frame: the rows of the frames up to it, of its own sequence only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.data.frame_order import frame_order
from tagger.data.related_images import Ids, sequence_ids
from tagger.setting_sections import DataSettings

DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Frames:
    """The sequence of each image (a number of its own for one that is of none), and its place there, from 0."""

    sequence_N: Ids
    place_N: Ids

    def __len__(self) -> int:
        return len(self.sequence_N)

    def select(self, rows: Ids) -> "Frames":
        """Some of the images; places close up where one is missing."""
        return Frames(self.sequence_N[rows], _ranks(self.sequence_N[rows], self.place_N[rows]))

    def order(self) -> Ids:
        """The rows, sequence by sequence, each from its first frame on."""
        return np.lexsort((self.place_N, self.sequence_N))

    def windows(self, length: int) -> Ids:
        """Rows (N, ``length``) of the frames up to each one, itself the last; -1 before the first of its sequence.

        >>> Frames(np.array([7, 7, 3]), np.array([1, 0, 0])).windows(3).tolist()
        [[-1, 1, 0], [-1, -1, 1], [-1, -1, 2]]
        """
        order_N = self.order()
        at_N = np.empty(len(order_N), np.int64)
        at_N[order_N] = np.arange(len(order_N))
        back_T = np.arange(length - 1, -1, -1)
        windows_NT = order_N[np.maximum(at_N[:, None] - back_T, 0)]
        return np.where(back_T <= self.place_N[:, None], windows_NT, -1)

    def around(self) -> Ids:
        """The rows (N, 2) of the frames before and after each one; -1 where there is none.

        >>> Frames(np.array([7, 7, 3]), np.array([1, 0, 0])).around().tolist()
        [[1, -1], [-1, 0], [-1, -1]]
        """
        before_N = self.windows(2)[:, 0]
        after_N = np.full(len(before_N), -1, np.int64)
        after_N[before_N[before_N >= 0]] = np.flatnonzero(before_N >= 0)
        return np.stack([before_N, after_N], axis=1)


def read_frames(root: Path, files: Sequence[str], data: DataSettings) -> Frames | None:
    """The frames of these files by the settings that say what is a sequence; None without such a setting.

    Frames without a number or time follow each other by name. TaggerError if a column is in no table, or
    gives no order.
    """
    order = frame_order(root, files, data)
    ids_N = sequence_ids(root, files, data) if order is None else order.sequence_N
    if ids_N is None:
        return None
    by_name_N = np.empty(len(files), np.int64)
    by_name_N[sorted(range(len(files)), key=lambda n: natural_key(files[n]))] = np.arange(len(files))
    alone_N = ids_N.max(initial=0) + 1 + np.arange(len(files))
    sequence_N = np.where(ids_N < 0, alone_N, ids_N)
    place_N = np.zeros(len(files)) if order is None else np.nan_to_num(order.place_N)
    return Frames(sequence_N, _ranks(sequence_N, place_N, by_name_N))


def natural_key(file: str) -> list[tuple[int, int, str]]:
    """Key by which files sort with their numbers as numbers.

    >>> sorted(["a10.png", "a9.png", "b1.png"], key=natural_key)
    ['a9.png', 'a10.png', 'b1.png']
    """
    parts = DIGITS.split(file)
    return [(1, int(part), part) if n % 2 else (0, 0, part) for n, part in enumerate(parts)]


def _ranks(sequence_N: Ids, *place_N: NDArray[Any]) -> Ids:
    """0, 1, 2, ... within each sequence, in the order of the places, the first of which counts most."""
    order_N = np.lexsort((*place_N[::-1], sequence_N))
    ranks_N = np.empty(len(order_N), np.int64)
    _, start, size = np.unique(sequence_N[order_N], return_index=True, return_counts=True)
    ranks_N[order_N] = np.arange(len(order_N)) - np.repeat(start, size)
    return ranks_N
