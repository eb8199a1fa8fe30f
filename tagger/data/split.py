"""Stratified train, val and test splits and folds; copies of an image stay in one split.

Iterative stratification (``iterstrat``) is called once with all three shares, not twice through its
splitters: so a rare label's few images are balanced over the three splits together. 100,000 images with 20
labels took 2 s on one core, splits and folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells
from tagger.data.part_sizes import even_out, size_note
from tagger.errors import TaggerError
from tagger.text import counted

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """``split`` (N): "train", "val" or "test". ``fold`` (N): the fold of a train or val image, -1 for test."""

    split: NDArray[np.str_]
    fold: NDArray[np.int64]
    notes: tuple[str, ...]


def split_images(
    labels_NK: Cells,
    hashes: Sequence[str] | NDArray[np.str_],
    *,
    groups: NDArray[np.int64] | None = None,
    val: float = 0.1,
    test: float = 0.1,
    folds: int = 5,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> Split:
    """Stratified splits and folds: every label has nearly the same share in each of them.

    Images with the same hash stay together; with ``groups`` (N; ``near_duplicate_groups`` of images and
    hashes) so do those of one group. "No label" is balanced like a label; unknown cells count as *no*. The
    result depends on the set of images and on ``seed``, not on their order. Sechidis et al. 2011, "On the
    stratification of multi-label data". TaggerError if there are fewer different images than splits.

    >>> result = split_images(np.eye(3, dtype=np.int8), ["a", "b", "c"], folds=2)
    >>> sorted(result.split.tolist()), result.fold[result.split == "test"].tolist()
    (['test', 'train', 'val'], [-1])
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1 and folds >= 1):
        raise TaggerError(
            f"val={val}, test={test}, folds={folds}: give shares from 0 whose sum is below 1, and folds >= 1"
        )
    targets_GK, group_N = _unique_images(labels_NK, _group_keys(hashes, groups))
    shares = np.array([1 - val - test, val, test])
    wanted = [part for part in range(3) if shares[part] > 0]
    if len(targets_GK) < len(wanted):
        needed = " and ".join(["one for training"] + [f"one for {SPLITS[part]}" for part in wanted[1:]])
        raise TaggerError(
            f"{counted(len(targets_GK), 'different image')}: too few to split."
            f" At least {len(wanted)} are needed: {needed}"
        )
    rng = np.random.RandomState(seed)  # iterstrat takes no Generator
    sizes_G = np.bincount(group_N)
    part_G = _stratify(targets_GK, sizes_G, shares[wanted], rng)
    split_G = np.array(wanted)[part_G]

    trains_G = split_G != SPLITS.index("test")
    num_folds = min(folds, int(trains_G.sum()))
    fold_G = np.full(len(split_G), -1, dtype=np.int64)
    even = np.full(num_folds, 1 / num_folds)
    fold_G[trains_G] = _stratify(targets_GK[trains_G], sizes_G[trains_G], even, rng)

    notes = (
        [f"{num_folds} folds, not {folds}: only {num_folds} different photos remain outside the test part"]
        if num_folds < folds
        else []
    )
    notes += size_note(sizes_G, part_G, shares[wanted], "Split")
    notes += size_note(sizes_G[trains_G], fold_G[trains_G], even, "Folds")
    notes += _rare_labels(targets_GK[:, :-1], split_G, wanted, names)
    return Split(np.array(SPLITS)[split_G][group_N], fold_G[group_N], tuple(notes))


def spread_images(
    labels_NK: Cells,
    hashes: Sequence[str] | NDArray[np.str_],
    groups: NDArray[np.int64],
    *,
    shares: Sequence[float],
    num_folds: int,
    seed: int,
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """(split, fold) of any number of images that join others: stratified, and of few of them a split may have none.

    ``shares`` are those of train, val and test; groups stay together.

    >>> [part.tolist() for part in spread_images(np.ones((1, 1), np.int8), ["a"], np.array([0]), shares=(1, 0, 0),
    ... num_folds=1, seed=0)]
    [['train'], [0]]
    """
    if not len(labels_NK):
        return np.empty(0, dtype="<U5"), np.empty(0, dtype=np.int64)
    targets_GK, group_N = _unique_images(labels_NK, _group_keys(hashes, groups))
    rng = np.random.RandomState(seed)
    wanted = [part for part in range(3) if shares[part] > 0]
    sizes_G = np.bincount(group_N)
    asked = np.array([shares[part] for part in wanted])
    split_G = np.array(wanted)[even_out(targets_GK, sizes_G, _spread(targets_GK, asked, rng), asked)]
    trains_G = split_G != SPLITS.index("test")
    fold_G = np.full(len(split_G), -1, dtype=np.int64)
    if trains_G.any():
        even = np.full(num_folds, 1 / num_folds)
        parts = _spread(targets_GK[trains_G], even, rng)
        fold_G[trains_G] = even_out(targets_GK[trains_G], sizes_G[trains_G], parts, even)
    return np.array(SPLITS)[split_G][group_N], fold_G[group_N]


def split_table(labels_NK: Cells, split: NDArray[np.str_], names: Sequence[str]) -> pd.DataFrame:
    """Positives and shares of each label in each split.

    Columns: ``label``; positives in ``all``, ``train`` ...; their share of the known cells in ``share_all``,
    ``share_train`` ...; ``largest_difference``: the largest relative difference between a split's share and
    that of all images (0.1 = a tenth more or less).

    >>> labels_NK, split = np.array([[1], [0], [1], [1]], np.int8), np.array(["train", "train", "val", "test"])
    >>> split_table(labels_NK, split, ["cat"]).round(2).T
    ... # doctest: +NORMALIZE_WHITESPACE
                           0
    label                cat
    all                    3
    train                  1
    val                    1
    test                   1
    share_all           0.75
    share_train          0.5
    share_val            1.0
    share_test           1.0
    largest_difference  0.33
    """
    masks = {"all": np.ones(len(split), dtype=bool)} | {
        part: split == part for part in SPLITS if (split == part).any()
    }
    positives = {part: (labels_NK[mask] == YES).sum(axis=0) for part, mask in masks.items()}
    known = {part: (labels_NK[mask] >= NO).sum(axis=0) for part, mask in masks.items()}
    shares = {f"share_{part}": positives[part] / np.maximum(known[part], 1) for part in masks}
    all_K = shares["share_all"]
    differences = [np.abs(share_K - all_K) / np.where(all_K > 0, all_K, 1) for share_K in shares.values()]
    largest_K = np.max(differences, axis=0)
    return pd.DataFrame({"label": list(names), **positives, **shares, "largest_difference": largest_K})


def _group_keys(
    hashes: Sequence[str] | NDArray[np.str_], groups: NDArray[np.int64] | None
) -> NDArray[np.str_]:
    """The smallest hash in each image's group: a key of the group that does not depend on the order of images."""
    hashes_N = np.asarray(hashes, dtype=str)
    if groups is None:
        return hashes_N
    order = np.lexsort((hashes_N, groups))
    _, first, group_N = np.unique(groups[order], return_index=True, return_inverse=True)
    keys_N = np.empty_like(hashes_N)
    keys_N[order] = hashes_N[order[first]][group_N]
    return keys_N


def _unique_images(labels_NK: Cells, keys_N: NDArray[np.str_]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(targets_GK, group_N): the G groups' labels with a last column "no label", and each image's group."""
    unique, group_N = np.unique(keys_N, return_inverse=True)
    targets_GK = np.zeros((len(unique), labels_NK.shape[1] + 1), dtype=bool)
    np.logical_or.at(targets_GK, group_N, np.pad(labels_NK == YES, ((0, 0), (0, 1))))
    targets_GK[:, -1] = ~targets_GK.any(axis=1)
    return targets_GK, group_N


def _stratify(
    targets_GK: NDArray[np.bool_],
    sizes_G: NDArray[np.int64],
    shares_P: NDArray[np.float64],
    rng: np.random.RandomState,
) -> NDArray[np.int64]:
    """A split (0..P-1) for each group, of about the sizes asked; none is empty if there are enough groups."""
    split_G = _spread(targets_GK, shares_P, rng)
    counts_P = np.bincount(split_G, minlength=len(shares_P))
    for empty in np.flatnonzero(counts_P == 0):
        donor = counts_P.argmax()
        split_G[rng.choice(np.flatnonzero(split_G == donor))] = empty
        counts_P = np.bincount(split_G, minlength=len(shares_P))
    return even_out(targets_GK, sizes_G, split_G, shares_P)


def _spread(
    targets_GK: NDArray[np.bool_], shares_P: NDArray[np.float64], rng: np.random.RandomState
) -> NDArray[np.int64]:
    """A split (0..P-1) for each group, by its labels; of few groups, splits may be empty."""
    # Imported here: it loads scikit-learn (0.7 s), which the review app does not need.
    from iterstrat.ml_stratifiers import IterativeStratification

    order = rng.permutation(len(targets_GK))
    split_G = np.empty(len(targets_GK), dtype=np.int64)
    split_G[order] = IterativeStratification(targets_GK[order], shares_P / shares_P.sum(), rng)
    return split_G


def _rare_labels(
    targets_GK: NDArray[np.bool_],
    split_G: NDArray[np.int64],
    wanted: Sequence[int],
    names: Sequence[str] | None,
) -> list[str]:
    """A sentence for each label that has images, but not in every split."""
    notes = []
    for k in range(targets_GK.shape[1]):
        missing = [SPLITS[part] for part in wanted if not targets_GK[split_G == part, k].any()]
        count = int(targets_GK[:, k].sum())
        if missing and count:
            label = repr(names[k]) if names is not None else f"number {k}"
            reason = f"too few to be in every split (none in {', '.join(missing)})"
            notes.append(f"label {label} has {counted(count, 'image')}: {reason}")
    return notes
