"""New photos join the split of a run: its photos stay, copies are on their side, the rest is shared out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.joined_split import join_split
from tagger.data.split import split_images

PARTS = ("train", "val", "test", "")


def joined(groups: list[int], split: list[str], fold: list[int], **more: Any):
    """Parts of photos with one label on every second one."""
    labels_NK = np.arange(len(groups))[:, None] % 2 == 0
    hashes = [f"{n:04}" for n in range(len(groups))]
    settings = {"val": 0.1, "test": 0.1, "num_folds": 4, "seed": 0} | more
    return join_split(
        labels_NK.astype(np.int8), hashes, np.array(groups), np.array(split), np.array(fold), **settings
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(PARTS), st.integers(0, 3)), min_size=1, max_size=30
    ),
    st.integers(0, 3),
)
def test_what_the_run_had_stays_and_groups_stay_together(rows: list[tuple[int, str, int]], seed: int):
    groups, split = [row[0] for row in rows], [row[1] for row in rows]
    fold = [-1 if part in ("test", "") else number for _, part, number in rows]
    found = joined(groups, split, fold, seed=seed)
    for n, part in enumerate(split):
        if part:
            assert (found.split[n], found.fold[n]) == (part, fold[n])
        assert found.split[n] in PARTS[:3]
        assert (found.fold[n] == -1) == (found.split[n] == "test")
        assert -1 <= found.fold[n] < 4
    for group in set(groups):
        old = {(split[n], fold[n]) for n, one in enumerate(groups) if one == group and split[n]}
        new = {
            (found.split[n], found.fold[n]) for n, one in enumerate(groups) if one == group and not split[n]
        }
        assert len(new) <= 1
        if old and new:
            assert new <= old
            assert ("test", -1) in new or ("test", -1) not in old  # a copy of a test photo is never learnt


def test_the_new_photos_are_shared_out_as_asked():
    num = 200
    found = joined(list(range(num + 50)), ["train"] * 50 + [""] * num, [0] * 50 + [-1] * num)
    parts, counts = np.unique(found.split[50:], return_counts=True)
    assert dict(zip(parts.tolist(), counts.tolist(), strict=True)) == pytest.approx(
        {"train": 160, "val": 20, "test": 20}, abs=2
    )
    assert np.bincount(found.fold[50:][found.split[50:] != "test"]).tolist() == pytest.approx([45] * 4, abs=2)


@pytest.mark.parametrize("num_new", [0, 1, 2])
def test_very_few_photos_are_no_error(num_new: int):
    found = joined(list(range(5 + num_new)), ["train"] * 5 + [""] * num_new, [0, 1, 2, 3, 0] + [-1] * num_new)
    assert (found.num_joined, found.num_between) == (0, 0)


def test_photos_between_two_sides_are_counted():
    found = joined([0, 0, 0, 1, 1], ["train", "test", "", "val", ""], [1, -1, -1, 2, -1])
    assert found.split.tolist() == ["train", "test", "test", "val", "val"]
    assert (found.num_joined, found.num_between) == (2, 1)


def test_without_test_photos_there_are_none_afterwards():
    found = joined(list(range(40)), ["train"] * 20 + [""] * 20, [0] * 20 + [-1] * 20, test=0)
    assert "test" not in found.split


def test_a_split_of_all_photos_is_as_before():
    labels_NK = np.random.default_rng(0).integers(0, 2, (60, 3)).astype(np.int8)
    parts = split_images(labels_NK, [f"{n:04}" for n in range(60)], folds=4)
    found = joined(list(range(60)), parts.split.tolist(), parts.fold.tolist())
    assert found.split.tolist() == parts.split.tolist()
    assert found.fold.tolist() == parts.fold.tolist()
