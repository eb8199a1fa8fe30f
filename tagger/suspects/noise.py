"""How often are labels dropped and added by mistake, and how probable is it that this one was?

The evidence is trained to predict the *given* labels, so its probability p is that of being given *yes*. With drop rate
d (a true *yes* given *no*) and stray rate s (a true *no* given *yes*) that is p = (1 - d) q + s (1 - q), q being the
probability of a true *yes* (Natarajan et al. 2013, "Learning with noisy labels"). Bayes then gives the doubt of a cell,
in both directions on one scale.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats

SURE = 0.25  # of as many cells as there are positives, the share taken for surely *yes*
CLEAR = 0.25  # share of all cells taken for surely *no*
OWN = 0.05
SUPPOSED = 50.0  # cells' worth of the rate over all labels that are added to each label's own


def noise_rates(given_probs_NK: Floats, labels_NK: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(drop_K, stray_K): estimated from the cells whose probability is highest and lowest.

    Among the surest cells of a label nearly all should be *yes*, so the share given *no* is its drop rate; among the
    least likely, the share given *yes* is its stray rate (anchor points: Liu and Tao 2016, arXiv 1411.7718). A label
    that is never sure would look badly labelled, so no label's drop rate exceeds the one of the median positive.
    """
    drop_K, per_positive_K, count_K, odds_K = (np.zeros(labels_NK.shape[1]) for _ in range(4))
    for k in range(labels_NK.shape[1]):
        known = np.flatnonzero(labels_NK[:, k] >= NO)
        yes_N = labels_NK[known, k] == YES
        order = known[np.argsort(-given_probs_NK[known, k], kind="stable")]
        count = int(yes_N.sum())
        if not 0 < count < len(known):
            continue
        count_K[k], odds_K[k] = count, count / (len(known) - count)
        drop_K[k] = (labels_NK[order[: max(5, round(SURE * count))], k] == NO).mean()
        low = order[-max(5, round(CLEAR * len(known))) :]
        per_positive_K[k] = (labels_NK[low, k] == YES).mean() / odds_K[k]
    if not count_K.any():
        return np.full_like(drop_K, 0.05), np.full_like(drop_K, 0.01)
    by_drop = np.argsort(drop_K)
    sums = np.cumsum(count_K[by_drop])
    typical = float(drop_K[by_drop][np.searchsorted(sums, sums[-1] / 2)])
    drop_K = (np.minimum(drop_K, typical) * count_K + typical * SUPPOSED) / (count_K + SUPPOSED)
    common = float((per_positive_K * count_K).sum() / count_K.sum())
    per_positive_K = (per_positive_K * count_K + common * SUPPOSED) / (count_K + SUPPOSED)
    return drop_K.clip(0.01, 0.4), (per_positive_K.clip(0.01, 0.5) * odds_K).clip(1e-5, 0.4)


def true_probs(given_probs: Floats, drop_K: Floats, stray_K: Floats) -> Floats:
    """q: the probability of a true *yes* behind the probability of being given *yes*.

    The rates are estimates, so ``OWN`` of the given probability stays in: no cell is quite certain, and surer ones come
    before less sure ones also where the equation says 0 or 1.

    >>> true_probs(np.array([[0.1], [0.45], [0.8]]), np.array([0.2]), np.array([0.1])).round(2).tolist()
    [[0.01], [0.5], [0.99]]
    """
    solved = np.clip((given_probs - stray_K) / (1 - drop_K - stray_K), 0.0, 1.0)
    return np.clip((1 - OWN) * solved + OWN * given_probs, 1e-5, 1 - 1e-5)


def doubt_of(true_probs_NK: Floats, labels_NK: Cells, drop_K: Floats, stray_K: Floats) -> Floats:
    """The probability (N, K) that the given value is wrong; for an unknown cell, NaN.

    >>> doubt_of(np.array([[0.5, 0.5]]), np.array([[1, 0]], np.int8), np.array([0.2] * 2), np.array([0.1] * 2)).round(2)
    array([[0.11, 0.18]])
    """
    q, not_q = true_probs_NK, 1 - true_probs_NK
    missing = drop_K * q / (drop_K * q + (1 - stray_K) * not_q)
    spurious = stray_K * not_q / (stray_K * not_q + (1 - drop_K) * q)
    return np.where(labels_NK == NO, missing, np.where(labels_NK == YES, spurious, np.nan))
