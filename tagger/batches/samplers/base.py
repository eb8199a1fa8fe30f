"""Base class and registry of samplers, which draw the order of an epoch from the label table."""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats, Indices
from tagger.errors import TaggerError
from tagger.registry import Registry

samplers = Registry("sampler")


class Sampler:
    """Base: keeps ``yes_NK`` (bool). Unknown cells count as not yes. Members define ``draw`` and their epoch length."""

    def __init__(self, labels_NK: Cells):
        self.yes_NK = np.asarray(labels_NK) == YES
        self.num_images = len(self.yes_NK)
        self.labelled_N = self.yes_NK.any(axis=1)
        self.shares_K = positive_shares(labels_NK)

    def at_progress(self, progress: float) -> "Sampler":
        """The sampler for an epoch that begins when ``progress`` (0..1) of the training is done: mostly this one."""
        return self

    def draw_epoch(self, rng: np.random.Generator) -> Indices:
        """Rows of the label table in the order of one epoch, shuffled; the same for the same state of ``rng``."""
        raise NotImplementedError


def positive_shares(labels_NK: Cells) -> Floats:
    """shares_K (float64): each label's yes-cells over its known cells; 0 where nothing is known.

    >>> positive_shares(np.array([[1, -1], [0, -1]], dtype=np.int8)).tolist()
    [0.5, 0.0]
    """
    yes_K = (np.asarray(labels_NK) == YES).sum(axis=0)
    known_K = (np.asarray(labels_NK) >= NO).sum(axis=0)
    return yes_K / np.maximum(known_K, 1)


def max_over_labels(values_K: Floats, yes_NK: NDArray[np.bool_], *, default: float) -> Floats:
    """values_N: the highest of ``values_K`` over each image's labels, ``default`` for an image without any.

    >>> max_over_labels(np.array([2.0, 3.0]), np.array([[True, True], [False, False]]), default=1.0).tolist()
    [3.0, 1.0]
    """
    highest_N = np.where(yes_NK, values_K, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(highest_N), highest_N, default)


def check_option(sampler: str, option: str, value: float, *, low: float, high: float = np.inf) -> None:
    """Raise TaggerError unless ``low <= value <= high``.

    >>> check_option("undersampling", "drop", 0.5, low=0, high=1)
    """
    if not low <= value <= high:
        wanted = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
        raise TaggerError(f"Sampler {sampler!r}: {option} is {value:g}; it must be {wanted}.")
