"""Input of all signals: labels, out-of-sample probabilities, nearest images, rules and groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import CELLS_AT_ONCE, NO, YES, Cells, Floats, row_blocks
from tagger.data import LabelGroup, Rule
from tagger.suspects.threads import parallel_for


@dataclass(frozen=True)
class Evidence:
    """Input of all signals, as arrays.

    ``labels_NK``: the given cells. ``probs_NK``: from models that saw neither the image nor a
    near-duplicate. ``fold_N``: fold of each image; signals are fitted on the other folds.
    ``duplicate_group_N``: images with one number are near-duplicates. ``nearest_NM`` (rows, -1 none)
    and ``similarity_NM`` (cosine): the nearest images outside the group. ``dynamics_NK``: mean held-out
    probability over the epochs of training, where it was kept. ``verified_NK``: cells that a person has
    verified; they are evidence, and never suspects. ``original_NK``: the cells before people corrected
    them, on which the noise is estimated; ``labels_NK`` if nobody did. ``around_N2``: the rows of the frames before and
    after, -1 where there is none; None where photos are no frames.
    """

    labels_NK: Cells
    probs_NK: Floats
    names: tuple[str, ...]
    fold_N: NDArray[np.integer]
    duplicate_group_N: NDArray[np.integer]
    nearest_NM: NDArray[np.integer] | None = None
    similarity_NM: Floats | None = None
    dynamics_NK: Floats | None = None
    verified_NK: NDArray[np.bool_] | None = None
    original_NK: Cells | None = None
    around_N2: NDArray[np.integer] | None = None
    rules: tuple[Rule, ...] = ()
    groups: Mapping[str, LabelGroup] = field(default_factory=dict)

    @property
    def first_labels_NK(self) -> Cells:
        """The cells as they were given, before people corrected them."""
        return self.labels_NK if self.original_NK is None else self.original_NK

    @property
    def positives_K(self) -> NDArray[np.int64]:
        """Images given each label."""
        return (self.labels_NK == YES).sum(axis=0)

    @property
    def priors_K(self) -> NDArray[np.float64]:
        """Each label's share of *yes* among its known cells, never 0 or 1."""
        known_K = (self.labels_NK >= NO).sum(axis=0)
        return (self.positives_K + 0.5) / (known_K + 1.0)

    def rankable_K(self, min_positives: int) -> NDArray[np.bool_]:
        """The labels with enough images on both sides to tell signal from noise."""
        negatives_K = (self.labels_NK == NO).sum(axis=0)
        return (self.positives_K >= min_positives) & (negatives_K >= min_positives)


def log_odds(probs: Floats, floor: float = 1e-4) -> Floats:
    """Log-odds in nats, float32, of probabilities held between ``floor`` and 1 - ``floor``.

    >>> [round(float(x), 2) for x in log_odds(np.array([0.5, 1.0]))]
    [0.0, 9.21]
    """
    probs = np.asarray(probs)
    if probs.ndim == 2 and probs.size > CELLS_AT_ONCE:
        out = np.empty(probs.shape, np.float32)
        parallel_for(
            lambda rows: out.__setitem__(rows, _log_odds(probs[rows], floor)), row_blocks(probs.shape)
        )
        return out
    return _log_odds(probs, floor)


def _log_odds(probs: Floats, floor: float) -> Floats:
    clipped = np.asarray(probs, dtype=np.float64).clip(floor, 1 - floor)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float32)


def format_percent(prob: float) -> str:
    """A probability in words, never a plain 0 or 100.

    >>> format_percent(0.934), format_percent(0.0003), format_percent(0.9999)
    ('93 %', 'less than 1 %', 'more than 99 %')
    """
    if prob < 0.01:
        return "less than 1 %"
    return "more than 99 %" if prob > 0.99 else f"{prob:.0%}".replace("%", " %")
