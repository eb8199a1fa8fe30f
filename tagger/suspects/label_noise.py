"""False-negative and false-positive noise rates of labels, and the doubt of a cell that follows.

The evidence is trained to predict the *given* labels, so its probability p is that of being given *yes*.
With drop rate d (a true *yes* given *no*) and stray rate s (a true *no* given *yes*) that is p = (1 - d) q
+ s (1 - q), q being the probability of a true *yes* (Natarajan et al. 2013, "Learning with noisy labels").
Bayes then gives the doubt of a cell, in both directions on one scale.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats

SURE_YES_SHARE = 0.25  # of as many cells as there are positives, the share taken for surely *yes*
SURE_NO_SHARE = 0.25  # share of all cells taken for surely *no*
GIVEN_PROB_WEIGHT = 0.05
MIN_RATE = 0.02
MAX_RATE = 0.35
RATE_POOLING = 0.5  # how far the two estimates are drawn together: 0 not at all, 1 to their geometric mean


def anchor_rates(given_probs_N: Floats, yes_N: NDArray[np.bool_]) -> tuple[float, float]:
    """(share given *no* among a label's surest cells, share given *yes* among the least likely ones)."""
    num = len(yes_N)
    num_surest = max(5, round(SURE_YES_SHARE * int(yes_N.sum())))
    num_clearest = max(5, round(SURE_NO_SHARE * num))
    ends = np.clip([num_clearest - 1, num - num_surest], 0, num - 1)
    order = np.argpartition(given_probs_N, ends)
    return float((~yes_N[order[-num_surest:]]).mean()), float(yes_N[order[:num_clearest]].mean())


def noise_rates(given_probs_NK: Floats, labels_NK: Cells) -> tuple[float, NDArray[np.float64]]:
    """(drop, stray_K): the drop rate, one for all labels, and stray rates in proportion to each label's odds
    of *yes*.

    Among a label's surest cells nearly all should be *yes*, so the share given *no* is its drop rate; among
    the least likely, the share given *yes* is its stray rate (anchor points: Liu and Tao 2016, arXiv
    1411.7718). Both are then taken over all labels (the median and the mean positive's), and drawn together
    half way: where errors fall on unsure cells, anchors see few of them, and a label's own estimate orders
    labels worse than a common one. Measured by ``benchmarks/suspects.py``, photos with hard errors: average
    precision .458 against .432 with own rates; with random ones .712 against .705. What is special about a
    label is learnt from people's verdicts instead.
    """
    false_negative_rates = []
    false_positive_rates = []
    counts = []
    odds_K = np.zeros(labels_NK.shape[1])
    for k in range(labels_NK.shape[1]):
        known = np.flatnonzero(labels_NK[:, k] >= NO)
        count = int((labels_NK[known, k] == YES).sum())
        if not 0 < count < len(known):
            continue
        odds_K[k] = count / (len(known) - count)
        dropped, stray = anchor_rates(given_probs_NK[known, k], labels_NK[known, k] == YES)
        false_negative_rates.append(dropped)
        false_positive_rates.append(stray / odds_K[k])
        counts.append(count)
    if not counts:
        return MIN_RATE, odds_K
    order = np.argsort(false_negative_rates)
    sums = np.cumsum(np.array(counts)[order])
    false_negative_rate = np.clip(
        np.array(false_negative_rates)[order][np.searchsorted(sums, sums[-1] / 2)], MIN_RATE, MAX_RATE
    )
    false_positive_rate = np.clip(np.average(false_positive_rates, weights=counts), MIN_RATE, MAX_RATE)
    middle = np.sqrt(false_negative_rate * false_positive_rate)
    false_negative_rate = middle**RATE_POOLING * false_negative_rate ** (1 - RATE_POOLING)
    false_positive_rate = middle**RATE_POOLING * false_positive_rate ** (1 - RATE_POOLING)
    return float(false_negative_rate), (false_positive_rate * odds_K).clip(1e-6, MAX_RATE)


def true_label_probs(
    given_probs: Floats, false_negative_rate: float, false_positive_rate_K: Floats
) -> Floats:
    """q: the probability of a true *yes* behind the probability of being given *yes*.

    The rates are estimates, so ``GIVEN_PROB_WEIGHT`` of the given probability stays in: no cell is quite
    certain, and surer ones come before less sure ones also where the equation says 0 or 1.

    >>> true_label_probs(np.array([[0.1], [0.45], [0.8]]), 0.2, np.array([0.1])).round(2).tolist()
    [[0.01], [0.5], [0.99]]
    """
    solved = np.clip(
        (given_probs - false_positive_rate_K) / (1 - false_negative_rate - false_positive_rate_K), 0.0, 1.0
    )
    return np.clip((1 - GIVEN_PROB_WEIGHT) * solved + GIVEN_PROB_WEIGHT * given_probs, 1e-5, 1 - 1e-5)


def posterior_doubt(
    true_probs_NK: Floats, labels_NK: Cells, false_negative_rate: float, false_positive_rate_K: Floats
) -> Floats:
    """The probability (N, K) that the given value is wrong; for an unknown cell, NaN.

    >>> posterior_doubt(np.array([[0.5, 0.5]]), np.array([[1, 0]], np.int8), 0.2, np.array([0.1] * 2)).round(2)
    array([[0.11, 0.18]])
    """
    q = true_probs_NK
    not_q = 1 - true_probs_NK
    missing = false_negative_rate * q / (false_negative_rate * q + (1 - false_positive_rate_K) * not_q)
    spurious = false_positive_rate_K * not_q / (false_positive_rate_K * not_q + (1 - false_negative_rate) * q)
    return np.where(labels_NK == NO, missing, np.where(labels_NK == YES, spurious, np.nan))
