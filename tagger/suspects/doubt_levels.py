"""Doubts of each label and direction moved to how many errors are expected there.

*Missing* labels are drawn towards self-confidence's values across labels: their rates are read off few cells
(a label's likeliest *no*), and where only what is hard to see was overlooked these show nothing. Within a
label the order stays. Not so where every photo has one label of a group: there the given label tells how
many are missing (``one_of_groups``).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Floats, Indices, sigmoid
from tagger.suspects.error_rates import binned_log_odds, error_rates, shift_of_bins, shift_to_mean
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.threads import parallel_for

MIN_SHARE = 1e-6  # of wrong ones among a label's given values
SELF_CONFIDENCE_SHARE = 0.3  # of the missing labels' log-odds across labels
MIN_SPREAD = 0.1  # nats


def move_to_error_rates(
    doubt_NK: Floats,
    evidence: Evidence,
    given_NK: Floats,
    likelihood_ratios: Sequence[Floats],
    columns: Indices,
    free: Indices,
) -> None:
    """Move the doubts of these columns, by direction, until they add up to ``error_rates``, in place.

    Log-odds are first averaged with those of the given value being unlikely: Bayes' rule with two rates is
    too sure of itself where the rates are not the same for all images. ``free``: columns whose missing
    labels are drawn towards self-confidence.
    """
    labels_NK = evidence.first_labels_NK
    rates = error_rates(given_NK[:, columns], labels_NK[:, columns])
    drawn: dict[int, _Drawn] = {}

    def move(place: int) -> None:
        k = int(columns[place])
        for_yes_N = log_odds(given_NK[:, k], 1e-5) + sum(part_NK[:, k] for part_NK in likelihood_ratios)
        for value, sign, share_K in ((NO, 1, rates.missing_K), (YES, -1, rates.spurious_K)):
            cells = np.flatnonzero(labels_NK[:, k] == value)
            share = max(float(share_K[place]), MIN_SHARE)
            logits_C: Floats = (log_odds(doubt_NK[cells, k], 1e-5) + sign * for_yes_N[cells]) / 2
            logits_C = logits_C + shift_to_mean(logits_C, share)
            if value == NO and k in free:
                logits_C = drawn_logits(logits_C, log_odds(evidence.probs_NK[cells, k]))
                drawn[k] = _Drawn(binned_log_odds(logits_C), share * len(cells))
                doubt_NK[cells, k] = logits_C  # until the shift of all labels is known
            else:
                doubt_NK[cells, k] = sigmoid(logits_C)

    parallel_for(move, range(len(columns)))
    if drawn:
        count_B = np.sum([part.count_B for part in drawn.values()], axis=0)
        errors = sum(part.errors for part in drawn.values())
        shift = shift_of_bins(count_B, errors / max(float(count_B.sum()), 1.0))
        parallel_for(lambda k: _finish(doubt_NK[:, k], labels_NK[:, k] == NO, shift), list(drawn))


class _Drawn(NamedTuple):
    """Log-odds of one column's missing labels, counted in bins, and the errors among them before they were drawn."""

    count_B: Floats
    errors: float


def _finish(logits_N: Floats, chosen_N: NDArray[np.bool_], shift: float) -> None:
    """Turn the chosen log-odds, moved by ``shift``, into doubts, in place."""
    logits_N[chosen_N] = sigmoid(logits_N[chosen_N] + shift)


def drawn_logits(logits_C: Floats, self_confidence_C: Floats) -> Floats:
    """Log-odds drawn towards what they would be with self-confidence's mean and standard deviation.

    >>> drawn_logits(np.array([-2.0, 0.0]), np.array([-5.0, -3.0])).round(2).tolist()
    [-2.9, -0.9]
    """
    if not len(logits_C):
        return logits_C
    spread = self_confidence_C.std() / max(float(logits_C.std()), MIN_SPREAD)
    like_them_C = self_confidence_C.mean() + (logits_C - logits_C.mean()) * spread
    return (1 - SELF_CONFIDENCE_SHARE) * logits_C + SELF_CONFIDENCE_SHARE * like_them_C
