"""Best threshold of one label, empirical or model-based, and the best one shared by all labels.

Everything here is in log-odds, where thresholds of different labels can be averaged.
"""

from dataclasses import dataclass

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Cells, Floats, logit, sigmoid
from tagger.scoring.calibration import fit_platt, platt_draws
from tagger.scoring.ranking_metrics import RankedLabel
from tagger.scoring.threshold_objective import ThresholdObjective

MAX_CANDIDATES = 400
EPS = 1e-15  # finer than this, probabilities are taken as equal to 0 or 1


@dataclass(frozen=True)
class LogitThreshold:
    """A threshold in log-odds, with bootstrap draws of it, and how far a constraint was missed (None: it was not)."""

    value: float
    draws_B: Floats
    reached: float | None = None  # the precision or recall that could be had, if the wanted one could not


def empirical_threshold(
    labels_N: Cells,
    probs_N: Floats,
    objective: ThresholdObjective,
    weights_NB: Floats,
    *,
    confidence: float | None = None,
) -> LogitThreshold:
    """The threshold with the best utility on these cells, halfway (in log-odds) to the next lower probability.

    For f and cost the mean of the best thresholds of the bootstrap draws ("bagged"), which jumps about less
    than the one best threshold; for a constraint the very threshold that meets it.

    >>> labels, probs = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    >>> objective = ThresholdObjective("precision", target=1.0)
    >>> found = empirical_threshold(labels, probs, objective, np.ones((4, 1)))
    >>> float(sigmoid(found.value).round(3))
    0.5
    """
    ranked = RankedLabel.of(labels_N, probs_N, at_most=None if objective.is_constraint else MAX_CANDIDATES)
    cutoffs_S = _logit_midpoint(ranked.lowest_S, ranked.next_S)
    once_S = objective.utility(*ranked.curve(np.ones((len(labels_N), 1))), confidence=confidence)[:, 0]
    draws_SB = objective.utility(*ranked.curve(weights_NB), confidence=confidence)
    drawn_B = cutoffs_S[draws_SB.argmax(axis=0)]
    if not objective.is_constraint:
        return LogitThreshold(float(drawn_B.mean()), drawn_B)
    best = once_S.argmax()
    missed = once_S[best] < -1.0  # see ThresholdObjective.utility
    return LogitThreshold(float(cutoffs_S[best]), drawn_B, float(once_S[best] + 2.0) if missed else None)


def _logit_midpoint(high: Floats, low: Floats) -> Floats:
    """Log-odds halfway between two probabilities, never so low that ``low`` would be chosen."""
    upper = logit(high, eps=EPS)
    lower = logit(low, eps=EPS)
    middle = 0.5 * (upper + np.maximum(lower, np.minimum(-7.0, upper - 2.0)))  # 1e-3 or 1e-12: no is no
    return np.where(sigmoid(middle) > low, np.minimum(middle, upper), upper)


def model_based_threshold(
    labels_N: Cells,
    probs_N: Floats,
    objective: ThresholdObjective,
    weights_NB: Floats,
    *,
    centre: float,
    prior: float,
) -> LogitThreshold:
    """The threshold that is best if a Platt curve tells the truth about these probabilities
    (``ThresholdObjective.optimal_threshold``).

    The curve is held near the one shared by all labels, ``sigmoid(centre * logit)``, by a prior of weight
    ``prior``: a rare label borrows from the others, a frequent one speaks for itself. Draws take one Newton
    step from the fitted curve.

    >>> rng = np.random.default_rng(0)
    >>> probs = rng.random(40_000)
    >>> labels = (rng.random(40_000) < probs).astype(np.int8)
    >>> objective = ThresholdObjective("cost", fp=1, fn=3)
    >>> optimal_threshold = model_based_threshold(labels, probs, objective, np.ones((40_000, 1)), centre=1, prior=1)
    >>> round(float(sigmoid(optimal_threshold.value)), 2)
    0.25
    """
    known = labels_N != UNKNOWN
    z_N = logit(probs_N[known], eps=EPS)
    yes_N = labels_N[known] == YES
    weights_NB = weights_NB[known]
    order = np.argsort(-z_N, kind="stable")
    z_N = z_N[order]
    yes_N = yes_N[order]
    weights_NB = weights_NB[order]
    fitted = fit_platt(z_N, yes_N, prior=prior, centre=centre)
    scales_B, biases_B = platt_draws(z_N, yes_N, weights_NB, fitted, prior=prior, centre=centre)
    scales_B = np.append(fitted[0], scales_B)
    biases_B = np.append(fitted[1], biases_B)
    cutoffs_B = _best_logits(z_N, weights_NB, scales_B, biases_B, objective)
    return LogitThreshold(float(cutoffs_B[0]), cutoffs_B[1:])


def _best_logits(
    z_N: Floats, weights_NB: Floats, scales_B: Floats, biases_B: Floats, objective: ThresholdObjective
) -> Floats:
    """The best log-odds threshold if each Platt curve is right: the first for all weights 1, then for each column."""
    weights_NB = np.hstack([np.ones((len(z_N), 1)), weights_NB])
    probs_NB = sigmoid(z_N[:, None] * scales_B + biases_B)
    tp_NB = np.cumsum(weights_NB * probs_NB, axis=0)
    chosen_NB = np.cumsum(weights_NB, axis=0)
    yes_B = tp_NB[-1]
    all_B = chosen_NB[-1]
    best_B = objective.utility(tp_NB, chosen_NB - tp_NB, yes_B, all_B - yes_B).max(axis=0)
    return (logit(objective.optimal_threshold(best_B)) - biases_B) / scales_B


def best_shared_threshold(
    labels_NK: Cells, probs_NK: Floats, objective: ThresholdObjective, *, average: str = "macro"
) -> float:
    """The one probability threshold that is best for all labels together; 0.5 if no cell is yes.

    F-beta: ``average`` "macro" takes the mean over labels, "micro" the pooled cells. Constraints and costs
    are always pooled.

    >>> labels, probs = np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.1], [0.2, 0.3]])
    >>> 0.2 < best_shared_threshold(labels, probs, ThresholdObjective("f")) <= 0.3
    True
    """
    probs_NK = np.asarray(probs_NK, dtype=np.float64)
    scores = np.unique(probs_NK[labels_NK == YES])
    if not len(scores):
        return 0.5
    scores = scores[np.linspace(0, len(scores) - 1, min(MAX_CANDIDATES, len(scores))).round().astype(int)][
        ::-1
    ]
    below = np.append(np.sort(probs_NK[labels_NK != UNKNOWN]), 0.0)
    below = np.where(below[0] < scores, below[np.searchsorted(below[:-1], scores) - 1], 0.0)
    cutoffs = sigmoid(_logit_midpoint(scores, below))

    def chosen_from(
        cutoffs_C: Floats, side: int
    ) -> Floats:  # (C, K): how many cells of this side each cutoff chooses
        columns = (np.sort(probs_NK[labels_NK[:, k] == side, k]) for k in range(labels_NK.shape[1]))
        return np.stack([len(column) - np.searchsorted(column, cutoffs_C) for column in columns], axis=1)

    tp_CK = chosen_from(cutoffs, YES)
    fp_CK = chosen_from(cutoffs, NO)
    yes_K = (labels_NK == YES).sum(axis=0)
    no_K = (labels_NK == NO).sum(axis=0)
    if objective.kind == "f" and average == "macro":
        utilities = objective.utility(tp_CK, fp_CK, yes_K, no_K)[:, yes_K > 0].mean(axis=1)
    else:
        utilities = objective.utility(tp_CK.sum(axis=1), fp_CK.sum(axis=1), yes_K.sum(), no_K.sum())
    return float(cutoffs[int(np.argmax(utilities))])
