"""Label statistics and mined rules against slow loops."""

import numpy as np
import pytest

from tagger.data import cooccurring_pairs, frequent_cooccurrence, label_stats, mine_rules, stats


@pytest.fixture
def labels_NK():
    return np.random.default_rng(0).choice([-1, 0, 1], size=(400, 5), p=[0.1, 0.6, 0.3]).astype(np.int8)


def test_counts_agree_with_a_double_loop(labels_NK, monkeypatch):
    monkeypatch.setattr(stats, "MAX_ROWS_PER_BLOCK", 64)
    monkeypatch.setattr(stats, "MAX_PAIRS_PER_BLOCK", 10)
    result = label_stats(labels_NK)
    assert result.num_images == 400
    for a in range(5):
        assert result.positives_K[a] == sum(row[a] == 1 for row in labels_NK)
        assert result.negatives_K[a] == sum(row[a] == 0 for row in labels_NK)
    met = {
        (int(a), int(b)): int(n) for a, b, n in zip(*cooccurring_pairs(labels_NK, min_images=30), strict=True)
    }
    for a in range(5):
        for b in range(a + 1, 5):
            images = sum(row[a] == 1 and row[b] == 1 for row in labels_NK)
            assert met.pop((a, b), 0) == (images if images >= 30 else 0)
    assert not met
    columns_S, both_SS = frequent_cooccurrence(labels_NK, 4)
    positives = [sum(row[k] == 1 for row in labels_NK) for k in range(5)]
    assert [positives[k] for k in columns_S] == sorted(positives, reverse=True)[:4]
    for i, a in enumerate(columns_S):
        for j, b in enumerate(columns_S):
            assert both_SS[i, j] == sum(row[a] == 1 and row[b] == 1 for row in labels_NK)


def test_priors_stay_between_nothing_and_all():
    priors_K = label_stats(np.array([[1, 0, -1]] * 9, dtype=np.int8)).priors_K
    assert priors_K.tolist() == [0.95, 0.05, 0.5]


def test_a_planted_rule_is_found_and_nothing_else(labels_NK):
    labels_NK[labels_NK[:, 0] == 1, 3] = 1
    rules = mine_rules(labels_NK, list("abcde"), min_support=20, min_confidence=0.95)
    assert [(rule.premise, rule.implied, rule.confidence) for rule in rules] == [("a", "d", 1.0)]


def test_rules_of_few_premises_at_a_time_are_those_of_all_at_once(labels_NK, monkeypatch):
    whole = mine_rules(labels_NK, list("abcde"), min_support=1, min_confidence=0.0)
    assert len(whole) == 20
    monkeypatch.setattr(stats, "MAX_PAIRS_PER_BLOCK", 10)
    assert mine_rules(labels_NK, list("abcde"), min_support=1, min_confidence=0.0) == whole


def test_support_and_confidence_agree_with_a_loop_over_known_cells(labels_NK):
    for rule in mine_rules(labels_NK, list("abcde"), min_support=1, min_confidence=0.0):
        a, b = "abcde".index(rule.premise), "abcde".index(rule.implied)
        known = [row[b] for row in labels_NK if row[a] == 1 and row[b] != -1]
        assert rule.support == sum(known)
        assert rule.confidence == pytest.approx(np.mean(known))
