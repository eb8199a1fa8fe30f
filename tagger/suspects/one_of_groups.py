"""Labels of which every photo has exactly one: if the given one is wrong, one of the others is missing.

The doubts of such a photo are not independent: its given label is wrong exactly where one other is missing.
Both sides see the same error, so each is judged by both. With d the doubt of the given label and m_j that of
the others, the odds that *j* is right instead are in proportion to

    odds(d) ** GIVEN_WEIGHT * odds(m_j) ** OTHERS_WEIGHT

(the product would be right for two independent witnesses; these look at the same photo). One factor for all
photos makes the wrong given labels as many as the geometric mean of what either side expects.

Measured by ``benchmarks/suspects.py --suite`` (docs/results.md): with one person's label each, *missing* is
found 1.2 to 1.5 times as well as before, *spurious* 1.05 times.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Floats, Indices, logit, row_blocks, sigmoid
from tagger.data import cooccurrence_blocks
from tagger.suspects.error_rates import shift_to_mean
from tagger.suspects.evidence import Evidence
from tagger.suspects.exclusive_labels import ChanceMeetings, never_together

GIVEN_WEIGHT = 0.5
OTHERS_WEIGHT = 0.8
MIN_COVERED = 0.98  # of the photos that have exactly one label of a group
MOST_LABELS_COUNTED = 256  # more, and groups that nobody declared are not looked for
MIN_SHARE = 1e-6


def one_of_groups(evidence: Evidence) -> list[Indices]:
    """The columns of each group of labels of which nearly all photos were given exactly one.

    All labels together, declared groups, and labels that never go together and cover the photos.
    """
    num_labels = len(evidence.names)
    if _covers(evidence, np.arange(num_labels)):
        return [np.arange(num_labels)] if num_labels > 1 else []
    column = {name: k for k, name in enumerate(evidence.names)}
    declared = [group["labels"] for group in evidence.groups.values() if group["kind"] != "multi"]
    groups = [np.array([column[name] for name in names], np.int64) for names in declared]
    taken = {k for group in groups for k in group.tolist()}
    if num_labels <= MOST_LABELS_COUNTED:
        groups += [group for group in _apart(evidence) if taken.isdisjoint(group.tolist())]
    return [group for group in groups if len(group) > 1 and _covers(evidence, group)]


def _covers(evidence: Evidence, members: Indices) -> bool:
    num_yes_N = (evidence.first_labels_NK[:, members] == YES).sum(axis=1)
    return bool(len(num_yes_N) and (num_yes_N == 1).mean() >= MIN_COVERED)


def _apart(evidence: Evidence) -> Iterator[Indices]:
    """Groups of labels of which no photo has two: parts of a graph whose members all exclude each other."""
    labels_NK = evidence.first_labels_NK
    chance = ChanceMeetings(labels_NK)
    apart_KK = np.zeros((labels_NK.shape[1],) * 2, bool)
    for block, both_LK in cooccurrence_blocks(labels_NK):
        apart_KK[block] = never_together(both_LK, chance.of(block))
    apart_KK &= apart_KK.T
    left = set(range(len(apart_KK)))
    while left:
        members = _connected(apart_KK, min(left))
        left -= set(members.tolist())
        if (apart_KK[np.ix_(members, members)] | np.eye(len(members), dtype=bool)).all():
            yield members


def _connected(linked_KK: NDArray[np.bool_], start: int) -> Indices:
    """The columns that are reached from one.

    >>> _connected(np.array([[False, True, False], [True, False, False], [False] * 3]), 0).tolist()
    [0, 1]
    """
    reached_K = np.zeros(len(linked_KK), bool)
    reached_K[start] = True
    while (grown_K := reached_K | linked_KK[reached_K].any(axis=0)).sum() > reached_K.sum():
        reached_K = grown_K
    return np.flatnonzero(reached_K)


def condition_on_one_of(doubt_NK: Floats, evidence: Evidence, groups: list[Indices]) -> None:
    """The doubts, given that each photo has exactly one label of each group, in place.

    Photos that were given none or several are left alone, and those whose given label is not ranked.
    """
    for members in groups:
        yes_NM = evidence.labels_NK[:, members] == YES
        given_N = members[yes_NM.argmax(axis=1)]
        ranked_N = np.isfinite(doubt_NK[np.arange(len(doubt_NK)), given_N])
        rows = np.flatnonzero((yes_NM.sum(axis=1) == 1) & ranked_N)
        blocks = [rows[block] for block in row_blocks((len(rows), len(members)))]
        shift = _common_shift(doubt_NK, evidence, members, blocks)
        for cells in blocks:
            against_R, share_RM = against_and_shares(*_both_sides(doubt_NK, evidence, cells, members))
            wrong_R = sigmoid(against_R + shift)
            block_RM = doubt_NK[np.ix_(cells, members)]
            others_RM = np.isfinite(block_RM) & (evidence.labels_NK[np.ix_(cells, members)] == NO)
            doubt_NK[np.ix_(cells, members)] = np.where(others_RM, wrong_R[:, None] * share_RM, block_RM)
            doubt_NK[cells, given_N[cells]] = wrong_R


def against_and_shares(given_R: Floats, others_RM: Floats) -> tuple[Floats, Floats]:
    """(log-odds (R) of the given label being wrong up to a constant, share (R, M) of each other label in that).

    >>> against_R, share_RM = against_and_shares(np.array([0.5]), np.array([[0.0, 0.5, 0.5]]))
    >>> [round(float(against_R[0]), 2), share_RM.tolist()]
    [0.69, [[0.0, 0.5, 0.5]]]
    """
    others_RM = np.clip(np.asarray(others_RM, np.float64), 0, 1 - MIN_SHARE)
    weight_RM = (others_RM / (1 - others_RM)) ** OTHERS_WEIGHT
    total_R = np.maximum(weight_RM.sum(axis=1), 1e-30)
    given_R = logit(np.asarray(given_R, np.float64), MIN_SHARE)
    return GIVEN_WEIGHT * given_R + np.log(total_R), weight_RM / total_R[:, None]


def _both_sides(
    doubt_NK: Floats, evidence: Evidence, rows: Indices, members: Indices
) -> tuple[Floats, Floats]:
    """(doubts (R) of the given label, doubts (R, M) of the others, 0 where there is none)."""
    labels_RM = evidence.labels_NK[np.ix_(rows, members)]
    given_R = doubt_NK[rows, members[(labels_RM == YES).argmax(axis=1)]]
    return given_R, np.where(labels_RM == NO, np.nan_to_num(doubt_NK[np.ix_(rows, members)]), 0.0)


def _common_shift(doubt_NK: Floats, evidence: Evidence, members: Indices, blocks: list[Indices]) -> float:
    """What makes the wrong given labels as many as both sides expect, by photos that nobody has reviewed."""
    against: list[Floats] = [np.zeros(0)]
    wrong = missing = 0.0
    for rows in blocks:
        if evidence.verified_NK is not None:
            rows = rows[~evidence.verified_NK[np.ix_(rows, members)].any(axis=1)]
        given_R, others_RM = _both_sides(doubt_NK, evidence, rows, members)
        against.append(against_and_shares(given_R, others_RM)[0])
        wrong, missing = wrong + float(given_R.sum()), missing + float(others_RM.sum())
    against_R = np.concatenate(against)
    if not len(against_R):
        return 0.0
    return shift_to_mean(against_R, max(np.sqrt(wrong * missing) / len(against_R), MIN_SHARE))
