"""Error rates per label and direction, between two readings of the same evidence, and doubts that add up to them.

Whether an unlikely label is wrong, or right on a hard image, the probabilities alone cannot tell: they are
calibrated to the given labels either way. Two readings bound it. *Anchors* (Liu and Tao 2016, arXiv
1411.7718) count errors among the cells the evidence is surest of: none of them is hard, and errors that
fall on look-alikes are missed. *Confident learning* (Northcutt et al. 2021, arXiv 1911.00068) counts the
cells whose evidence says the opposite as surely as it does for an average cell that is given the opposite:
what is hard but right counts too. The rates lie between the two, in logarithms.

*Spurious*: a third of the way from confident learning's count, as strays sit on look-alikes. *Missing*: the
level is that of the anchors, as confident learning counts every look-alike among the many *no*; labels
differ half as their own anchors do, half as confident learning's counts, the latter as far as the evidence
tells a label's positives from the rest (coefficient of discrimination, Tjur 2009).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats, sigmoid
from tagger.suspects.label_noise import SURE_YES_SHARE, anchor_rates
from tagger.suspects.threads import parallel_for

ANCHORS_IN_SPURIOUS = 1 / 3  # weight of the anchors' reading, in logarithms
ANCHORS_IN_MISSING = 0.5  # likewise, in what sets a label apart from the others
POOLED_CELLS = 20  # anchors' worth of all labels' rate that is added to a label's own
MIN_PER_POSITIVE = 2e-3  # errors, of as many as a label has positives
MAX_SHARE = 0.9
MIN_DISCRIMINATION = 0.02
BINS_PER_NAT = 50
MAX_NATS = 14


@dataclass(frozen=True)
class ErrorRates:
    """Share of wrong ones among each label's given *no* (``missing_K``) and given *yes* (``spurious_K``)."""

    missing_K: Floats
    spurious_K: Floats


def error_rates(given_NK: Floats, labels_NK: Cells) -> ErrorRates:
    """The shares from the probability of being given *yes*; 0 for a label that lacks either value."""
    num_labels = labels_NK.shape[1]
    read_KS = np.zeros((num_labels, len(_LabelReading.__dataclass_fields__)))

    def read(k: int) -> None:
        known_N = labels_NK[:, k] >= NO
        reading = _LabelReading.of(given_NK[known_N, k].astype(np.float64), labels_NK[known_N, k] == YES)
        read_KS[k] = list(vars(reading).values())

    usable = np.flatnonzero(((labels_NK == YES).any(axis=0)) & ((labels_NK == NO).any(axis=0)))
    parallel_for(read, usable.tolist())
    missing_K, spurious_K = np.zeros((2, num_labels))
    if len(usable):
        readings = _LabelReading(*read_KS[usable].T)
        per_positive = _missing_per_positive(readings)
        missing_K[usable] = np.minimum(per_positive * readings.positives / readings.negatives, MAX_SHARE)
        spurious_K[usable] = np.minimum(_spurious_share(readings), MAX_SHARE)
    return ErrorRates(missing_K, spurious_K)


@dataclass(frozen=True)
class _LabelReading:
    """What one label shows, or arrays of that of many: errors are of as many as it has positives."""

    positives: float | Floats
    negatives: float | Floats
    anchor_missing: float | Floats
    anchor_spurious: float | Floats
    confident_missing: float | Floats
    confident_spurious: float | Floats
    discrimination: float | Floats

    @classmethod
    def of(cls, given_N: Floats, yes_N: NDArray[np.bool_]) -> "_LabelReading":
        """From the label's probabilities of being given *yes*, and where it was."""
        count, others = float(yes_N.sum()), float((~yes_N).sum())
        missing, stray = anchor_rates(given_N, yes_N)
        mean_yes, mean_no = float(given_N[yes_N].mean()), float(given_N[~yes_N].mean())
        says_yes_N = given_N >= mean_yes
        says_no_N = (given_N <= mean_no) & ~says_yes_N
        return cls(
            count,
            others,
            missing,
            stray * others / count,
            _share(says_yes_N & ~yes_N, says_no_N & ~yes_N) * others / count,
            _share(says_no_N & yes_N, says_yes_N & yes_N),
            max(mean_yes - mean_no, MIN_DISCRIMINATION),
        )


def _share(wrong_N: NDArray[np.bool_], right_N: NDArray[np.bool_]) -> float:
    return float(wrong_N.sum() / max(wrong_N.sum() + right_N.sum(), 1))


def _missing_per_positive(readings: _LabelReading) -> Floats:
    anchors_K = np.log(_pooled(readings.anchor_missing, readings))
    counts_K = np.log(np.maximum(readings.confident_missing, MIN_PER_POSITIVE))
    middle = np.average(counts_K, weights=readings.discrimination)
    from_counts_K = anchors_K.mean() + readings.discrimination * (counts_K - middle)
    return np.exp(ANCHORS_IN_MISSING * anchors_K + (1 - ANCHORS_IN_MISSING) * from_counts_K)


def _spurious_share(readings: _LabelReading) -> Floats:
    anchors_K = _pooled(readings.anchor_spurious, readings)
    counts_K = np.maximum(readings.confident_spurious, MIN_PER_POSITIVE)
    return anchors_K**ANCHORS_IN_SPURIOUS * counts_K ** (1 - ANCHORS_IN_SPURIOUS)


def _pooled(rates_K: float | Floats, readings: _LabelReading) -> Floats:
    """The anchors' rates; of labels with few anchors drawn towards that of all."""
    cells_K = np.maximum(5, SURE_YES_SHARE * readings.positives)
    every = np.average(rates_K, weights=readings.positives)
    return np.maximum((rates_K * cells_K + every * POOLED_CELLS) / (cells_K + POOLED_CELLS), MIN_PER_POSITIVE)


def shift_to_mean(log_odds_C: Floats, mean: float) -> float:
    """What must be added to log-odds so that the probabilities have this mean.

    >>> abs(round(shift_to_mean(np.array([-2.0, 0.0, 2.0]), 0.5), 2))
    0.0
    """
    return shift_of_bins(binned_log_odds(log_odds_C), mean)


def binned_log_odds(log_odds_C: Floats) -> Floats:
    """How many log-odds are in each bin, for ``shift_of_bins``; counts of several labels can be added up."""
    bins = np.rint(np.clip(log_odds_C, -MAX_NATS, MAX_NATS) * BINS_PER_NAT).astype(np.int64)
    counts = np.bincount(bins + MAX_NATS * BINS_PER_NAT, minlength=2 * MAX_NATS * BINS_PER_NAT + 1)
    return counts.astype(np.float64)


def shift_of_bins(count_B: Floats, mean: float) -> float:
    """``shift_to_mean`` of log-odds that are counted in bins."""
    value_B = np.arange(-MAX_NATS * BINS_PER_NAT, MAX_NATS * BINS_PER_NAT + 1) / BINS_PER_NAT
    used_B = count_B > 0
    total = max(float(count_B.sum()), 1.0)
    low, high = -2.0 * MAX_NATS, 2.0 * MAX_NATS
    for _ in range(40):
        middle = (low + high) / 2
        reached = float(count_B[used_B] @ sigmoid(value_B[used_B] + middle)) / total
        low, high = (middle, high) if reached < mean else (low, middle)
    return (low + high) / 2
