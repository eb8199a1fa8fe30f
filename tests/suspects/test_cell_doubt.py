"""The doubt is Bayes' rule with the data's own noise rates; planted errors come first; declared rules hold."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from drawn import NAMES, draw
from sklearn.metrics import average_precision_score

from tagger.arrays import sigmoid
from tagger.data import Rule
from tagger.suspects import find_suspects, rescore_suspects, review_order
from tagger.suspects.constraint_violations import (
    SAME_SHARE,
    at_most_one_right,
    condition_on_constraints,
    condition_on_copies,
)
from tagger.suspects.label_noise import noise_rates, posterior_doubt
from tagger.suspects.review_priority import LIKELY_DOUBT


def found_in(drawn, **options):
    num = len(drawn.truth_NK)
    files, hashes = np.array([f"{n}.jpg" for n in range(num)]), np.array([f"h{n}" for n in range(num)])
    return find_suspects(drawn.evidence, files, hashes, **options)


def test_the_doubt_is_bayes_rule_as_counted_in_a_large_simulation() -> None:
    rng = np.random.default_rng(0)
    q, false_negative_rate, false_positive_rate, num = 0.7, 0.2, 0.1, 400_000
    truth = rng.random(num) < q
    given = np.where(truth, rng.random(num) >= false_negative_rate, rng.random(num) < false_positive_rate)
    rates = false_negative_rate, np.array([false_positive_rate])
    missing = posterior_doubt(np.array([[q]]), np.array([[0]], np.int8), *rates)[0, 0]
    spurious = posterior_doubt(np.array([[q]]), np.array([[1]], np.int8), *rates)[0, 0]
    assert missing == pytest.approx(truth[~given].mean(), abs=0.005)
    assert spurious == pytest.approx((~truth[given]).mean(), abs=0.005)


def test_noise_rates_are_found_where_probabilities_are_good() -> None:
    rng = np.random.default_rng(0)
    q_NK = sigmoid(rng.normal(size=(20_000, 3)) * 6 - 3)
    truth_NK = rng.random(q_NK.shape) < q_NK
    false_negative_rate, false_positive_rate = 0.2, 0.2 * float(truth_NK.mean() / (1 - truth_NK.mean()))
    labels_NK = np.where(
        truth_NK, rng.random(q_NK.shape) >= false_negative_rate, rng.random(q_NK.shape) < false_positive_rate
    ).astype(np.int8)
    found, found_K = noise_rates(
        (1 - false_negative_rate) * q_NK + false_positive_rate * (1 - q_NK), labels_NK
    )
    assert found == pytest.approx(false_negative_rate, abs=0.03)
    np.testing.assert_allclose(found_K, false_positive_rate, rtol=0.2)


def test_planted_errors_are_found_in_both_directions_and_better_than_by_the_probability_alone() -> None:
    drawn = draw(1200, noise=0.12)
    labels_NK, probs_NK = drawn.evidence.labels_NK, drawn.evidence.probs_NK
    wrong_NK = labels_NK != drawn.truth_NK
    doubt_NK = np.nan_to_num(found_in(drawn).doubt.doubt_NK)
    alone_NK = np.where(labels_NK == 1, 1 - probs_NK, probs_NK)
    ours = average_precision_score(wrong_NK.ravel(), doubt_NK.ravel())
    theirs = average_precision_score(wrong_NK.ravel(), alone_NK.ravel())
    assert ours > 1.1 * theirs
    for value in (0, 1):
        side = labels_NK == value
        assert average_precision_score(wrong_NK[side], doubt_NK[side]) > 0.85


def test_the_doubts_are_probabilities_of_being_wrong() -> None:
    drawn = draw(3000, noise=0.15, seed=3)
    doubt_NK = found_in(drawn).doubt.doubt_NK
    wrong_NK = drawn.evidence.labels_NK != drawn.truth_NK
    assert doubt_NK.sum() == pytest.approx(wrong_NK.sum(), rel=0.35)
    sure = doubt_NK > 0.8
    assert wrong_NK[sure].mean() > 0.75


def test_the_table_lists_the_most_doubtful_first_with_reasons_and_both_values() -> None:
    drawn = draw(600)
    table = found_in(drawn, limit=50).table
    ranked = table[~table["audit"] | (table["doubt"] >= table["doubt"].iloc[49])].head(50)
    assert ranked["doubt"].is_monotonic_decreasing
    assert (table["given"] + table["suggested"] == 1).all()
    assert ((table["given"] == 0) == (table["direction"] == "missing")).all()
    assert table["reason"].str.len().min() > 10
    assert not table.duplicated(["file", "label"]).any()
    rows, columns = table["row"], table["label"].map({name: k for k, name in enumerate(NAMES)})
    assert (drawn.evidence.labels_NK[rows, columns] == table["given"]).all()


def test_people_look_at_likely_errors_first_and_then_at_those_of_rare_labels() -> None:
    table = found_in(draw(600)).table
    doubt = table["doubt"].to_numpy()
    order = review_order(table, doubt)
    likely = doubt[order] >= LIKELY_DOUBT
    assert sorted(order) == list(range(len(table)))
    assert (np.diff(likely.astype(int)) <= 0).all()
    assert (np.diff(doubt[order][likely]) <= 0).all()
    worth = (doubt / table["positives"].to_numpy())[order][~likely]
    assert (np.diff(worth) <= 0).all()


def test_a_label_with_few_images_says_so_and_is_not_ranked() -> None:
    drawn = draw(300)
    labels_NK = drawn.evidence.labels_NK.copy()
    labels_NK[:, 3] = 0
    labels_NK[:4, 3] = 1
    found = found_in(replace(drawn, evidence=replace(drawn.evidence, labels_NK=labels_NK)))
    assert "car" not in set(found.table["label"])
    assert found.notes == ("`car` is not ranked: 4 photos have it; 10 are needed to tell errors from noise",)


def test_nothing_to_rank_gives_an_empty_table() -> None:
    drawn = draw(60)
    labels_NK = np.zeros_like(drawn.evidence.labels_NK)
    found = found_in(replace(drawn, evidence=replace(drawn.evidence, labels_NK=labels_NK)))
    assert len(found.table) == 0
    assert len(found.notes) == 4


def test_unknown_and_settled_cells_are_no_suspects() -> None:
    drawn = draw(400)
    labels_NK, verified_NK = drawn.evidence.labels_NK.copy(), np.zeros(drawn.truth_NK.shape, bool)
    labels_NK[:100, 0], verified_NK[100:200, 1] = -1, True
    evidence = replace(drawn.evidence, labels_NK=labels_NK, verified_NK=verified_NK)
    table = found_in(replace(drawn, evidence=evidence)).table
    assert not ((table["label"] == "people") & (table["row"] < 100)).any()
    assert not ((table["label"] == "baby") & table["row"].between(100, 199)).any()


def test_reconsidering_with_corrected_labels_keeps_the_rows_and_finds_more() -> None:
    drawn = draw(1200, noise=0.2, seed=5)
    table = found_in(drawn).table
    column = {name: k for k, name in enumerate(NAMES)}
    rows, columns = table["row"].to_numpy(), table["label"].map(column).to_numpy()
    wrong_T = (drawn.evidence.labels_NK != drawn.truth_NK)[rows, columns]
    told = np.arange(len(table)) < 300
    again = rescore_suspects(
        drawn.evidence, table, pd.DataFrame({"position": np.flatnonzero(told), "wrong": wrong_T[told]})
    )
    assert again[["file", "label", "given"]].equals(table[["file", "label", "given"]])
    assert again["doubt"][told].equals(table["doubt"][told])
    before, after = (average_precision_score(wrong_T[~told], t["doubt"][~told]) for t in (table, again))
    assert after > before


def test_a_declared_rule_makes_one_of_its_two_cells_wrong_for_certain() -> None:
    drawn = draw(50)
    labels_NK = np.zeros((50, 4), np.int8)
    labels_NK[0, 1] = 1
    evidence = replace(drawn.evidence, labels_NK=labels_NK, rules=(Rule("baby", "people"),))
    doubt_NK = np.full((50, 4), 0.3)
    doubt_NK[0, :2] = 0.2, 0.4
    after = condition_on_constraints(doubt_NK, evidence)
    some_wrong = 1 - 0.8 * 0.6
    np.testing.assert_allclose(after[0, :2], [0.2 / some_wrong, 0.4 / some_wrong])
    np.testing.assert_array_equal(after[1:], doubt_NK[1:])


def test_of_several_yes_in_an_exclusive_group_one_at_most_is_right_as_enumeration_says() -> None:
    doubts = np.array([0.3, 0.6, 0.9])
    worlds = {right: np.prod([1 - d if r else d for r, d in zip(right, doubts, strict=True)])
              for right in product((0, 1), repeat=3) if sum(right) <= 1}  # fmt: skip
    total = sum(worlds.values())
    for place in range(3):
        wrong = sum(weight for right, weight in worlds.items() if not right[place]) / total
        assert at_most_one_right(doubts)[place] == pytest.approx(wrong)


def copies(first: int, second: int, doubts: tuple[float, float], *, verified: bool = False) -> np.ndarray:
    """The doubts of one label of two copies, given their values, after they were looked at together."""
    drawn = draw(50)
    group_N = np.arange(50)
    group_N[1] = 0
    labels_NK, verified_NK = drawn.evidence.labels_NK.copy(), np.zeros(drawn.truth_NK.shape, bool)
    labels_NK[:2, 0] = first, second
    labels_NK[1, 1:] = labels_NK[0, 1:]
    verified_NK[0, 0] = verified
    evidence = replace(
        drawn.evidence, labels_NK=labels_NK, duplicate_group_N=group_N, verified_NK=verified_NK
    )
    doubt_NK = np.full(labels_NK.shape, 0.2)
    doubt_NK[:2, 0] = doubts
    after_NK = condition_on_copies(doubt_NK, evidence)
    np.testing.assert_allclose(after_NK[2:], doubt_NK[2:])
    np.testing.assert_allclose(after_NK[:, 1:], doubt_NK[:, 1:])
    return after_NK[:2, 0]


def test_of_two_copies_with_opposite_labels_about_one_is_wrong_as_enumeration_says() -> None:
    x, y = 0.3, 0.1
    exactly_one = x * (1 - y) + y * (1 - x)
    expected = np.array([x * (1 - y), y * (1 - x)]) / exactly_one
    found = copies(1, 0, (x, y))
    np.testing.assert_allclose(found, SAME_SHARE * expected + (1 - SAME_SHARE) * np.array([x, y]))
    assert 0.9 <= found.sum() <= 1.1
    np.testing.assert_allclose(copies(1, 1, (x, y)), [x, y])


def test_an_answer_about_a_photo_decides_for_its_copy() -> None:
    assert copies(1, 0, (0.0, 0.1), verified=True)[1] > 0.9
    assert copies(1, 1, (0.0, 0.3), verified=True)[1] < 0.05
