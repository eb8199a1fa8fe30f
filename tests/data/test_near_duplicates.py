"""Near-duplicates: as a slow loop over pairs finds them, planted copies, and no chains of what only looks plain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, zoom
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tagger.data.images.near_duplicates import connected_groups, near_duplicate_groups


def pictures(num, seed=0, smooth=2.0, side=64):
    """Smooth random pictures (num, side, side), 0..255: as much alike as photos are."""
    rng = np.random.default_rng(seed)
    soft = gaussian_filter(rng.normal(size=(num, side, side)), (0, smooth * side / 16, smooth * side / 16))
    return np.clip(128 + 45 * soft / soft.std(axis=(1, 2), keepdims=True), 0, 255)


def thumbs_of(images):
    side = images.shape[1] // 16
    return np.rint(images.reshape(-1, 16, side, 16, side).mean((2, 4))).astype(np.uint8)


def colours_of(images):
    return np.repeat(np.rint(images.mean((1, 2)))[:, None], 3, axis=1).astype(np.uint8)


def groups_of(images, **options):
    return near_duplicate_groups(thumbs_of(images), colours_of(images), **options)


def cut(images, share):
    """The middle of each picture, enlarged to the whole."""
    side = images.shape[1]
    big = zoom(images, (1, 1 / (1 - share), 1 / (1 - share)), order=1, grid_mode=True, mode="nearest")
    at = (big.shape[1] - side) // 2
    return big[:, at : at + side, at : at + side]


COPIES = {
    "noise of re-encoding": lambda images: images + np.random.default_rng(5).normal(0, 6, images.shape),
    "half the size and back": lambda images: images[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2),
    "brighter": lambda images: images * 1.15,
    "darker": lambda images: images * 0.85,
    "mirrored": lambda images: images[:, :, ::-1],
    "light from one side": lambda images: images + np.linspace(-40, 40, images.shape[2]),
    "a border of 2 % cut off": lambda images: cut(images, 0.02),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_and_different_pictures_are_not(kind):
    images = pictures(400)
    copies = np.clip(COPIES[kind](images[:100]), 0, 255)
    group_N = groups_of(np.concatenate([images, copies]))
    assert (group_N[:400] == np.arange(400)).all()
    assert (group_N[400:] == np.arange(100)).mean() >= 0.98


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_loop_over_all_pairs_finds_the_same_groups(seed):
    rng = np.random.default_rng(seed)
    images = pictures(60, seed, smooth=3.0)
    images = np.concatenate([images, images[rng.integers(0, 60, 60)] + rng.normal(0, 15, (60, 64, 64))])
    images[::7] = images[::7, :, ::-1]
    thumbs = thumbs_of(np.clip(images, 0, 255))
    grid = np.linspace(-1, 1, 16)
    x, y = np.meshgrid(grid, grid)
    surfaces = np.stack([np.ones_like(x), x, y, x * y, x**2, y**2], -1).reshape(-1, 6)

    def rest(thumb):
        values = thumb.astype(float).ravel()
        return (values - surfaces @ np.linalg.lstsq(surfaces, values, rcond=None)[0]).reshape(16, 16)

    rests = [[rest(thumb), rest(thumb[:, ::-1])] for thumb in thumbs]
    pairs = {
        (a, b): max(np.corrcoef(rests[a][0].ravel(), other.ravel())[0, 1] for other in rests[b])
        for a in range(120)
        for b in range(a)
    }
    group_N = near_duplicate_groups(thumbs, colours_of(images))
    allowed_N = components(
        120, [pair for pair, score in pairs.items() if score >= 0.958]
    )  # shapes are rounded
    required = [pair for pair, score in pairs.items() if score >= 0.965]
    assert len(required) > 20
    assert all(group_N[a] == group_N[b] for a, b in required)
    assert all(len(set(allowed_N[group_N == group])) == 1 for group in set(group_N))


def components(num, pairs):
    left, right = np.array(pairs).reshape(-1, 2).T
    return connected_components(
        coo_array((np.ones(len(left)), (left, right)), shape=(num, num)), directed=False
    )[1]


def same_groups(one, other):
    return len(np.unique(one)) == len(np.unique(other)) == len(np.unique(np.stack([one, other]), axis=1).T)


@given(num=st.integers(1, 30), num_pairs=st.integers(0, 40), seed=st.integers(0, 999))
def test_joined_rows_are_the_connected_components_named_by_their_smallest_row(num, num_pairs, seed):
    pairs = np.random.default_rng(seed).integers(0, num, (num_pairs, 2))
    root_N = connected_groups(num, pairs[:, 0], pairs[:, 1])
    assert same_groups(root_N, components(num, pairs))
    assert all(root == np.flatnonzero(root_N == root).min() for root in root_N)


def test_a_long_chain_is_one_group():
    images = np.random.default_rng(0).permutation(5000)
    assert (connected_groups(5000, images[:-1], images[1:]) == 0).all()


def test_walls_of_one_colour_are_together_only_if_their_colour_is_equal():
    levels = np.repeat(np.arange(0, 256, 4), 2)
    images = np.full((len(levels), 64, 64), 1.0) * levels[:, None, None]
    group_N = groups_of(images + np.random.default_rng(0).normal(0, 1.5, images.shape).clip(-1, 1))
    assert np.bincount(group_N).max() == 2  # no chain from black to white
    assert (group_N[::2] == group_N[1::2]).mean() > 0.9
    red, blue = (
        np.tile(np.array(colour, dtype=np.uint8), (1, 1)) for colour in ([200, 20, 20], [20, 20, 200])
    )
    flat = np.full((2, 16, 16), 80, dtype=np.uint8)
    assert near_duplicate_groups(flat, np.concatenate([red, blue])).tolist() == [0, 1]


def test_plain_images_under_changing_light_are_no_near_duplicates_of_each_other():
    rng = np.random.default_rng(0)
    ramp = np.linspace(-1, 1, 64)
    slope_N2 = rng.normal(0, 30, (300, 2))
    light = slope_N2[:, 0, None, None] * ramp + slope_N2[:, 1, None, None] * ramp[:, None]
    images = np.clip(120 + rng.normal(0, 20, (300, 1, 1)) + light + rng.normal(0, 6, (300, 64, 64)), 0, 255)
    assert np.bincount(groups_of(images)).max() <= 2


def test_thousands_of_equal_images_are_one_group():
    one = pictures(1)
    images = np.concatenate([one.repeat(3000, axis=0), pictures(50, seed=1)])
    assert np.bincount(groups_of(images)).tolist()[0] == 3000


def test_equal_hashes_belong_together_whatever_the_pictures_look_like():
    group_N = groups_of(pictures(4), hashes=["a", "b", "a", "c"])
    assert group_N.tolist() == [0, 1, 0, 3]


@pytest.mark.parametrize("num", [0, 1, 2])
def test_few_images_are_enough(num):
    assert groups_of(pictures(2)[:num]).tolist() == list(range(num))
