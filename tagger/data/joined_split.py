"""Split of photos that join those of a run: the run's photos keep their parts, the new ones are shared out.

A new photo that resembles photos of the run joins their side, so that no copy of a test photo is learnt. Where it
resembles photos on both sides it joins the test part: the run's test photos stay unseen.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Cells, Indices
from tagger.data.folder_split import split_of_file
from tagger.data.split import spread_images


@dataclass(frozen=True)
class JoinedSplit:
    """``split`` and ``fold`` (N) of all photos; how many new ones joined photos of the run, and both sides of it."""

    split: NDArray[np.str_]
    fold: Indices
    num_joined: int
    num_between: int


def join_split(
    labels_NK: Cells,
    hashes: Sequence[str] | NDArray[np.str_],
    groups: Indices,
    split: NDArray[np.str_],
    fold: Indices,
    *,
    val: float,
    test: float,
    num_folds: int,
    seed: int,
) -> JoinedSplit:
    """The parts of all photos. ``split`` is "" for new ones; ``groups`` are of all photos, near-duplicates together.

    New photos that resemble none of the run's are stratified among themselves, by the same shares and into the
    same number of folds.

    >>> two = np.array([0, 1]), np.array(["test", ""]), np.array([-1, -1])
    >>> join_split(np.eye(2, dtype=np.int8), ["a", "b"], *two, val=0, test=0, num_folds=2, seed=0).split.tolist()
    ['test', 'train']
    """
    split = split.astype("<U5")
    fold = fold.copy()
    new_N = split == ""
    between = _join_groups(groups, split, fold)
    num_joined = int((new_N & (split != "")).sum())
    rest = np.flatnonzero(split == "")
    split[rest], fold[rest] = spread_images(
        labels_NK[rest], np.asarray(hashes)[rest], groups[rest],
        shares=(1 - val - test, val, test), num_folds=num_folds, seed=seed,
    )  # fmt: skip
    return JoinedSplit(split, fold, num_joined, between)


def by_folders(
    parts: JoinedSplit, files: Sequence[str], new_N: NDArray[np.bool_], num_folds: int
) -> JoinedSplit:
    """The parts where folders such as ``train/`` and ``test/`` say the split: new photos are where they lie."""
    split = parts.split.copy()
    fold = parts.fold.copy()
    for n in np.flatnonzero(new_N).tolist():
        split[n] = split_of_file(files[n]) or split[n]
        fold[n] = -1 if split[n] == "test" else fold[n] if fold[n] >= 0 else n % num_folds
    return replace(parts, split=split, fold=fold)


def _join_groups(groups: Indices, split: NDArray[np.str_], fold: Indices) -> int:
    """Give the new photos of each group the part of its photos of the run; how many of them lie between two parts."""
    new_N = split == ""
    members_of = defaultdict(list)
    for row in np.flatnonzero(np.isin(groups, np.intersect1d(groups[new_N], groups[~new_N]))).tolist():
        members_of[int(groups[row])].append(row)
    between = 0
    for members in members_of.values():
        new = [row for row in members if new_N[row]]
        old = [row for row in members if not new_N[row]]
        source = next((row for row in old if split[row] == "test"), old[0])
        between += len(new) if len({(split[row], fold[row]) for row in old}) > 1 else 0
        split[new] = split[source]
        fold[new] = fold[source]
    return between
