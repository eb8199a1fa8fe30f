"""Doubts of cells that break a rule or an exclusive group of labels.toml, or whose copies say otherwise."""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import YES, Floats, sigmoid
from tagger.data import violates_rule_N
from tagger.suspects.evidence import Evidence

MIN_DOUBT = 1e-6
SAME_SHARE = 0.9  # of near-duplicates with different labels, those that should have the same one


def condition_on_constraints(doubt_NK: Floats, evidence: Evidence) -> Floats:
    """The doubts, given that declared rules and exclusive groups hold in truth.

    A broken rule "a implies b" has a wrong *a* or a wrong *b*: with doubts x and y, each is divided by the
    probability x + y - x y that at least one is wrong. Of several *yes* in an exclusive group at most one
    is right.
    """
    doubt_NK = doubt_NK.copy()
    column = {name: k for k, name in enumerate(evidence.names)}
    for rule in evidence.rules:
        rows = np.flatnonzero(violates_rule_N(evidence.labels_NK, evidence.names, rule))
        cells = np.ix_(rows, np.array([column[rule.premise], column[rule.implied]]))
        doubts_R2 = np.nan_to_num(doubt_NK[cells], nan=MIN_DOUBT).clip(MIN_DOUBT, 1 - MIN_DOUBT)
        some_wrong_R1 = 1 - (1 - doubts_R2).prod(axis=1, keepdims=True)
        doubt_NK[cells] = np.where(np.isnan(doubt_NK[cells]), np.nan, doubts_R2 / some_wrong_R1)
    for group in evidence.groups.values():
        if group["kind"] == "multi":
            continue
        members = [column[name] for name in group["labels"]]
        yes_NG = evidence.labels_NK[:, members] == YES
        for row in np.flatnonzero(yes_NG.sum(axis=1) > 1):
            cells_G = np.array(members)[yes_NG[row]]
            doubts_G = np.nan_to_num(doubt_NK[row, cells_G], nan=MIN_DOUBT)
            doubt_NK[row, cells_G] = np.where(
                np.isnan(doubt_NK[row, cells_G]), np.nan, at_most_one_right(doubts_G)
            )
    return doubt_NK


def at_most_one_right(doubts_G: Floats) -> Floats:
    """The doubts of several *yes*, given that one of them at most is right.

    >>> at_most_one_right(np.array([0.5, 0.5])).round(2).tolist()
    [0.67, 0.67]
    """
    doubts_G = doubts_G.clip(MIN_DOUBT, 1 - MIN_DOUBT)
    all_wrong = float(doubts_G.prod())
    only_right_G = (1 - doubts_G) / doubts_G * all_wrong
    return 1 - only_right_G / (only_right_G.sum() + all_wrong)


def condition_on_copies(doubt_NK: Floats, evidence: Evidence) -> Floats:
    """The doubts, given that near-duplicates with different labels cannot both be right.

    Of two copies with doubts x and y one is wrong: x (1 - y) against y (1 - x). Of several, the mean log-odds
    of either side count. ``SAME_SHARE`` of such groups are taken for copies in truth. A cell that a person
    has verified (doubt 0) decides for its copies.
    """
    _, place_N, size_G = np.unique(evidence.duplicate_group_N, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(size_G[place_N] > 1)
    if not len(rows):
        return doubt_NK
    place = np.unique(place_N[rows], return_inverse=True)[1]
    known_RK = np.isfinite(doubt_NK[rows])
    doubts_RK = np.nan_to_num(doubt_NK[rows], nan=0.5).clip(MIN_DOUBT, 1 - MIN_DOUBT)
    yes_RK = evidence.labels_NK[rows] == YES
    for_yes_RK = np.where(yes_RK, -1, 1) * (np.log(doubts_RK) - np.log1p(-doubts_RK))
    sides = [_group_means(for_yes_RK, known_RK & side_RK, place) for side_RK in (yes_RK, ~yes_RK)]
    prob_yes_GK = sigmoid(sides[0] + sides[1])  # NaN where all copies agree
    wrong_RK = np.where(yes_RK, 1 - prob_yes_GK[place], prob_yes_GK[place])
    mixed_RK = SAME_SHARE * wrong_RK + (1 - SAME_SHARE) * doubts_RK
    verified_RK = np.zeros_like(known_RK) if evidence.verified_NK is None else evidence.verified_NK[rows]
    told_GK = np.zeros(prob_yes_GK.shape, bool)
    np.logical_or.at(told_GK, place, verified_RK)
    agreed_RK = np.where(told_GK[place], (1 - SAME_SHARE) * doubts_RK, doubts_RK)
    out_NK = doubt_NK.copy()
    out_NK[rows] = np.where(known_RK, np.where(np.isnan(wrong_RK), agreed_RK, mixed_RK), np.nan)
    return out_NK


def _group_means(values_RK: Floats, counted_RK: NDArray[np.bool_], place: NDArray[np.integer]) -> Floats:
    """Mean over the counted cells of each group and label (G, K); NaN where none is."""
    sums_GK = np.zeros((int(place.max()) + 1, values_RK.shape[1]))
    counts_GK = np.zeros_like(sums_GK)
    np.add.at(sums_GK, place, np.where(counted_RK, values_RK, 0))
    np.add.at(counts_GK, place, counted_RK)
    return np.where(counts_GK > 0, sums_GK / np.maximum(counts_GK, 1), np.nan)
