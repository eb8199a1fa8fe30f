"""One doubt per cell from all signals, with weights fitted to the given labels by cross-fitting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats, Indices, row_blocks
from tagger.suspects.constraint_violations import condition_on_constraints, condition_on_copies
from tagger.suspects.doubt_levels import move_to_error_rates
from tagger.suspects.doubt_steps import ONE_OF_GROUP, DoubtSteps, SignalContribution
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.exclusive_labels import condition_on_verified, no_photo_without_label
from tagger.suspects.label_noise import noise_rates, posterior_doubt, true_label_probs
from tagger.suspects.logistic_regression import cross_fit_logistic
from tagger.suspects.one_of_groups import condition_on_one_of, one_of_groups
from tagger.suspects.signals import Signal
from tagger.suspects.threads import parallel_for


@dataclass(frozen=True)
class CellDoubt:
    """``doubt_NK``: probability that the given value is wrong (NaN: unknown cell, or a label not ranked).

    ``contributions``: what each signal adds. ``steps``: what the doubt went through. ``groups``: the columns of
    labels of which a photo has one.
    """

    doubt_NK: Floats
    contributions: Mapping[str, SignalContribution]
    false_negative_rate: float
    false_positive_rate_K: Floats
    steps: DoubtSteps
    groups: Sequence[Indices]


def combine_signals(
    evidence: Evidence, found: Mapping[str, Signal], rankable_K: NDArray[np.bool_]
) -> CellDoubt:
    """One doubt per cell, *missing* and *spurious* on one scale: the probability of an error."""
    labels_NK = evidence.labels_NK
    learnt = [name for name, signal in found.items() if not signal.is_likelihood_ratio]
    zeros_K = np.zeros(labels_NK.shape[1], np.float32)
    ones_K = np.ones(labels_NK.shape[1], np.float32)
    contributions = {
        name: SignalContribution(
            signal.for_yes_NK, zeros_K.copy(), ones_K if signal.is_likelihood_ratio else zeros_K.copy()
        )
        for name, signal in found.items()
    }
    given_NK = np.zeros(labels_NK.shape, np.float32)
    others_least_K = np.full(labels_NK.shape[1], -np.inf)
    all_labelled = no_photo_without_label(evidence.first_labels_NK)
    other_labels = [place for place, name in enumerate(learnt) if found[name].of_other_labels]

    def fit_label(k: int) -> None:
        columns_NF = np.stack([found[name].for_yes_NK[:, k] for name in learnt], axis=1)
        known_N = labels_NK[:, k] >= NO
        logits_N, weights_F = cross_fit_logistic(
            columns_NF, labels_NK[:, k] == YES, known_N, evidence.fold_N, increasing=True
        )
        others_N = columns_NF[:, other_labels] @ weights_F[other_labels]
        no_N = labels_NK[:, k] == NO
        logits_N += _held_back(others_N, no_N, all_labelled=all_labelled)
        others_least_K[k] = np.median(others_N[no_N]) if no_N.any() else -np.inf
        given_NK[:, k] = 1 / (1 + np.exp(-logits_N))
        for name, column_N, weight in zip(learnt, columns_NF.T, weights_F, strict=True):
            contributions[name].mean_K[k], contributions[name].weight_K[k] = column_N.mean(), weight

    parallel_for(fit_label, np.flatnonzero(rankable_K).tolist())
    likelihood_ratios = [signal.for_yes_NK for signal in found.values() if signal.is_likelihood_ratio]
    rates = _noise_rates(given_NK, labels_NK, rankable_K)
    doubt_NK, false_negative_rate, false_positive_rate_K = _score_cells(
        evidence, given_NK, likelihood_ratios, rankable_K, rates
    )
    groups = one_of_groups(evidence)
    columns = np.flatnonzero(rankable_K)
    free = np.setdiff1d(columns, np.concatenate([columns[:0], *groups]))
    move_to_error_rates(doubt_NK, evidence, given_NK, likelihood_ratios, columns, free)
    doubt_NK[:, ~rankable_K] = np.nan
    if evidence.verified_NK is not None:
        doubt_NK[evidence.verified_NK] = 0.0
    before = {ONE_OF_GROUP: doubt_NK.copy()} if groups else {}
    condition_on_one_of(doubt_NK, evidence, groups)
    before["duplicates"] = doubt_NK = condition_on_verified(doubt_NK, evidence)
    before["rules"] = doubt_NK = condition_on_copies(doubt_NK, evidence)
    doubt_NK = condition_on_constraints(doubt_NK, evidence)
    if evidence.verified_NK is not None:
        doubt_NK[evidence.verified_NK] = np.nan
    of_others = [learnt[place] for place in other_labels]
    steps = DoubtSteps(given_NK, rates, of_others, others_least_K, all_labelled, before)
    return CellDoubt(doubt_NK, contributions, false_negative_rate, false_positive_rate_K, steps, groups)


def _held_back(others_N: Floats, no_N: NDArray[np.bool_], *, all_labelled: bool) -> Floats:
    """What to add so that other labels speak against a missing one no more than they do for the middle *no*.

    Where several people's labels are joined, a photo that confused them has more labels than others, and its
    right one may be missing all the same. ``all_labelled``: nor do they speak for it.

    >>> _held_back(np.array([-3.0, -1.0, 0.0, -9.0]), np.array([1, 1, 1, 0], bool), all_labelled=False).tolist()
    [2.0, 0.0, 0.0, 0.0]
    """
    if not no_N.any():
        return np.zeros_like(others_N)
    below_N = np.median(others_N[no_N]) - others_N
    return np.where(no_N, below_N if all_labelled else np.maximum(below_N, 0), 0)


def _score_cells(
    evidence: Evidence,
    given_NK: Floats,
    likelihood_ratios: Sequence[Floats],
    rankable_K: NDArray[np.bool_],
    now: tuple[float, NDArray[np.float64]],
) -> tuple[Floats, float, NDArray[np.float64]]:
    """The doubt (N, K) of every cell from its probability of being given *yes*; and both noise rates."""
    labels_NK = evidence.first_labels_NK
    # corrections made the labels cleaner, but no other cell more trustworthy
    first = now if evidence.original_NK is None else _noise_rates(given_NK, labels_NK, rankable_K)
    false_negative_rate, false_positive_rate_K = first
    doubt_NK = np.empty(labels_NK.shape, np.float32)

    def score_rows(rows: slice) -> None:
        logits_CK = log_odds(true_label_probs(given_NK[rows], *now), 1e-5)
        for for_yes_NK in likelihood_ratios:
            logits_CK += for_yes_NK[rows]
        q_CK = np.clip(1 / (1 + np.exp(-logits_CK.astype(np.float64))), 1e-5, 1 - 1e-5)
        doubt_NK[rows] = posterior_doubt(q_CK, labels_NK[rows], false_negative_rate, false_positive_rate_K)

    parallel_for(score_rows, row_blocks(labels_NK.shape))
    return doubt_NK, false_negative_rate, false_positive_rate_K


def _noise_rates(
    given_NK: Floats, labels_NK: Cells, rankable_K: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    false_positive_rate_K = np.full(len(rankable_K), 0.01)
    false_negative_rate, false_positive_rate_K[rankable_K] = noise_rates(
        given_NK[:, rankable_K], labels_NK[:, rankable_K]
    )
    return false_negative_rate, false_positive_rate_K
