"""Label statistics: counts, priors, co-occurrence and mined implication rules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Indices, row_blocks
from tagger.data.constraints import MinedRule

MAX_ROWS_PER_BLOCK = 65_536  # below 2^24, so that a float32 product of 0/1 matrices counts exactly
MAX_PAIRS_PER_BLOCK = 4_000_000  # 32 MB a matrix


@dataclass(frozen=True)
class LabelStats:
    """Counts over known cells (whole numbers, as floats), and each label's smoothed share of *yes* (priors_K)."""

    positives_K: NDArray[np.float64]
    negatives_K: NDArray[np.float64]
    priors_K: NDArray[np.float64]
    num_images: int


def label_stats(labels_NK: Cells) -> LabelStats:
    """The statistics of a label matrix. Priors are (yes + 1/2) / (known + 1), never 0 or 1 (Jeffreys).

    >>> stats = label_stats(np.array([[1, 1], [1, 0], [0, -1]], dtype=np.int8))
    >>> stats.positives_K.tolist(), stats.negatives_K.tolist(), stats.priors_K.tolist()
    ([2.0, 1.0], [1.0, 1.0], [0.625, 0.5])
    """
    positives_K = (labels_NK == YES).sum(axis=0).astype(np.float64)
    negatives_K = (labels_NK == NO).sum(axis=0).astype(np.float64)
    return LabelStats(
        positives_K=positives_K,
        negatives_K=negatives_K,
        priors_K=(positives_K + 0.5) / (positives_K + negatives_K + 1.0),
        num_images=len(labels_NK),
    )


def mine_rules(
    labels_NK: Cells, names: Sequence[str], *, min_support: int = 10, min_confidence: float = 0.9
) -> tuple[MinedRule, ...]:
    """Implication rules that the labels follow almost always, by falling confidence.

    Support is the number of images with both labels. Confidence is their share among images with the
    premise whose implied cell is known. A rule also counts if it holds only because nearly every image has
    the implied label.

    >>> labels_NK = np.array([[1, 1], [1, 1], [0, 1], [0, 0]], dtype=np.int8)
    >>> mine_rules(labels_NK, ["baby", "people"], min_support=2)
    (MinedRule(premise='baby', implied='people', support=2, confidence=1.0),)
    """
    rules = []
    for premises, both_PK in cooccurrence_blocks(labels_NK):
        known_PK = both_PK + _count_pairs(labels_NK[:, premises], labels_NK, YES, NO)
        confidence_PK = both_PK / np.maximum(known_PK, 1)
        found = (both_PK >= max(min_support, 1)) & (confidence_PK >= min_confidence)
        rules += [
            MinedRule(names[premises.start + p], names[k], int(both_PK[p, k]), float(confidence_PK[p, k]))
            for p, k in np.argwhere(found)
            if premises.start + p != k
        ]
    return tuple(
        sorted(rules, key=lambda rule: (-rule.confidence, -rule.support, rule.premise, rule.implied))
    )


def cooccurrence_blocks(labels_NK: Cells) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The co-occurrence matrix in blocks of rows: (labels of the block, counts (L, K) of images with both).

    All pairs of 10,000 labels at once would take 800 MB.

    >>> labels_NK = np.array([[1, 1], [1, 0]], np.int8)
    >>> [(block, both_LK.tolist()) for block, both_LK in cooccurrence_blocks(labels_NK)]
    [(slice(0, 2, None), [[2.0, 1.0], [1.0, 1.0]])]
    """
    for block in row_blocks((labels_NK.shape[1],) * 2, MAX_PAIRS_PER_BLOCK):
        yield block, _count_pairs(labels_NK[:, block], labels_NK, YES, YES)


def cooccurring_pairs(labels_NK: Cells, *, min_images: int) -> tuple[Indices, Indices, Indices]:
    """Pairs of labels that at least ``min_images`` images have both: (first, second, number of images).

    ``first`` and ``second`` are column numbers, ``first`` the smaller one.

    >>> [x.tolist() for x in cooccurring_pairs(np.array([[1, 1, 0], [1, 1, 1]], np.int8), min_images=2)]
    [[0], [1], [2]]
    """
    found = [(np.zeros(0, np.int64),) * 3]
    for block, both_LK in cooccurrence_blocks(labels_NK):
        row, column = np.nonzero(np.triu(both_LK >= min_images, block.start + 1))
        found.append((row + block.start, column, both_LK[row, column].astype(np.int64)))
    first, second, images = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, images


def frequent_cooccurrence(labels_NK: Cells, num_labels: int) -> tuple[Indices, NDArray[np.float64]]:
    """Columns of the ``num_labels`` most frequent labels (S, most frequent first), and their co-occurrence (S, S).

    >>> labels_NK = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [1, 0, 0]], np.int8)
    >>> columns_S, both_SS = frequent_cooccurrence(labels_NK, 2)
    >>> columns_S.tolist(), both_SS.tolist()
    ([0, 1], [[3.0, 1.0], [1.0, 2.0]])
    """
    columns_S = np.argsort(-(labels_NK == YES).sum(axis=0), kind="stable")[:num_labels]
    return columns_S, cooccurrence_matrix(labels_NK[:, columns_S])


def cooccurrence_matrix(labels_NS: Cells) -> NDArray[np.float64]:
    """both_SS: the number of images with both labels. For a few labels: memory grows with their square.

    >>> cooccurrence_matrix(np.array([[1, 1], [1, 0]], np.int8)).tolist()
    [[2.0, 1.0], [1.0, 1.0]]
    """
    return _count_pairs(labels_NS, labels_NS, YES, YES)


def _count_pairs(left_NL: Cells, right_NK: Cells, left_value: int, right_value: int) -> NDArray[np.float64]:
    """counts_LK: images whose cell of the first label is ``left_value`` and of the second ``right_value``."""
    counts_LK = np.zeros((left_NL.shape[1], right_NK.shape[1]))
    for start in range(0, len(left_NL), MAX_ROWS_PER_BLOCK):
        rows = slice(start, start + MAX_ROWS_PER_BLOCK)
        counts_LK += (left_NL[rows] == left_value).T.astype(np.float32) @ (
            right_NK[rows] == right_value
        ).astype(np.float32)
    return counts_LK
