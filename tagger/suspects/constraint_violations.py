"""Doubts of cells that break a rule or an exclusive group of labels.toml."""

import numpy as np

from tagger.arrays import YES, Floats
from tagger.data import violates_rule_N
from tagger.suspects.evidence import Evidence

MIN_DOUBT = 1e-6


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
