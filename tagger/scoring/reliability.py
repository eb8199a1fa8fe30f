"""Reliability of probabilities: equal-mass bins, calibration error, Brier loss."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Floats
from tagger.scoring.metrics import ratio

if TYPE_CHECKING:  # scipy's sparse matrices are loaded where they are made: predicting starts without them
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class ReliabilityBins:
    """What a reliability plot shows; G bins, from low to high probability."""

    predicted_G: Floats  # mean probability in the bin
    observed_G: Floats  # share of yes in the bin
    num_cells_G: NDArray[np.int64]


def equal_mass_bins(probs_N: Floats, *, bins: int = 15) -> NDArray[np.int64]:
    """The equal-mass bin of every probability, 0..bins-1; equal probabilities share a bin, so some bins may be
    empty.

    >>> equal_mass_bins(np.array([0.1, 0.2, 0.3, 0.4]), bins=2).tolist()
    [0, 0, 1, 1]
    """
    if not len(probs_N):
        return np.zeros(0, dtype=np.int64)
    ordered = np.sort(probs_N)
    starts = ordered[np.ceil(np.arange(1, bins) * len(ordered) / bins).astype(int).clip(max=len(ordered) - 1)]
    return np.searchsorted(starts, probs_N, side="right")


def reliability_bins(labels: Cells, probs: Floats, *, bins: int = 15) -> ReliabilityBins:
    """Predicted against observed frequency over the known cells of arrays of any one shape; empty bins are
    left out.

    >>> reliability_bins(np.array([0, 0, 1, -1]), np.array([0.1, 0.3, 0.8, 0.9]), bins=1).observed_G.round(3).tolist()
    [0.333]
    """
    known = np.asarray(labels) != UNKNOWN
    yes = np.asarray(labels)[known] == YES
    p = np.asarray(probs)[known]
    b = equal_mass_bins(p, bins=bins)
    num = np.bincount(b, minlength=bins)
    full = num > 0
    predicted, observed = (np.bincount(b, weights=x, minlength=bins)[full] / num[full] for x in (p, yes))
    return ReliabilityBins(predicted, observed, num[full])


def calibration_error(labels: Cells, probs: Floats, *, bins: int = 15) -> float:
    """Expected calibration error over known cells, equal-mass bins: mean of |predicted - observed|; NaN
    without a cell.

    Naeini et al. 2015, with bins of equal mass (Nixon et al. 2019), because most tagging probabilities are
    near 0. For several labels take it per label and average (classwise ECE, Kull et al. 2019): pooled,
    errors of labels cancel.

    >>> round(calibration_error(np.array([0, 1, 1, -1]), np.array([0.5, 0.5, 0.5, 0.9])), 4)
    0.1667
    """
    table = reliability_bins(labels, probs, bins=bins)
    if not len(table.num_cells_G):
        return float("nan")
    return float(np.average(np.abs(table.predicted_G - table.observed_G), weights=table.num_cells_G))


@dataclass(frozen=True)
class BinnedLabel:
    """One label's known cells, put into bins once, so that a weighting of the images costs one sparse product."""

    gap_GN: "csr_array"  # probability - label of image n, in its bin

    @classmethod
    def of(cls, labels_N: Cells, probs_N: Floats, *, bins: int = 15) -> "BinnedLabel":
        """The bins are those of the unweighted data.

        >>> BinnedLabel.of(np.array([0, 1, -1]), np.array([0.5, 0.25, 0.9]), bins=2).gap_GN.toarray().tolist()
        [[0.0, -0.75, 0.0], [0.5, 0.0, 0.0]]
        """
        from scipy.sparse import csr_array

        known = np.flatnonzero(np.asarray(labels_N) != UNKNOWN)
        bin_M = equal_mass_bins(probs_N[known], bins=bins)
        order = np.argsort(bin_M, kind="stable")
        cells = known[order]
        ends = np.searchsorted(bin_M[order], np.arange(bins + 1))
        return cls(
            csr_array((probs_N[cells] - (labels_N[cells] == YES), cells, ends), shape=(bins, len(labels_N)))
        )

    def calibration_error(self, weights_NB: Floats, known_B: Floats) -> Floats:
        """``calibration_error`` for each column of image weights, ``known_B`` being those of all known cells;
        (B,).

        >>> label, weights_NB = BinnedLabel.of(np.array([0, 1]), np.array([0.5, 0.5])), np.array([[1.0, 3.0], [1, 1]])
        >>> label.calibration_error(weights_NB, weights_NB.sum(axis=0)).tolist()
        [0.0, 0.25]
        """
        return ratio(np.abs(self.gap_GN @ weights_NB).sum(axis=0), known_B)


def squared_errors(labels_NK: Cells, probs_NK: Floats) -> Floats:
    """(probability - label)^2 per cell, NaN where unknown; (N, K).

    >>> squared_errors(np.array([[1, -1]]), np.array([[0.5, 0.5]])).tolist()
    [[0.25, nan]]
    """
    return np.where(labels_NK == UNKNOWN, np.nan, (probs_NK - (labels_NK == YES)) ** 2)


def brier_loss(labels_NK: Cells, probs_NK: Floats) -> float:
    """Mean squared error of the probabilities over known cells (Brier 1950; lower is better); NaN without a
    cell.

    >>> brier_loss(np.array([[1, 0, -1]]), np.array([[0.5, 0.0, 0.3]]))
    0.125
    """
    errors = squared_errors(labels_NK, probs_NK)
    errors = errors[~np.isnan(errors)]
    return float(errors.mean()) if len(errors) else float("nan")
