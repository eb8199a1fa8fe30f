"""Photos with exactly one label of a group: its given label and the missing one are one error."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from test_exclusive import AGE, swapped

from tagger.arrays import sigmoid
from tagger.suspects import Evidence, cell_doubt, find_suspects
from tagger.suspects.one_of_groups import GIVEN_WEIGHT, OTHERS_WEIGHT, condition_on_one_of, one_of_groups


def evidence_of(labels: list[list[int]], **options) -> Evidence:
    labels_NK = np.array(labels, np.int8)
    num, num_labels = labels_NK.shape
    names = tuple(f"l{k}" for k in range(num_labels))
    return Evidence(
        labels_NK, np.full((num, num_labels), 0.5), names, np.zeros(num, int), np.arange(num), **options
    )


def test_declared_and_undeclared_groups_are_found() -> None:
    evidence, _ = swapped(free=True)
    assert [group.tolist() for group in one_of_groups(evidence)] == [[0, 1, 2]]
    assert [group.tolist() for group in one_of_groups(replace(evidence, groups={}))] == [[0, 1, 2]]
    alone, _ = swapped(free=False)
    only_ages = replace(
        alone, labels_NK=alone.labels_NK[:, :3], probs_NK=alone.probs_NK[:, :3], names=alone.names[:3]
    )
    assert [group.tolist() for group in one_of_groups(only_ages)] == [[0, 1, 2]]


def test_labels_that_some_photos_lack_are_no_group() -> None:
    evidence, _ = swapped(free=True)
    labels_NK = evidence.labels_NK.copy()
    labels_NK[:50, :3] = 0
    assert one_of_groups(replace(evidence, labels_NK=labels_NK)) == []
    assert one_of_groups(replace(evidence, labels_NK=labels_NK, groups={"age": AGE["age"]})) == []


def test_both_sides_follow_the_formula_photo_by_photo() -> None:
    rng = np.random.default_rng(0)
    given_N = rng.integers(4, size=200)
    evidence = evidence_of(np.eye(4, dtype=int)[given_N].tolist())
    before_NK = rng.uniform(0.001, 0.6, (200, 4)).astype(np.float32)
    after_NK = before_NK.copy()
    condition_on_one_of(after_NK, evidence, [np.arange(4)])
    odds_NK = before_NK.astype(float) / (1 - before_NK)
    scale = None
    for n, g in enumerate(given_N):
        right = {
            j: odds_NK[n, g] ** GIVEN_WEIGHT * odds_NK[n, j] ** OTHERS_WEIGHT for j in range(4) if j != g
        }
        wrong = after_NK[n, g]
        scale = scale or wrong / (1 - wrong) / sum(right.values())
        assert wrong / (1 - wrong) == pytest.approx(scale * sum(right.values()), rel=1e-3)
        for j, odds in right.items():
            assert after_NK[n, j] == pytest.approx(wrong * odds / sum(right.values()), rel=1e-3)
    is_given_NK = np.eye(4, dtype=bool)[given_N]
    expected = np.sqrt(before_NK[is_given_NK].sum() * before_NK[~is_given_NK].sum())
    assert after_NK[is_given_NK].sum() == pytest.approx(expected, rel=0.01)
    assert after_NK[~is_given_NK].sum() == pytest.approx(expected, rel=0.01)


def test_photos_with_none_or_several_and_unranked_labels_are_left_alone() -> None:
    evidence = evidence_of([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]])
    doubt_NK = np.array([[0.3, 0.2, np.nan], [0.1, 0.1, np.nan], [0.5, 0.4, np.nan], [0.3, 0.3, np.nan]])
    after_NK = doubt_NK.copy()
    condition_on_one_of(after_NK, evidence, [np.arange(3)])
    np.testing.assert_array_equal(after_NK[1:], doubt_NK[1:])  # none, several, an unranked one
    assert after_NK[0, 0] == pytest.approx(after_NK[0, 1])  # the only other label is the one that is missing
    assert np.isnan(after_NK[0, 2])


def test_what_a_person_verified_takes_no_share() -> None:
    verified_NK = np.array([[False, True, False], [False, False, False]])
    evidence = evidence_of([[1, 0, 0], [1, 0, 0]], verified_NK=verified_NK)
    doubt_NK = np.array([[0.3, 0.0, 0.2], [0.3, 0.2, 0.2]])
    condition_on_one_of(doubt_NK, evidence, [np.arange(3)])
    assert doubt_NK[0, 1] == 0
    assert doubt_NK[0, 0] == pytest.approx(doubt_NK[0, 2])


def test_exchanges_are_found_better_than_without_in_each_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, wrong_NK = swapped(free=False, num=3000, seed=1)
    logits_NK = 2.5 * ((evidence.labels_NK ^ wrong_NK) - 0.5) + np.random.default_rng(0).normal(
        size=wrong_NK.shape
    )
    evidence = replace(evidence, probs_NK=sigmoid(logits_NK)[:, :3], labels_NK=evidence.labels_NK[:, :3])
    evidence = replace(evidence, names=evidence.names[:3])
    files = np.array([str(n) for n in range(len(wrong_NK))])
    with_NK = find_suspects(evidence, files, files).doubt.doubt_NK
    monkeypatch.setattr(cell_doubt, "one_of_groups", lambda evidence: [])
    without_NK = find_suspects(evidence, files, files).doubt.doubt_NK
    for value in (0, 1):
        side_NK = evidence.labels_NK == value
        after, before = (
            average_precision_score(wrong_NK[:, :3][side_NK], d[side_NK]) for d in (with_NK, without_NK)
        )
        assert after > 1.05 * before
    assert with_NK[evidence.labels_NK == 1].sum() == pytest.approx(
        with_NK[evidence.labels_NK == 0].sum(), rel=0.02
    )
