"""Limit on thresholds per label: all cells pooled, they are not worse than the best single threshold.

What: where the thresholds of all labels together lose pooled utility (micro-F1 for ``f1``) against the best
single threshold, each is moved towards that one in log-odds, by the same share, only as far as needed.
Why: F1 of a label that nobody can rank is best where every photo is chosen. With hundreds of rare labels that
is hundreds of labels a photo. Measured on 400 other photos, backbone tf_efficientnet_lite0, `quick`:

    python benchmarks/long_tail.py --data PHOTOS --weights FILE

Means of three seeds; no limit, this limit, the single threshold (AMD EPYC, two cores):

                       labels a photo (known)     micro-F1           macro-F1
    20 labels           8.4   4.6   4.3 (3.0)   .399 .496 .501    .413 .375 .360
    370 labels         18.1   5.7   5.6 (4.9)   .185 .289 .293    .070 .048 .047
    370, mostly noise 304.3   6.9   6.6 (4.7)   .028 .210 .213    .032 .013 .012

What it costs is macro-F1: a label's own best threshold chooses far more photos than have the label.

M here: shares that are tried.
"""

from dataclasses import dataclass

import numpy as np

from tagger.arrays import NO, YES, Bools, Cells, Floats, logit, sigmoid
from tagger.scoring.best_thresholds import EPS, best_shared_threshold
from tagger.scoring.threshold_objective import ThresholdObjective

MOST_CHOSEN = 1.5  # times the labels a photo that are known, or what the single threshold chooses
SHARES = np.linspace(0.0, 1.0, 21)  # of a label's own threshold, in log-odds


@dataclass(frozen=True)
class PooledLimit:
    """Thresholds between each label's own and the best single one."""

    share: float  # of the own thresholds; below 1
    single: float  # the best single threshold for all cells pooled
    values_K: Floats
    utility: tuple[float, float]  # pooled, out of sample: with the own thresholds, with the single one
    chosen: tuple[float, float]  # labels a photo, out of sample: with the own thresholds, with these
    known: float  # labels a photo that are known to be right

    def note(self, objective: str) -> str:
        """Sentence on what was moved and why."""
        own, single = self.utility
        before, after = self.chosen
        return (
            f"Thresholds: with each label's own, {objective} of all cells is {own:.3f} ({before:.1f} labels a photo);"
            f" with one for all labels ({self.single:.2g}) it is {single:.3f}. They are moved towards that one:"
            f" {after:.1f} labels a photo, where {self.known:.1f} are known."
        )


def limit_pooled_loss(
    labels_NK: Cells,
    probs_NK: Floats,
    values_K: Floats,
    objective: ThresholdObjective,
    *,
    decidable_K: Bools,
    judged_K: Bools,
    tolerated: float,
) -> PooledLimit | None:
    """The thresholds moved until the loss is at most ``tolerated`` (a share of the pooled utility).

    None where it is so already, or where ``objective`` is a constraint, which says itself what is wanted.
    Labels outside ``judged_K`` (too few positives) get the single threshold: what fits a few positives here
    fits no others. Those outside ``decidable_K`` keep theirs and do not count.

    >>> labels_NK = (np.random.default_rng(0).random((200, 50)) < 0.1).astype(np.int8)
    >>> probs_NK = np.random.default_rng(1).uniform(0.08, 0.12, (200, 50))
    >>> sides = {"decidable_K": np.ones(50, bool), "judged_K": np.ones(50, bool)}
    >>> aim = ThresholdObjective("precision", target=0.9)
    >>> limit_pooled_loss(labels_NK, probs_NK, np.full(50, 0.08), aim, **sides, tolerated=0.01) is None
    True
    """
    if objective.is_constraint or tolerated >= 1 or not (labels_NK[:, decidable_K] == YES).any():
        return None
    cells = _PooledCells(labels_NK[:, decidable_K], probs_NK[:, decidable_K], objective)
    single = best_shared_threshold(cells.labels_NK, cells.probs_NK, objective, average="micro")
    own_K = values_K[decidable_K]
    utility_M, chosen_M = cells.judge(np.stack([np.full_like(own_K, single), own_K]))
    least = utility_M[0] - tolerated * abs(utility_M[0])
    if utility_M[1] >= least:
        return None
    single_utility, own_utility = utility_M.tolist()
    chosen_before = float(chosen_M[1])
    start_K = np.where(judged_K[decidable_K], own_K, single)
    end = logit(np.array(single), eps=EPS)
    moved_MK = sigmoid(SHARES[:, None] * logit(start_K, eps=EPS) + (1 - SHARES[:, None]) * end)
    moved_MK[0] = single  # to the last digit
    utility_M, chosen_M = cells.judge(moved_MK)
    known = float(cells.yes_K.sum() / len(labels_NK))
    allowed_M = (utility_M >= least) & (chosen_M <= max(MOST_CHOSEN * known, chosen_M[0]))
    best_m = int(np.flatnonzero(allowed_M).max(initial=0))
    values_K = values_K.copy()
    values_K[decidable_K] = moved_MK[best_m]
    share = float(SHARES[best_m])
    chosen = (chosen_before, float(chosen_M[best_m]))
    return PooledLimit(share, single, values_K, (own_utility, single_utility), chosen, known)


class _PooledCells:
    """Known cells of all labels, sorted by probability within each side of each label."""

    def __init__(self, labels_NK: Cells, probs_NK: Floats, objective: ThresholdObjective):
        self.labels_NK = labels_NK
        self.probs_NK = probs_NK
        self.objective = objective
        self.num_labels = labels_NK.shape[1]
        self.yes_K = (labels_NK == YES).sum(axis=0)
        self.no_K = (labels_NK == NO).sum(axis=0)

    def judge(self, values_MK: Floats) -> tuple[Floats, Floats]:
        """(pooled utility (M,), labels chosen a photo (M,)) of each row of thresholds."""
        tp_M = self._num_chosen(values_MK, YES)
        fp_M = self._num_chosen(values_MK, NO)
        utility_M = self.objective.utility(tp_M, fp_M, self.yes_K.sum(), self.no_K.sum())
        return utility_M, (tp_M + fp_M) / max(len(self.labels_NK), 1)

    def _num_chosen(self, values_MK: Floats, side: int) -> Floats:
        total_M = np.zeros(len(values_MK))
        for k in range(self.num_labels):
            column = np.sort(self.probs_NK[self.labels_NK[:, k] == side, k])
            total_M += len(column) - np.searchsorted(column, values_MK[:, k])
        return total_M
