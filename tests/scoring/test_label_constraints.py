"""Decisions keep to groups and rules: by property, against a search over all sets of labels, and by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.arrays import sigmoid
from tagger.data import LabelGroup, Rule
from tagger.scoring import (
    ExclusiveGroup,
    LabelConstraints,
    always_labelled_groups,
    build_constraints,
    exclusive_groups,
    predict_labels,
)
from tagger.scoring.metrics import apply_thresholds

K = 6
groups_of = st.sampled_from(
    [
        (),
        (ExclusiveGroup("g", (0, 1, 2)),),
        (ExclusiveGroup("g", (2, 0), always=True), ExclusiveGroup("h", (3, 4, 5))),
        (ExclusiveGroup("g", (0, 1), always=True), ExclusiveGroup("h", (2, 3), always=True)),
    ]
)
rules_of = st.lists(st.tuples(st.integers(0, K - 1), st.integers(0, K - 1)), max_size=4)


def apart(rules, groups):
    """Rules that do not contradict a group, directly or through others."""
    kept = []
    for rule in rules:
        trial = [*kept, rule]
        reached = {k: {k} for k in range(K)}
        for _ in range(K):
            for a, b in trial:
                reached = {k: r | (reached[b] if a in r else set()) for k, r in reached.items()}
        if not any(len(r & set(one.columns)) > 1 for r in reached.values() for one in groups):
            kept = trial
    return tuple(kept)


def some_probs(seed, num=40):
    rng = np.random.default_rng(seed)
    return sigmoid(2 * rng.normal(size=(num, K))), sigmoid(rng.normal(size=K))


@settings(max_examples=150)
@given(st.integers(0, 10_000), groups_of, rules_of)
def test_no_decision_breaks_a_group_or_a_rule(seed, groups, rules):
    rules = apart(rules, groups)
    probs_NK, thresholds_K = some_probs(seed)
    chosen_NK = predict_labels(probs_NK, thresholds_K, LabelConstraints(groups, rules))
    for one in groups:
        assert (chosen_NK[:, list(one.columns)].sum(axis=1) <= 1).all()
        if one.always and not rules:
            assert (chosen_NK[:, list(one.columns)].sum(axis=1) == 1).all()
    for premise, implied in rules:
        assert not (chosen_NK[:, premise] & ~chosen_NK[:, implied]).any()


@settings(max_examples=50)
@given(st.integers(0, 10_000), rules_of)
def test_rules_alone_only_add_and_add_no_more_than_they_must(seed, rules):
    probs_NK, thresholds_K = some_probs(seed, num=8)
    plain_NK = apply_thresholds(probs_NK, thresholds_K)
    chosen_NK = predict_labels(probs_NK, thresholds_K, LabelConstraints(rules=tuple(rules)))
    closed = [s for s in product([False, True], repeat=K) if all(s[b] or not s[a] for a, b in rules)]
    for plain_K, chosen_K in zip(plain_NK, chosen_NK, strict=True):
        above = [s for s in closed if all(x or not y for x, y in zip(s, plain_K, strict=True))]
        assert tuple(chosen_K) == min(above, key=sum)


@given(st.integers(0, 10_000))
def test_without_groups_and_rules_it_is_the_thresholds_alone(seed):
    probs_NK, thresholds_K = some_probs(seed)
    assert (predict_labels(probs_NK, thresholds_K) == apply_thresholds(probs_NK, thresholds_K)).all()


@given(st.integers(0, 10_000), st.permutations(range(40)))
def test_an_image_is_decided_alone(seed, order):
    probs_NK, thresholds_K = some_probs(seed)
    constraints = LabelConstraints((ExclusiveGroup("g", (0, 1, 2), always=True),), ((0, 4), (4, 5)))
    chosen_NK = predict_labels(probs_NK, thresholds_K, constraints)
    assert (predict_labels(probs_NK[list(order)], thresholds_K, constraints) == chosen_NK[list(order)]).all()


@pytest.mark.parametrize(
    ("probs", "always", "expected"),
    [
        ([0.6, 0.55, 0.1], False, 0),  # both reach their thresholds: the likelier one
        ([0.45, 0.4, 0.1], False, 1),  # only the second reaches its own
        ([0.3, 0.2, 0.1], False, None),
        ([0.3, 0.2, 0.1], True, 0),
        ([0.45, 0.4, 0.1], True, 0),  # thresholds have no say
        ([np.nan, np.nan, np.nan], True, None),
    ],
)
def test_in_a_group_the_likeliest_label_wins(probs, always, expected):
    constraints = LabelConstraints((ExclusiveGroup("g", (0, 1, 2), always=always),))
    chosen_K = predict_labels(np.array([probs]), np.array([0.5, 0.35, 0.5]), constraints)[0]
    assert np.flatnonzero(chosen_K).tolist() == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("adult", "expected"), [(0.9, ["adult", "bottle"]), (0.65, ["baby", "pram", "bottle"])]
)
def test_where_a_rule_and_a_group_collide_the_weaker_label_goes_with_what_implies_it(adult, expected):
    names = ["adult", "baby", "pram", "bottle"]
    rules = (Rule("pram", "baby"), Rule("baby", "bottle"), Rule("adult", "bottle"))
    ages = {"age": LabelGroup(kind="exclusive", labels=["adult", "baby"])}
    probs_NK = np.array([[adult, 0.7, 0.95, 0.1]])
    chosen_K = predict_labels(probs_NK, 0.68, build_constraints(names, ages, rules))[0]
    assert set(np.array(names)[chosen_K]) == set(expected)


def test_the_structure_of_some_of_the_labels_leaves_out_what_it_does_not_know():
    groups = {
        "age": LabelGroup(kind="ordinal", labels=["young", "middle", "old"]),
        "kind": LabelGroup(kind="exclusive", labels=["cat", "dog"]),
        "any": LabelGroup(kind="multi", labels=["young", "cat"]),
    }
    rules = (Rule("cat", "animal"), Rule("young", "old"), Rule("animal", "young"))
    found = build_constraints(["old", "cat", "animal", "young"], groups, rules, always={"age", "kind"})
    # An image may be of middle age: the group need not have one. A rule within a group is none.
    assert found == LabelConstraints(
        (ExclusiveGroup("age", (3, 0), always=False, ordinal=True),), ((1, 2), (2, 3))
    )
    assert build_constraints(["cat", "animal"], groups, rules, enforce=False) == LabelConstraints()


def test_a_group_always_has_a_label_unless_an_image_is_known_to_have_none():
    groups = {
        "g": LabelGroup(kind="exclusive", labels=["a", "b"]),
        "h": LabelGroup(kind="exclusive", labels=["c", "d"]),
    }
    labels_NK = np.array([[1, 0, 0, 0], [0, -1, 1, 0], [-1, -1, 0, 1]], np.int8)
    assert always_labelled_groups(labels_NK, "abcd", groups) == {"g"}
    assert [one.always for one in exclusive_groups("abcd", groups, {"g"})] == [True, False]
