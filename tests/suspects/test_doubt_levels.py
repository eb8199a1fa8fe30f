"""Levels of doubt: missing labels across labels, and what other labels may say against them."""

from dataclasses import replace

import numpy as np
import pytest
from drawn import draw
from sklearn.metrics import average_precision_score

from tagger.arrays import sigmoid
from tagger.suspects import find_suspects
from tagger.suspects.doubt_levels import drawn_logits, move_to_error_rates
from tagger.suspects.error_rates import error_rates
from tagger.suspects.exclusive_labels import no_photo_without_label


def test_drawn_log_odds_keep_their_order_and_lie_between_both_readings() -> None:
    rng = np.random.default_rng(0)
    ours_C, theirs_C = rng.normal(-6, 3, 500), rng.normal(-3, 1, 500)
    drawn_C = drawn_logits(ours_C, theirs_C)
    assert (np.argsort(drawn_C) == np.argsort(ours_C)).all()
    assert theirs_C.std() < drawn_C.std() < ours_C.std()
    assert ours_C.mean() < drawn_C.mean() < theirs_C.mean()


def test_errors_add_up_to_the_rates_by_direction_and_over_all_labels() -> None:
    drawn = draw(2000, noise=0.1)
    evidence = drawn.evidence
    given_NK = evidence.probs_NK.clip(0.01, 0.99)
    doubt_NK = np.where(evidence.labels_NK == 1, 1 - given_NK, given_NK)
    columns = np.arange(4)
    move_to_error_rates(doubt_NK, evidence, given_NK, [], columns, columns[:3])
    rates = error_rates(given_NK, evidence.labels_NK)
    no_NK = evidence.labels_NK == 0
    expected_K = rates.missing_K * no_NK.sum(axis=0)
    assert doubt_NK[no_NK].sum() == pytest.approx(expected_K.sum(), rel=0.02)  # over all labels
    assert doubt_NK[no_NK[:, 3], 3].sum() == pytest.approx(expected_K[3], rel=0.02)  # that is not drawn
    for k in range(4):
        assert doubt_NK[~no_NK[:, k], k].mean() == pytest.approx(rates.spurious_K[k], rel=0.02)


def several_people(num: int = 4000, seed: int = 0):
    """(evidence, wrong_NK): one of five things a photo, every name that any of three people gave it.

    Who sees something confusing errs; all three may, and then the right name is missing.
    """
    rng = np.random.default_rng(seed)
    thing_N, hard_N = rng.integers(5, size=num), rng.random(num) < 0.3
    like_N = (thing_N + rng.integers(1, 5, size=num)) % 5  # what it is taken for
    errs_NP = rng.random((num, 3)) < np.where(hard_N, 0.5, 0.02)[:, None]
    labels_NK = np.zeros((num, 5), np.int8)
    labels_NK[~errs_NP.all(axis=1), thing_N[~errs_NP.all(axis=1)]] = 1
    second_N = np.where(rng.random(num) < 0.5, like_N, (like_N + 1) % 5)
    some_N = errs_NP.any(axis=1)
    labels_NK[some_N, like_N[some_N]] = 1
    labels_NK[errs_NP.all(axis=1), second_N[errs_NP.all(axis=1)]] = 1
    truth_NK = np.eye(5, dtype=np.int8)[thing_N]
    shows_NK = 2.0 * truth_NK + np.where(hard_N[:, None], 1.2 * np.eye(5)[like_N], 0) - 1.5
    probs_NK = sigmoid(2 * shows_NK + rng.normal(size=truth_NK.shape))
    base = draw(num).evidence
    names = tuple("abcde")
    evidence = replace(
        base, labels_NK=labels_NK, probs_NK=probs_NK, names=names, nearest_NM=None, similarity_NM=None
    )
    return evidence, labels_NK != truth_NK


def test_other_labels_do_not_hide_what_several_people_missed() -> None:
    evidence, wrong_NK = several_people()
    assert no_photo_without_label(evidence.labels_NK)
    files = np.array([str(n) for n in range(len(wrong_NK))])
    doubt_NK = np.nan_to_num(find_suspects(evidence, files, files).doubt.doubt_NK)
    no_NK = evidence.labels_NK == 0
    ours, theirs = (average_precision_score(wrong_NK[no_NK], s[no_NK]) for s in (doubt_NK, evidence.probs_NK))
    assert ours > 0.95 * theirs  # a half of it when they hid it


@pytest.mark.parametrize(("kept", "said"), [(1.0, True), (0.99, False), (0.8, False)])
def test_photos_without_a_label_are_compared_with_chance(kept: float, said: bool) -> None:
    rng = np.random.default_rng(0)
    labels_NK = np.eye(6, dtype=np.int8)[rng.integers(6, size=3000)] * (rng.random((3000, 1)) <= kept).astype(
        np.int8
    )
    assert no_photo_without_label(labels_NK) == said


def test_many_labels_a_photo_are_no_sign() -> None:
    labels_NK = (np.random.default_rng(0).random((3000, 20)) < 0.3).astype(np.int8)
    assert not no_photo_without_label(labels_NK[(labels_NK == 1).any(axis=1)])
