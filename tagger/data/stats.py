"""How often does each label occur, and with which others? The numbers that losses, heads and samplers start from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells
from tagger.data.rules import MinedRule

ROWS_AT_ONCE = 65_536  # below 2^24, so that a float32 product of 0/1 matrices counts exactly


@dataclass(frozen=True)
class LabelStats:
    """Counts over known cells (whole numbers, as floats), and each label's smoothed share of *yes* (priors_K)."""

    positives_K: NDArray[np.float64]
    negatives_K: NDArray[np.float64]
    priors_K: NDArray[np.float64]
    num_images: int
    labels_NK: Cells = field(repr=False)

    @cached_property
    def cooccurrence_KK(self) -> NDArray[np.float64]:
        """Images that have both labels. Counted when first asked for: of 10,000 labels it takes 800 MB."""
        return _count_pairs(self.labels_NK, self.labels_NK, YES, YES)


def label_stats(labels_NK: Cells) -> LabelStats:
    """The statistics of a label matrix. Priors are (yes + 1/2) / (known + 1), never 0 or 1 (Jeffreys).

    >>> stats = label_stats(np.array([[1, 1], [1, 0], [0, -1]], dtype=np.int8))
    >>> stats.positives_K.tolist(), stats.negatives_K.tolist(), stats.priors_K.tolist()
    ([2.0, 1.0], [1.0, 1.0], [0.625, 0.5])
    >>> stats.cooccurrence_KK.tolist()
    [[2.0, 1.0], [1.0, 1.0]]
    """
    positives_K = (labels_NK == YES).sum(axis=0).astype(np.float64)
    negatives_K = (labels_NK == NO).sum(axis=0).astype(np.float64)
    return LabelStats(
        positives_K=positives_K,
        negatives_K=negatives_K,
        priors_K=(positives_K + 0.5) / (positives_K + negatives_K + 1.0),
        num_images=len(labels_NK),
        labels_NK=labels_NK,
    )


def mine_rules(
    labels_NK: Cells, names: Sequence[str], *, min_support: int = 10, min_confidence: float = 0.9
) -> tuple[MinedRule, ...]:
    """Implications that the labels follow almost always, surest first.

    Support counts images with both labels. Confidence is their share among images with the premise whose implied cell
    is known. A rule that holds only because the implied label is nearly everywhere is still a rule here.

    >>> labels_NK = np.array([[1, 1], [1, 1], [0, 1], [0, 0]], dtype=np.int8)
    >>> mine_rules(labels_NK, ["baby", "people"], min_support=2)
    (MinedRule(premise='baby', implied='people', support=2, confidence=1.0),)
    """
    both_KK = _count_pairs(labels_NK, labels_NK, YES, YES)
    known_KK = both_KK + _count_pairs(labels_NK, labels_NK, YES, NO)
    confidence_KK = both_KK / np.maximum(known_KK, 1)
    found = (both_KK >= max(min_support, 1)) & (confidence_KK >= min_confidence)
    np.fill_diagonal(found, False)
    rules = [
        MinedRule(names[a], names[b], int(both_KK[a, b]), float(confidence_KK[a, b])) for a, b in np.argwhere(found)
    ]
    return tuple(sorted(rules, key=lambda rule: (-rule.confidence, -rule.support, rule.premise, rule.implied)))


def _count_pairs(left_NK: Cells, right_NK: Cells, left_value: int, right_value: int) -> NDArray[np.float64]:
    """counts_KK: images whose cell of the first label is ``left_value`` and of the second ``right_value``."""
    counts_KK = np.zeros((left_NK.shape[1], right_NK.shape[1]))
    for start in range(0, len(left_NK), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        counts_KK += (left_NK[rows] == left_value).T.astype(np.float32) @ (right_NK[rows] == right_value).astype(
            np.float32
        )
    return counts_KK
