"""Array words that every layer shares: what a cell can be, and the logistic pair."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Cells = NDArray[np.int8]  # labels_NK: one of UNKNOWN, NO, YES

UNKNOWN, NO, YES = -1, 0, 1


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
