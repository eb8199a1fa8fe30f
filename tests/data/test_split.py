"""Splits keep copies together, give each label its share, and say where that is not possible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.data import split_images, split_table
from tagger.errors import TaggerError


def drawn_labels(num_images, num_labels, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((num_images, num_labels)) < np.geomspace(0.4, 0.02, num_labels)).astype(np.int8)


def own_hashes(num_images):
    return [f"{n:032x}" for n in range(num_images)]


def test_every_label_has_its_share_everywhere():
    labels_NK = drawn_labels(2000, 8)
    split = split_images(labels_NK, own_hashes(2000))
    for part, share in (("train", 0.8), ("val", 0.1), ("test", 0.1)):
        counts_K = labels_NK[split.split == part].sum(axis=0)
        assert np.abs(counts_K - share * labels_NK.sum(axis=0)).max() <= 2
    for fold in range(5):
        counts_K = labels_NK[split.fold == fold].sum(axis=0)
        assert np.abs(counts_K - 0.18 * labels_NK.sum(axis=0)).max() <= 2
    assert split.notes == ()


def test_images_without_labels_are_balanced_too():
    labels_NK = drawn_labels(1000, 3)
    none_N = labels_NK.sum(axis=1) == 0
    split = split_images(labels_NK, own_hashes(1000))
    assert abs(none_N[split.split == "test"].sum() - 0.1 * none_N.sum()) <= 2


@settings(max_examples=60, deadline=None)
@given(
    num_images=st.integers(3, 60),
    num_labels=st.integers(1, 5),
    num_hashes=st.integers(3, 60),
    folds=st.integers(1, 8),
    seed=st.integers(0, 9),
)
def test_any_data_set_is_divided_whole(num_images, num_labels, num_hashes, folds, seed):
    rng = np.random.default_rng(seed)
    labels_NK = rng.integers(-1, 2, (num_images, num_labels)).astype(np.int8)
    hashes_N = np.array([f"h{h}" for h in rng.integers(0, num_hashes, num_images)])
    hashes_N[:3] = ["h0", "h1", "h2"]  # three different images at least
    split = split_images(labels_NK, hashes_N, folds=folds, seed=seed)
    assert set(split.split) == {"train", "val", "test"}
    assert np.array_equal(split.fold == -1, split.split == "test")
    assert set(split.fold) - {-1} == set(range(split.fold.max() + 1))
    for digest in set(hashes_N):
        assert len(set(split.split[hashes_N == digest])) == len(set(split.fold[hashes_N == digest])) == 1


def test_the_seed_decides_and_the_order_of_images_does_not():
    labels_NK, hashes = drawn_labels(300, 4), np.array(own_hashes(300))
    first, again = (split_images(labels_NK, hashes, seed=1) for _ in range(2))
    assert np.array_equal(first.split, again.split)
    assert np.array_equal(first.fold, again.fold)
    assert not np.array_equal(first.split, split_images(labels_NK, hashes, seed=2).split)
    order = np.random.default_rng(0).permutation(300)
    moved = split_images(labels_NK[order], hashes[order], seed=1)
    assert np.array_equal(moved.split, first.split[order])
    assert np.array_equal(moved.fold, first.fold[order])


def test_three_images_are_one_each_and_two_are_too_few():
    split = split_images(np.ones((3, 1), dtype=np.int8), ["a", "b", "c"], folds=5)
    assert sorted(split.split) == ["test", "train", "val"]
    assert "2 folds, not 5: only 2 different photos" in split.notes[0]
    with pytest.raises(TaggerError, match=r"2 different images: too few to split. At least 3"):
        split_images(np.ones((4, 1), dtype=np.int8), ["a", "b", "b", "a"])


def test_a_part_with_no_share_stays_empty():
    split = split_images(drawn_labels(50, 2), own_hashes(50), test=0.0)
    assert set(split.split) == {"train", "val"}
    with pytest.raises(TaggerError, match="whose sum is below 1"):
        split_images(drawn_labels(50, 2), own_hashes(50), val=0.5, test=0.5)


def test_rare_labels_are_named():
    labels_NK = np.zeros((200, 3), dtype=np.int8)
    labels_NK[:100, 0] = 1
    labels_NK[:3, 1] = 1
    notes = split_images(labels_NK, own_hashes(200), names=["people", "baby", "never"]).notes
    assert len(notes) == 1
    assert notes[0].startswith("label 'baby' has 3 images: too few to be in every split")


def test_the_table_agrees_with_counting_by_hand():
    labels_NK = drawn_labels(200, 3)
    labels_NK[::7, 1] = -1
    split = split_images(labels_NK, own_hashes(200))
    table = split_table(labels_NK, split.split, ["a", "b", "c"]).set_index("label")
    for k, label in enumerate("abc"):
        known = labels_NK[:, k] >= 0
        whole = (labels_NK[known, k] == 1).mean()
        largest = 0.0
        for part in ("train", "val", "test"):
            cells = labels_NK[known & (split.split == part), k]
            assert table.loc[label, part] == (cells == 1).sum()
            assert table.loc[label, f"share_{part}"] == pytest.approx((cells == 1).mean())
            largest = max(largest, abs((cells == 1).mean() - whole) / whole)
        assert table.loc[label, "largest_difference"] == pytest.approx(largest)


@pytest.mark.parametrize("seed", range(3))
def test_groups_stay_together_whatever_the_order_of_images(seed):
    rng = np.random.default_rng(seed)
    labels_NK, hashes = drawn_labels(200, 4), np.array(own_hashes(200))
    groups = rng.integers(0, 60, 200)
    split = split_images(labels_NK, hashes, groups=groups, seed=seed)
    for group in set(groups):
        assert len(set(split.split[groups == group])) == len(set(split.fold[groups == group])) == 1
    order = rng.permutation(200)
    smallest = np.array([np.flatnonzero(groups[order] == group).min() for group in groups[order]])
    moved = split_images(labels_NK[order], hashes[order], groups=smallest, seed=seed)
    assert np.array_equal(moved.split, split.split[order])
    assert np.array_equal(moved.fold, split.fold[order])


def test_groups_of_one_image_each_change_nothing():
    labels_NK = drawn_labels(100, 3)
    alone, none = (
        split_images(labels_NK, own_hashes(100), groups=groups) for groups in (np.arange(100), None)
    )
    assert np.array_equal(alone.split, none.split)
    assert np.array_equal(alone.fold, none.fold)
