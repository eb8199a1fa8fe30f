"""Ranking metrics: average precision and area under the ROC curve per label, ranking loss per image."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Floats, row_blocks
from tagger.scoring.finite_checks import check_scores

if TYPE_CHECKING:  # scipy's sparse matrices are loaded where they are made: predicting starts without them
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class RankedLabel:
    """One label's known cells, sorted once, so that many weightings of the images cost two sparse products each.

    Precision changes recall only where a positive is met, so the ranking is cut into S segments, each
    ending with a group of equal probabilities that holds a positive; what lies below the last positive
    never matters.
    """

    seen_SN: "csr_array"  # 1 where image n is a known cell of segment s
    hits_SN: "csr_array"  # 1 where it is a positive
    tied_SN: "csr_array"  # 1 where it is a negative as probable as the segment's positives
    lowest_S: Floats  # the lowest probability in the segment
    next_S: Floats  # the next lower probability of a known cell; 0 where there is none
    known_N: NDArray[np.bool_]

    @classmethod
    def of(cls, labels_N: Cells, probs_N: Floats, *, at_most: int | None = None) -> "RankedLabel":
        """The ranking of one label, -1 cells left out; ``at_most`` so many segments (None: all, for exact
        precision).

        >>> RankedLabel.of(np.array([1, 0, 1, -1]), np.array([0.9, 0.8, 0.7, 0.6])).seen_SN.toarray().tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
        """
        from scipy.sparse import csr_array

        known = np.flatnonzero(labels_N != UNKNOWN)
        order = known[np.argsort(-probs_N[known], kind="stable")]
        hit = labels_N[order] == YES
        score = probs_N[order]
        group = np.concatenate([[0], np.cumsum(score[1:] != score[:-1])]) if len(order) else np.zeros(0, int)
        ends = np.unique(group[hit])  # the tie groups that hold a positive
        if at_most is not None and len(ends) > at_most:
            ends = ends[np.linspace(0, len(ends) - 1, at_most).round().astype(int)]
        segment = np.searchsorted(ends, group)
        used = segment < len(ends)

        def rows(
            keep: NDArray[np.bool_],
        ) -> csr_array:  # segments rise down the ranking, so its cells are in order
            starts = np.searchsorted(segment[keep], np.arange(len(ends) + 1))
            return csr_array((np.ones(starts[-1]), order[keep], starts), shape=(len(ends), len(labels_N)))

        values = np.append(score[np.flatnonzero(np.diff(group, prepend=-1))], 0.0)  # one a tie group, falling
        tied = used & ~hit & (ends[np.minimum(segment, len(ends) - 1)] == group) if len(ends) else used
        lowest_S, next_S = values[ends], values[ends + 1]
        return cls(rows(used), rows(used & hit), rows(tied), lowest_S, next_S, labels_N != UNKNOWN)

    def curve(self, weights_NB: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """What choosing down to each segment's end gives: true and false positives (S, B), and all yes and no (B,)."""
        tp_SB = np.cumsum(self.hits_SN @ weights_NB, axis=0)
        fp_SB = np.cumsum(self.seen_SN @ weights_NB, axis=0) - tp_SB
        return tp_SB, fp_SB, *self._classes(tp_SB, self.known_N @ weights_NB)

    @staticmethod
    def _classes(tp_SB: Floats, known_B: Floats) -> tuple[Floats, Floats]:
        """All yes and no: the last segment ends with the last yes."""
        positives_B = tp_SB[-1] if len(tp_SB) else np.zeros_like(known_B)
        return positives_B, known_B - positives_B

    def average_precision(self, weights_NB: Floats, known_B: Floats | None = None) -> Floats:
        """Average precision for each column of image weights, shape (B,); NaN where a class has no weight.

        scikit-learn's definition, sum of (R_s - R_s-1) P_s, equal probabilities taken together.
        ``known_B``, the weight of all known cells, is summed here if the caller has not got it.
        """
        return self.ranking_scores(weights_NB, known_B)[0]

    def ranking_scores(self, weights_NB: Floats, known_B: Floats | None = None) -> tuple[Floats, Floats]:
        """Average precision, and the area under the ROC curve: the share of pairs of a yes and a no in which the yes
        is more probable, equal ones counted half; each (B,), NaN where a class has no weight.
        """
        hits_SB = self.hits_SN @ weights_NB
        seen_SB = self.seen_SN @ weights_NB
        tp_SB = np.cumsum(hits_SB, axis=0)
        chosen_SB = np.cumsum(seen_SB, axis=0, out=seen_SB)
        positives_B, negatives_B = self._classes(
            tp_SB, self.known_N @ weights_NB if known_B is None else known_B
        )
        above_SB = chosen_SB - tp_SB - 0.5 * (self.tied_SN @ weights_NB)  # negatives before each positive
        pairs_B = positives_B * negatives_B
        auc_B = 1 - (hits_SB * above_SB).sum(axis=0) / np.where(pairs_B > 0, pairs_B, 1)
        hits_SB *= tp_SB
        area_B = np.divide(hits_SB, chosen_SB, out=hits_SB, where=chosen_SB > 0).sum(axis=0)
        defined_B = (positives_B > 0) & (negatives_B > 0)
        precision_B = area_B / np.where(positives_B > 0, positives_B, 1)
        return np.where(defined_B, precision_B, np.nan), np.where(defined_B, auc_B, np.nan)


def average_precision(labels_N: Cells, probs_N: Floats, *, skew_normalised: bool = False) -> float:
    """Average precision of one label over its known cells (higher is better); NaN without a positive or a
    negative.

    ``skew_normalised`` gives both classes the same total weight: what undersampling the larger class at
    test time tends to (METHODS section 8).

    >>> average_precision(np.array([1, 0, 1, -1]), np.array([0.9, 0.8, 0.7, 0.95]))
    0.8333333333333333
    """
    known_N = np.asarray(labels_N) != UNKNOWN
    hit_M = np.asarray(labels_N)[known_N] == YES
    score_M = np.asarray(probs_N)[known_N]
    positives = int(hit_M.sum())
    negatives = int((~hit_M).sum())
    if not positives or not negatives:
        return float("nan")
    order = np.argsort(-score_M)  # equal scores are taken together, so that their order does not matter
    hit_M = hit_M[order]
    score_M = score_M[order]
    ends_S = np.append(np.flatnonzero(score_M[1:] != score_M[:-1]), len(score_M) - 1)
    tp_S = np.cumsum(hit_M)[ends_S].astype(np.float64)
    fp_S = (ends_S + 1 - tp_S) * (positives / negatives if skew_normalised else 1.0)
    return float((np.diff(tp_S, prepend=0) * tp_S / (tp_S + fp_S)).sum() / positives)


def mean_average_precision(labels_NK: Cells, probs_NK: Floats) -> float:
    """mAP: the mean of average precision over labels that have a positive and a negative; NaN if none has.

    TaggerError if the score of a known cell is NaN.

    >>> mean_average_precision(np.array([[1, 0], [0, 0]]), np.array([[0.9, 0.1], [0.2, 0.3]]))
    1.0
    """
    check_scores(labels_NK, probs_NK)
    values = np.array([average_precision(labels_NK[:, k], probs_NK[:, k]) for k in range(labels_NK.shape[1])])
    return float(np.mean(values[~np.isnan(values)])) if (~np.isnan(values)).any() else float("nan")


def ranking_losses(labels_NK: Cells, probs_NK: Floats) -> Floats:
    """Per image, the share of its (yes, no) label pairs in the wrong order, equal counted as wrong; shape (N,).

    Only known cells form pairs. An image without such a pair has 0, as in scikit-learn's
    ``label_ranking_loss``; an image without any known cell has NaN and is to be left out.

    >>> ranking_losses(np.array([[1, 0, 0], [0, 0, 0], [-1, -1, -1]]), np.array([[0.5, 0.6, 0.1]] * 3)).tolist()
    [0.5, 0.0, nan]
    """
    losses_N = np.empty(len(labels_NK))
    for rows in row_blocks(labels_NK.shape):
        labels_CK = labels_NK[rows]
        yes_CK = labels_CK == YES
        no_CK = (labels_CK != UNKNOWN) & (labels_CK != YES)
        order_CK = np.argsort(
            ~yes_CK, axis=1, kind="stable"
        )  # yes first, so that of equal probabilities it comes first
        sorted_CK = np.argsort(np.take_along_axis(probs_NK[rows], order_CK, axis=1), axis=1, kind="stable")
        order_CK = np.take_along_axis(order_CK, sorted_CK, axis=1)
        no_CK = np.take_along_axis(no_CK, order_CK, axis=1)
        yes_CK = np.take_along_axis(yes_CK, order_CK, axis=1)
        above_CK = np.cumsum(no_CK[:, ::-1], axis=1)[:, ::-1]  # no as probable as this one, or more
        wrong_C = (above_CK * yes_CK).sum(axis=1)
        pairs_C = yes_CK.sum(axis=1) * no_CK.sum(axis=1)
        losses_N[rows] = np.where(
            (labels_CK != UNKNOWN).any(axis=1), wrong_C / np.maximum(pairs_C, 1), np.nan
        )
    return losses_N


def ranking_loss(labels_NK: Cells, probs_NK: Floats) -> float:
    """The mean of ``ranking_losses`` over images with a known cell (lower is better); NaN if there is none.

    >>> ranking_loss(np.array([[1, 0, 0], [0, 1, 0]]), np.array([[0.5, 0.6, 0.1], [0.1, 0.9, 0.2]]))
    0.25
    """
    losses_N = ranking_losses(labels_NK, probs_NK)
    losses_N = losses_N[~np.isnan(losses_N)]
    return float(losses_N.mean()) if len(losses_N) else float("nan")
