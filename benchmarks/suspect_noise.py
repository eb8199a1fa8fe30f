"""Wrong labels of many kinds for the bench of suspects (``suspects.py --suite``): one function a kind.

Each takes the right cells (N, K), what a model of the right labels thinks of them (out of fold), a rate and
a generator, and gives the given cells. The rate is of a label's positives.
"""

from collections.abc import Callable

import numpy as np

from tagger.arrays import NO, YES, Cells, Floats

Plant = Callable[[Cells, Floats, float, np.random.Generator], Cells]
ADDED_SHARE = 0.75  # wrong labels that are added, of as many as are dropped


def alike(probs_N: Floats) -> Floats:
    """More for look-alikes; nothing for cells so probable that the photo may well show the label."""
    return np.where(probs_N < 0.5, probs_N + 1e-4, 1e-9)


def flip(
    labels_NK: Cells,
    truth_NK: Cells,
    weights_NK: Floats,
    k: int,
    counts: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Drop and add (``counts``) a label, cells drawn by their weights."""
    for value, count in zip((YES, NO), counts, strict=True):
        cells = np.flatnonzero(truth_NK[:, k] == value)
        share = weights_NK[cells, k] / weights_NK[cells, k].sum()
        count = min(count, int((share > 0).sum()))
        labels_NK[rng.choice(cells, count, replace=False, p=share), k] = NO if value == YES else YES


def _planted(
    truth_NK: Cells, weights_NK: Floats, drop_K: Floats, add_K: Floats, rng: np.random.Generator
) -> Cells:
    labels_NK = truth_NK.copy()
    for k, positives in enumerate((truth_NK == YES).sum(axis=0)):
        flip(
            labels_NK,
            truth_NK,
            weights_NK,
            k,
            (round(drop_K[k] * positives), round(add_K[k] * positives)),
            rng,
        )
    return labels_NK


def _hard_weights(truth_NK: Cells, probs_NK: Floats) -> Floats:
    return np.where(truth_NK == YES, 1.02 - probs_NK, alike(probs_NK))


def random(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """Anywhere."""
    rate_K = np.full(truth_NK.shape[1], rate)
    return _planted(truth_NK, np.ones(truth_NK.shape), rate_K, ADDED_SHARE * rate_K, rng)


def look_alike(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """Dropped where a model of the right labels is least sure, added where it comes close."""
    rate_K = np.full(truth_NK.shape[1], rate)
    return _planted(truth_NK, _hard_weights(truth_NK, probs_NK), rate_K, ADDED_SHARE * rate_K, rng)


def uneven(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """Look-alikes, at rates of a third to three times as much from label to label and by direction."""
    rate_2K = np.minimum(rate * 3 ** rng.uniform(-1, 1, (2, truth_NK.shape[1])), 0.8)
    return _planted(truth_NK, _hard_weights(truth_NK, probs_NK), *rate_2K, rng)


def missing(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """Dropped anywhere; none added."""
    rate_K = np.full(truth_NK.shape[1], rate)
    return _planted(truth_NK, np.ones(truth_NK.shape), rate_K, 0 * rate_K, rng)


def spurious(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """Added to look-alikes; none dropped."""
    rate_K = np.full(truth_NK.shape[1], rate)
    return _planted(truth_NK, _hard_weights(truth_NK, probs_NK), 0 * rate_K, rate_K, rng)


def half(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """One label is added wrongly until that share of it is wrong; the others are clean."""
    rate_K = np.zeros(truth_NK.shape[1])
    rate_K[rng.integers(len(rate_K))] = rate / (1 - rate)
    return _planted(truth_NK, _hard_weights(truth_NK, probs_NK), 0 * rate_K, rate_K, rng)


def habit(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """One annotator of three misses what is small: of each label the positives that a model is least sure of."""
    labels_NK = truth_NK.copy()
    his_N = rng.random(len(truth_NK)) < 1 / 3
    for k in range(truth_NK.shape[1]):
        rows = np.flatnonzero(his_N & (truth_NK[:, k] == YES))
        count = min(round(rate * (truth_NK[:, k] == YES).sum()), len(rows))
        labels_NK[rows[np.argsort(probs_NK[rows, k])][:count], k] = NO
    return labels_NK


def confusion(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """Whole photos get what a model of the right labels mistakes them for; of one label each, a swap."""
    labels_NK = truth_NK.copy()
    soft_NK = np.clip(probs_NK, 1e-3, 1 - 1e-3)
    alone = bool((truth_NK.sum(axis=1) <= 1).all())
    if not alone:
        drawn_NK = rng.random(truth_NK.shape) < soft_NK
        rows_N = rng.random(len(truth_NK)) < min(1.0, 2 * rate)
        labels_NK[rows_N] = drawn_NK[rows_N]
        return labels_NK
    odds_NK = np.where(truth_NK == YES, 0, soft_NK)
    unsure_N = odds_NK.sum(axis=1)
    rows = rng.choice(len(truth_NK), round(rate * len(truth_NK)), replace=False, p=unsure_N / unsure_N.sum())
    for row in rows:
        labels_NK[row] = NO
        labels_NK[row, rng.choice(truth_NK.shape[1], p=odds_NK[row] / unsure_N[row])] = YES
    return labels_NK


def swaps(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """A photo's one label becomes any other."""
    labels_NK = truth_NK.copy()
    for row in rng.choice(len(truth_NK), round(rate * len(truth_NK)), replace=False):
        labels_NK[row] = NO
        labels_NK[row, rng.choice(np.flatnonzero(truth_NK[row] != YES))] = YES
    return labels_NK


def neighbours(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """An age becomes the next one, up or down; columns ``AGES`` are in order, others stay."""
    labels_NK = truth_NK.copy()
    ages = NUM_AGES
    for row in rng.choice(len(truth_NK), round(rate * len(truth_NK)), replace=False):
        age = int(truth_NK[row, :ages].argmax())
        if truth_NK[row, age] == YES:
            labels_NK[row, age] = NO
            labels_NK[row, int(np.clip(age + rng.choice([-1, 1]), 0, ages - 1))] = YES
    return labels_NK


def none(truth_NK: Cells, probs_NK: Floats, rate: float, rng: np.random.Generator) -> Cells:
    """Nothing."""
    return truth_NK.copy()


NUM_AGES = 9
KINDS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        random,
        look_alike,
        uneven,
        missing,
        spurious,
        half,
        habit,
        confusion,
        swaps,
        neighbours,
        none,
    )
}
