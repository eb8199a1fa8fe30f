"""Array types and cell values that all packages share, sigmoid and logit, and blocks of rows."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Cells = NDArray[np.int8]  # labels_NK: one of UNKNOWN, NO, YES
Indices = NDArray[np.int64]  # numbers of rows (images) or of columns (labels)

UNKNOWN = -1
NO = 0
YES = 1
CELLS_AT_ONCE = 500_000


def sigmoid(logits: Floats) -> Floats:
    """Probabilities of logits, without overflow at either end.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits)))


def logit(probs: Floats, eps: float = 1e-7) -> Floats:
    """Log-odds of probabilities, which are kept ``eps`` away from 0 and 1.

    >>> logit(np.array([0.5])).tolist()
    [0.0]
    """
    probs = np.clip(probs, eps, 1.0 - eps)
    return np.log(probs) - np.log1p(-probs)


def labels_with_both_sides(labels_NK: Cells) -> Bools:
    """Whether each label (K,) has a known yes and a known no.

    >>> labels_with_both_sides(np.array([[1, 1, 0], [0, -1, 0]], np.int8)).tolist()
    [True, False, False]
    """
    labels_NK = np.asarray(labels_NK)
    return np.asarray((labels_NK == YES).any(axis=0) & (labels_NK == NO).any(axis=0))


def row_blocks(shape: tuple[int, ...], cells: int = CELLS_AT_ONCE) -> Iterator[slice]:
    """Slices that cover all rows of a matrix, each of about ``cells`` cells, so that memory stays bounded.

    >>> list(row_blocks((3, 100), 200))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    size = max(1, cells // max(shape[1], 1))
    return (slice(start, min(start + size, shape[0])) for start in range(0, shape[0], size))
