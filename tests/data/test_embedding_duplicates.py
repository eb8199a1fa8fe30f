"""Groups of images with features alike, as a loop over all pairs finds them."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from tagger.data.images import embedding_duplicates
from tagger.data.images.embedding_duplicates import block_starts, embedding_duplicate_groups


@pytest.mark.parametrize(("rows", "columns"), [(1024, 4096), (7, 5), (5, 16)])
def test_the_groups_are_those_of_all_pairs_whatever_the_blocks(monkeypatch, rows: int, columns: int):
    monkeypatch.setattr(embedding_duplicates, "BLOCK_ROWS", rows)
    monkeypatch.setattr(embedding_duplicates, "BLOCK_COLUMNS", columns)
    rng = np.random.default_rng(0)
    unit_ND = rng.normal(size=(40, 3)).astype(np.float32)
    unit_ND /= np.linalg.norm(unit_ND, axis=1, keepdims=True)
    _, expected_N = connected_components(unit_ND @ unit_ND.T >= 0.97)
    group_N = embedding_duplicate_groups(unit_ND, min_similarity=0.97)
    assert ((group_N[:, None] == group_N) == (expected_N[:, None] == expected_N)).all()
    assert (group_N <= np.arange(40)).all()


@pytest.mark.parametrize("num", [0, 1, 1024, 1025, 5000])
def test_the_blocks_hold_every_pair_once(num: int):
    seen = [
        (row, other)
        for row, column in block_starts(num)
        for other in range(column, column + embedding_duplicates.BLOCK_COLUMNS, 512)
        if other <= row < num
    ]
    assert len(seen) == len(set(seen))
    assert {row for row, _ in seen} == set(range(0, num, embedding_duplicates.BLOCK_ROWS))


def test_groups_found_before_are_kept():
    unit_ND = np.eye(4, dtype=np.float32)
    assert embedding_duplicate_groups(
        unit_ND, min_similarity=0.9, group_N=np.array([0, 1, 1, 3])
    ).tolist() == [
        0,
        1,
        1,
        3,
    ]
