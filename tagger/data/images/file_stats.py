"""Stats of image files (size, inode, times), by which a replaced file is noticed without reading it."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.data.images.hash_cache import STAT_FIELDS, file_stat


def file_stats(root: str | Path, files: Sequence[str]) -> NDArray[np.int64]:
    """Size, inode and times of each file now (N, ``STAT_FIELDS``); zeros for a missing one."""
    stats_NF = np.zeros((len(files), len(STAT_FIELDS)), np.int64)
    folder = os.path.join(root, "")
    for n, file in enumerate(files):
        try:
            stats_NF[n] = file_stat(os.stat(folder + file))
        except OSError:
            continue
    return stats_NF


def select_stats(
    files: Sequence[str], listed: Sequence[str], stats_MF: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The stats of some of the listed files; zeros for one that was not listed.

    >>> select_stats(["b", "c"], ["a", "b"], np.array([[1], [2]])).tolist()
    [[2], [0]]
    """
    row_of = {file: m for m, file in enumerate(listed)}
    rows = np.array([row_of.get(file, -1) for file in files], np.int64)
    return np.where(rows[:, None] >= 0, stats_MF[rows], 0)
