"""The fast search against the slow one: the same where every region is looked at, nearly the same otherwise."""

import numpy as np
import pytest

from tagger.suspects import nearest_images
from tagger.suspects.feature_reduction import reduce_features
from tagger.suspects.inverted_file import MAX_OVERSIZE, ivf_search, region_size, regions
from tagger.suspects.nearest_neighbours import exact_neighbours


@pytest.fixture
def unit_NC() -> np.ndarray:
    """3,000 unit vectors in overlapping clusters."""
    rng = np.random.default_rng(0)
    vectors_NC = rng.normal(size=(60, 16))[rng.integers(60, size=3000)] + 0.7 * rng.normal(size=(3000, 16))
    return (vectors_NC / np.linalg.norm(vectors_NC, axis=1, keepdims=True)).astype(np.float32)


def test_all_regions_probed_is_the_search_through_all_pairs(unit_NC) -> None:
    rows_NM, cosine_NM = ivf_search(unit_NC, 20, size=200, probed=15)
    exact_NM, exact_cosine_NM = exact_neighbours(unit_NC, 20)
    np.testing.assert_array_equal(np.sort(rows_NM, axis=1), np.sort(exact_NM, axis=1))
    np.testing.assert_allclose(np.sort(cosine_NM, axis=1), np.sort(exact_cosine_NM, axis=1), atol=1e-5)


def test_near_regions_hold_nearly_all_of_the_nearest_images(unit_NC) -> None:
    rows_NM, _ = ivf_search(unit_NC, 20, size=50, probed=16)
    exact_NM, _ = exact_neighbours(unit_NC, 20)
    shared = [np.isin(found, exact).mean() for found, exact in zip(rows_NM, exact_NM, strict=True)]
    assert np.mean(shared) > 0.95


def test_every_image_is_in_one_region_and_none_is_too_large(unit_NC) -> None:
    alike_NC = np.concatenate([unit_NC, np.repeat(unit_NC[:1], 2000, axis=0)])  # 2,000 copies of one image
    found = regions(alike_NC, 50, np.random.default_rng(0))
    assert sorted(np.concatenate(found)) == list(range(len(alike_NC)))
    assert max(map(len, found)) <= MAX_OVERSIZE * 50
    rows_NM, _ = ivf_search(alike_NC, 20, size=50)
    assert (rows_NM >= 0).all()


def test_many_images_get_neighbours_of_other_groups_nearest_first() -> None:
    rng = np.random.default_rng(0)
    features_ND, group_N = rng.normal(size=(2000, 12)), np.arange(2000)
    features_ND[1::2], group_N[1::2] = features_ND[::2], group_N[::2]  # each image twice
    rows_NM, cosine_NM = nearest_images(features_ND, group_N, num=10, exact=100)
    assert (group_N[rows_NM] != group_N[:, None]).all()
    assert (np.diff(cosine_NM, axis=1) <= 1e-6).all()
    unit_NC = reduce_features(features_ND)
    np.testing.assert_allclose(cosine_NM[:, 0], (unit_NC * unit_NC[rows_NM[:, 0]]).sum(axis=1), atol=1e-5)
    again_NM, _ = nearest_images(features_ND, group_N, num=10, exact=100)
    np.testing.assert_array_equal(rows_NM, again_NM)


def test_regions_grow_with_the_square_root_of_the_images() -> None:
    assert region_size(4_000_000 * 100) == pytest.approx(10 * region_size(4_000_000), rel=0.01)


def test_features_in_a_file_are_those_in_memory(tmp_path) -> None:
    features_ND = np.random.default_rng(0).normal(size=(500, 20)).astype(np.float16)
    np.save(tmp_path / "features.npy", features_ND)
    mapped_ND = np.load(tmp_path / "features.npy", mmap_mode="r")
    np.testing.assert_array_equal(reduce_features(mapped_ND), reduce_features(features_ND))


@pytest.mark.parametrize("shape", [(9, 2), (2, 9)])
def test_images_that_all_look_the_same_are_alike_in_nothing(shape: tuple[int, int]):
    assert not reduce_features(np.ones(shape, np.float16)).any()
    rows_NM, cosine_NM = nearest_images(np.ones(shape, np.float16), np.arange(shape[0]), num=1)
    assert (rows_NM >= 0).all()
    assert not cosine_NM.any()
