"""Agreement between reviewers equals scikit-learn's, and says where it is undefined."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from tagger.review import RecordedDecision, kappa_table

ANY = RecordedDecision(
    id=0, time="", hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann",
    seconds=1.0, client="t", seq=0,
)  # fmt: skip
WORD = {0: "no", 1: "yes"}


def judged(label: str, reviewer: str, verdicts: list[int], start: int) -> list[RecordedDecision]:
    named = replace(ANY, label=label, reviewer=reviewer)
    return [replace(named, id=start + n, hash=f"h{n}", verdict=WORD[v]) for n, v in enumerate(verdicts)]


def test_two_reviewers_agree_as_scikit_learn_says():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 2, 60)
    second = np.where(rng.random(60) < 0.2, 1 - first, first)
    rows = judged("sea", "ann", first.tolist(), 1) + judged("sea", "bob", second.tolist(), 100)
    rows += judged("dog", "ann", [1, 0], 200)
    table = kappa_table(rows).set_index("label")
    sea = table.loc["sea"]
    assert sea["pairs"] == 60
    assert sea["kappa"] == pytest.approx(cohen_kappa_score(first, second))
    assert sea["agreement"] == pytest.approx((first == second).mean())
    assert sea["low"] < sea["kappa"] < sea["high"]
    assert table.loc["dog"].tolist() == [0, None, None, None, None]
    assert table.loc[""].tolist() == pytest.approx(sea.tolist(), abs=0.1)
    assert kappa_table(rows).equals(kappa_table(rows[::-1]))


def test_three_reviewers_count_as_three_pairs():
    verdicts = {"ann": [1, 1, 0, 0, 1], "bob": [1, 0, 0, 0, 1], "cat": [1, 1, 1, 0, 0]}
    rows = [
        row
        for at, (name, said) in enumerate(verdicts.items())
        for row in judged("sea", name, said, 10 * at + 1)
    ]
    pairs = [("ann", "bob"), ("ann", "cat"), ("bob", "cat")]
    first = [v for a, _ in pairs for v in verdicts[a]]
    second = [v for _, b in pairs for v in verdicts[b]]
    assert kappa_table(rows).iloc[0]["kappa"] == pytest.approx(cohen_kappa_score(first, second))


def test_undone_unsure_and_settling_verdicts_are_no_judgement():
    rows = judged("sea", "ann", [1, 0, 1], 1) + judged("sea", "bob", [1, 1, 0], 10)
    rows += [
        replace(rows[5], id=20, verdict="unsure"),
        replace(rows[4], id=21, verdict="undo", undoes=11),
        replace(rows[0], id=22, reviewer="cat", settles=True),
    ]
    assert kappa_table(rows).iloc[0]["pairs"] == 1


def test_kappa_of_verdicts_that_are_all_the_same_is_undefined():
    rows = judged("sea", "ann", [1, 1, 1], 1) + judged("sea", "bob", [1, 1, 1], 10)
    row = kappa_table(rows).iloc[0]
    assert row["agreement"] == 1.0
    assert row[["kappa", "low", "high"]].tolist() == [None, None, None]
