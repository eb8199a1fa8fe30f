"""Parts of a split are as large as asked, whatever the labels; a split that was fine stays bit for bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.data import split as split_module
from tagger.data import split_images
from tagger.data.part_sizes import are_fine, even_out, size_note

PARTS = ("train", "val", "test")


def drawn(num_images: int, num_labels: int, share: float, seed: int = 0) -> np.ndarray:
    """Cells with a share of yes."""
    return (np.random.default_rng(seed).random((num_images, num_labels)) < share).astype(np.int8)


def names(num_images: int) -> list[str]:
    """A hash for each image."""
    return [f"{n:06}" for n in range(num_images)]


def sizes_of(split: Any) -> list[int]:
    """Images of train, val and test."""
    return [int((split.split == part).sum()) for part in PARTS]


@pytest.mark.parametrize("share", [0.005, 0.02, 0.2, 0.9])
@pytest.mark.parametrize("num_labels", [400, 1600, 4000])
def test_more_labels_than_photos_are_split_as_asked(num_labels: int, share: float):
    split = split_images(drawn(200, num_labels, share), names(200))
    assert sizes_of(split) == pytest.approx([160, 20, 20], abs=4)
    assert sizes_of(split)[1:] == pytest.approx([20, 20], abs=2)
    counts = np.bincount(split.fold[split.fold >= 0], minlength=5)
    assert counts.tolist() == pytest.approx([counts.sum() / 5] * 5, abs=2)


@settings(max_examples=40, deadline=None)
@given(
    num_images=st.integers(20, 300), num_labels=st.integers(1, 300), share=st.floats(0.01, 0.6),
    val=st.sampled_from([0.0, 0.1, 0.3]), test=st.sampled_from([0.0, 0.1, 0.3]), seed=st.integers(0, 5),
)  # fmt: skip
def test_any_photos_on_their_own_are_split_as_asked(
    num_images: int, num_labels: int, share: float, val: float, test: float, seed: int
):
    labels_NK = drawn(num_images, num_labels, share, seed)
    split = split_images(labels_NK, names(num_images), val=val, test=test, folds=4, seed=seed)
    wanted = np.array([1 - val - test, val, test]) * num_images
    assert (np.abs(np.array(sizes_of(split)) - wanted)[1:] <= 2).all()  # at most 90 of each are asked
    assert not [note for note in split.notes if "were asked" in note]
    shuffled = np.random.default_rng(seed).permutation(num_images)
    again = split_images(
        labels_NK[shuffled], np.array(names(num_images))[shuffled], val=val, test=test, folds=4, seed=seed
    )
    assert (again.split == split.split[shuffled]).all()
    assert (again.fold == split.fold[shuffled]).all()


@pytest.mark.parametrize(
    ("num_images", "num_labels", "share"), [(80, 10, 0.3), (5000, 20, 0.3), (8000, 14, 0.3)]
)
def test_a_split_that_was_fine_stays(
    num_images: int, num_labels: int, share: float, monkeypatch: pytest.MonkeyPatch
):
    labels_NK = drawn(num_images, num_labels, share, seed=3)
    found = split_images(labels_NK, names(num_images))
    monkeypatch.setattr(split_module, "even_out", lambda targets_GK, sizes_G, part_G, shares_P: part_G)
    before = split_images(labels_NK, names(num_images))
    assert are_fine(np.array(sizes_of(before)), num_images * np.array([0.8, 0.1, 0.1]))
    assert (found.split == before.split).all()
    assert (found.fold == before.fold).all()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=3, max_size=60),
    num_parts=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_no_move_makes_sizes_worse_and_none_is_left_that_makes_them_better(
    sizes: list[int], num_parts: int, seed: int
):
    rng = np.random.default_rng(seed)
    sizes_G, targets_GK = np.array(sizes), rng.random((len(sizes), 4)) < 0.5
    part_G = np.concatenate([np.arange(num_parts), rng.integers(0, num_parts, len(sizes))])[: len(sizes)]
    shares_P = rng.dirichlet(np.ones(num_parts))
    wanted_P = sizes_G.sum() * shares_P

    def off(parts_G: np.ndarray) -> float:
        return np.abs(np.bincount(parts_G, weights=sizes_G, minlength=num_parts) - wanted_P).sum()

    found = even_out(targets_GK, sizes_G, part_G, shares_P)
    assert off(found) <= off(part_G) + 1e-6
    assert set(found) == set(part_G)
    sums_P = np.bincount(found, weights=sizes_G, minlength=num_parts)
    if (found == part_G).all() and are_fine(sums_P, wanted_P):
        return
    for group in range(len(sizes)):  # the slow way: every single move
        if (found == found[group]).sum() > 1 and np.abs(sums_P - wanted_P).max() >= 1:
            for part in range(num_parts):
                moved = found.copy()
                moved[group] = part
                assert off(moved) >= off(found) - 1e-6


def test_labels_stay_more_even_than_by_chance():
    labels_NK = drawn(300, 100, 0.1)
    split = split_images(labels_NK, names(300))
    chance = np.random.default_rng(0).permutation(split.split)

    def unevenness(parts: np.ndarray) -> float:
        return float(np.abs(labels_NK[parts == "test"].sum(0) - 0.1 * labels_NK.sum(0)).mean())

    assert unevenness(split.split) < 0.8 * unevenness(chance)


def test_groups_that_allow_no_nearer_are_said():
    groups = np.array([0] * 60 + [1] * 30 + [2] * 10)
    split = split_images(drawn(100, 3, 0.3), names(100), groups=groups, val=0.2, test=0.2, folds=2)
    for group in range(3):
        assert len(set(split.split[groups == group])) == 1
    assert any("where 60 + 20 + 20 were asked" in note and "up to 60" in note for note in split.notes)


def test_groups_of_many_sizes_come_near():
    sizes = np.random.default_rng(1).integers(1, 40, 60)
    groups = np.repeat(np.arange(60), sizes)
    split = split_images(drawn(len(groups), 5, 0.3), names(len(groups)), groups=groups)
    wanted = np.array([0.8, 0.1, 0.1]) * len(groups)
    assert np.abs(np.array(sizes_of(split)) - wanted).max() <= 5
    assert size_note(np.ones(10, int), np.arange(10) % 2, np.array([0.5, 0.5]), "Folds") == []
