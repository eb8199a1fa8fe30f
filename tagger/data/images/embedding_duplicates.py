"""Groups of images whose features have nearly the same direction (cosine similarity, all pairs).

All pairs are compared, in blocks: a search tree or hashing gains little on features of a hundred numbers and
more. 100,000 images of 128 numbers each take half a minute on one core, in the memory of the features and
one block.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.data.images.near_duplicates import connected_groups

BLOCK_ROWS = 1024
BLOCK_COLUMNS = 4096  # of a block of cosines: 16 MB


def embedding_duplicate_groups(
    unit_ND: Floats,
    *,
    min_similarity: float,
    group_N: NDArray[np.int64] | None = None,
    blocks: Iterable[tuple[int, int]] | None = None,
) -> NDArray[np.int64]:
    """The group of each image (its smallest row): images joined by cosines of at least ``min_similarity``.

    ``unit_ND`` are unit vectors (float32); a row of zeros is similar to no other. Images of one group in
    ``group_N`` stay together. ``blocks`` are those of ``block_starts``, wrapped to show progress.

    >>> unit_ND = np.array([[1, 0], [0, 1], [0.99, 0.14]], np.float32)
    >>> embedding_duplicate_groups(unit_ND, min_similarity=0.95).tolist()
    [0, 1, 0]
    """
    num = len(unit_ND)
    found_N = np.arange(num) if group_N is None else connected_groups(num, np.arange(num), group_N)
    blocks = block_starts(num) if blocks is None else blocks
    for left_E, right_E in _similar_pairs(unit_ND, min_similarity, blocks):
        left_E = found_N[left_E]
        right_E = found_N[right_E]
        new_E = left_E != right_E
        if new_E.any():
            ends_E2 = np.unique(np.stack([left_E[new_E], right_E[new_E]], axis=1), axis=0)
            found_N = connected_groups(num, *ends_E2.T)[found_N]
    return found_N


def block_starts(num: int) -> list[tuple[int, int]]:
    """(first row, first column) of the blocks that cover every pair of ``num`` images once.

    >>> block_starts(2000)
    [(0, 0), (1024, 0)]
    """
    return [
        (row, column)
        for row in range(0, num, BLOCK_ROWS)
        for column in range(0, row + BLOCK_ROWS, BLOCK_COLUMNS)
        if column < num
    ]


def _similar_pairs(
    unit_ND: Floats, min_similarity: float, blocks: Iterable[tuple[int, int]]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(rows, columns) of each block's cosines of at least ``min_similarity``; columns are below rows."""
    for row, column in blocks:
        cosines = unit_ND[row : row + BLOCK_ROWS] @ unit_ND[column : column + BLOCK_COLUMNS].T
        at_E, other_E = np.nonzero(cosines >= min_similarity)
        below_E = other_E + column < at_E + row
        yield at_E[below_E] + row, other_E[below_E] + column
