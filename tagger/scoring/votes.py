"""Several people's votes on cells, weighed by how reliable each person is for each label.

Dawid and Skene 1979 (Appl. Statist. 28) for yes and no: each person has a sensitivity and a specificity for each
label, estimated together with the cells by expectation maximization. The model's held-out probability is the prior
of a cell, recalibrated on the way (Raykar et al. 2010, JMLR 11; CROWDLAB, Goh et al. 2022, arXiv 2210.06812, weighs
the model as one more annotator). Rates of a person are drawn towards those of all people for the label, and these
towards those of all labels, so that a few votes say little.
"""

from dataclasses import dataclass

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Cells, Floats

MIN_SHARED = 20  # cells of a label with two votes or more, below which the majority decides
PRIOR_VOTES = 10.0  # the weight of what all people do, in votes
MAX_ROUNDS = 50
TOLERANCE = 1e-4
LIMIT = 1e-6


@dataclass(frozen=True)
class WeighedVotes:
    """Probabilities that cells are yes, and the rates of each person (P) for each label (K)."""

    probs_C: Floats  # the share of yes where there is too little to tell
    sensitivity_PK: Floats  # how often a yes is called yes
    specificity_PK: Floats  # how often a no is called no
    enough_K: np.ndarray  # bool: there are enough cells with several votes to estimate rates


def weigh_votes(
    votes_PC: Cells, label_C: np.ndarray, num_labels: int, probs_C: Floats | None = None
) -> WeighedVotes:
    """The probability of each cell (C), given votes (-1 none, 0 no, 1 yes) and the model's held-out probability.

    ``label_C`` is the label of a cell. ``probs_C`` may hold NaN where the model does not know a cell.

    >>> votes = np.array([[1, 0], [1, 1]], np.int8)
    >>> weigh_votes(votes, np.array([0, 0]), 1).probs_C.tolist()  # two cells are too few: shares
    [1.0, 0.5]
    """
    known_PC = votes_PC != UNKNOWN
    num_C = known_PC.sum(axis=0)
    share_C = np.where(known_PC, votes_PC, 0).sum(axis=0) / np.maximum(num_C, 1)
    enough_K = np.bincount(label_C[num_C > 1], minlength=num_labels) >= MIN_SHARED
    belief_C = share_C.astype(float)
    rates_2PK = _rates(votes_PC, label_C, num_labels, belief_C)
    for _ in range(MAX_ROUNDS):
        prior_C = _prior(belief_C, label_C, num_labels, probs_C)
        new_C = _sigmoid(prior_C + _evidence(votes_PC, label_C, rates_2PK))
        change = float(np.abs(new_C - belief_C).max(initial=0.0))
        belief_C = new_C
        rates_2PK = _rates(votes_PC, label_C, num_labels, belief_C)
        if change < TOLERANCE:
            break
    return WeighedVotes(
        probs_C=np.where(enough_K[label_C], belief_C, share_C),
        sensitivity_PK=rates_2PK[0],
        specificity_PK=rates_2PK[1],
        enough_K=enough_K,
    )


def _rates(votes_PC: Cells, label_C: np.ndarray, num_labels: int, belief_C: Floats) -> Floats:
    """(sensitivity, specificity) as (2, P, K), drawn towards the label's and the pooled rates."""
    both = []
    for value, weight_C in ((YES, belief_C), (NO, 1 - belief_C)):
        right_PK = _sum_by_label(np.where(votes_PC == value, weight_C, 0.0), label_C, num_labels)
        all_PK = _sum_by_label(np.where(votes_PC != UNKNOWN, weight_C, 0.0), label_C, num_labels)
        pooled = (right_PK.sum() + 1) / (all_PK.sum() + 2)
        label_K = (right_PK.sum(axis=0) + PRIOR_VOTES * pooled) / (all_PK.sum(axis=0) + PRIOR_VOTES)
        both.append((right_PK + PRIOR_VOTES * label_K) / (all_PK + PRIOR_VOTES))
    return np.clip(np.stack(both), 0.01, 1 - 1e-4)


def _sum_by_label(values_PC: Floats, label_C: np.ndarray, num_labels: int) -> Floats:
    sums = [np.bincount(label_C, weights=row_C, minlength=num_labels) for row_C in values_PC]
    return np.array(sums, float).reshape(len(values_PC), num_labels)


def _evidence(votes_PC: Cells, label_C: np.ndarray, rates_2PK: Floats) -> Floats:
    """The log odds that the votes add to each cell."""
    sensitivity_PK, specificity_PK = rates_2PK
    yes_PK = np.log(sensitivity_PK / (1 - specificity_PK))
    no_PK = np.log((1 - sensitivity_PK) / specificity_PK)
    each_PC = np.where(votes_PC == YES, yes_PK[:, label_C], np.where(votes_PC == NO, no_PK[:, label_C], 0.0))
    return each_PC.sum(axis=0)


def _prior(belief_C: Floats, label_C: np.ndarray, num_labels: int, probs_C: Floats | None) -> Floats:
    """The log odds of each cell before any vote: the model's, recalibrated label by label; else the label's share."""
    prior_C = np.empty(len(belief_C))
    for k in range(num_labels):
        cells = np.flatnonzero(label_C == k)
        share = np.clip(belief_C[cells].mean() if len(cells) else 0.5, LIMIT, 1 - LIMIT)
        prior_C[cells] = np.log(share / (1 - share))
        if probs_C is None:
            continue
        with_model = cells[~np.isnan(probs_C[cells])]
        p = np.clip(probs_C[with_model], LIMIT, 1 - LIMIT)
        logit = np.log(p / (1 - p))
        if len(with_model):
            slope, shift = _calibration(logit, belief_C[with_model])
            prior_C[with_model] = slope * logit + shift
    return prior_C


def _calibration(
    logit: Floats, target: Floats, *, ridge: float = 1.0, rounds: int = 30
) -> tuple[float, float]:
    """Slope and shift of a logistic regression of soft targets on the model's logits; the slope drawn towards 1."""
    slope, shift = 1.0, 0.0
    for _ in range(rounds):
        p = _sigmoid(slope * logit + shift)
        weight = p * (1 - p)
        gradient = np.array(
            [((p - target) * logit).sum() + ridge * (slope - 1), (p - target).sum() + ridge * shift]
        )
        cross = (weight * logit).sum()
        hessian = np.array([[(weight * logit**2).sum() + ridge, cross], [cross, weight.sum() + ridge]])
        step = np.linalg.solve(hessian, gradient)
        slope, shift = slope - step[0], shift - step[1]
        if np.abs(step).max() < TOLERANCE:
            break
    return float(slope), float(shift)


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))
