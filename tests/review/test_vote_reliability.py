"""Votes in a store, weighed: names of labels are followed, and nobody is judged by a handful of answers."""

from dataclasses import replace

import numpy as np

from tagger.review import RecordedDecision, RecordedOperation, vocabulary_after
from tagger.review.vote_reliability import weigh_store_votes

ANY = RecordedDecision(
    id=0, time="", hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann",
    seconds=1.0, client="t", seq=0,
)  # fmt: skip


def votes_of(
    num: int, rates: dict[str, float], *, label: str = "sea", seed: int = 1
) -> list[RecordedDecision]:
    """Answers of people who are right with a share of their own; the truth is yes on every other photo."""
    rng = np.random.default_rng(seed)
    rows = []
    for who, rate in rates.items():
        for n in range(num):
            yes = (n % 2 == 0) == (rng.random() < rate)
            said = "yes" if yes else "no"
            rows.append(replace(ANY, id=len(rows) + 1, hash=f"h{n}", label=label, reviewer=who, verdict=said))
    return rows


def test_the_reliable_person_decides_also_under_an_old_name():
    rename = RecordedOperation(
        kind="rename", label="sea", target="ocean", reviewer="ann", client="t", seq=1, id=1, time="", after=0
    )
    rows = votes_of(400, {"ann": 0.97, "ben": 0.6, "cleo": 0.6})
    found = weigh_store_votes(rows, vocabulary_after(["sea"], [rename]), [], None)
    right, by_majority = [], []
    for n in range(400):
        about = [row for row in rows if row.hash == f"h{n}"]
        right.append(found.decide(about) == (n % 2 == 0))
        by_majority.append((sum(row.value == 1 for row in about) >= 2) == (n % 2 == 0))
    assert np.mean(right) > np.mean(by_majority) + 0.05
    table = found.people_table().set_index("person")
    assert table.loc["ann", "sensitivity"] > max(table.loc[["ben", "cleo"], "sensitivity"])
    assert table.loc["ann", "specificity"] > max(table.loc[["ben", "cleo"], "specificity"])


def test_few_shared_answers_are_counted_and_judge_nobody():
    rows = votes_of(6, {"ann": 0.9, "ben": 0.9, "cleo": 0.2})
    found = weigh_store_votes(rows, vocabulary_after(["sea"]), [], None)
    for n in range(6):
        about = [row for row in rows if row.hash == f"h{n}"]
        assert found.decide(about) == (sum(row.value == 1 for row in about) >= 2)
    table = found.people_table()
    assert table["shared"].tolist() == [6, 6, 6]
    assert table[["sensitivity", "specificity"]].isna().all(axis=None)


def test_the_models_probability_is_that_of_the_photo_and_the_label():
    """Nobody agrees, so the model decides: it says yes to even photos under the second column."""
    rows = [
        replace(ANY, id=2 * n + k, hash=f"h{n}", label="dog", reviewer=who, verdict=said)
        for n in range(60)
        for k, (who, said) in enumerate((("ann", "yes"), ("ben", "no")), 1)
    ]
    hashes = [f"h{n}" for n in reversed(range(60))]
    probs_NK = np.array([[0.5, 0.9 if n % 2 == 0 else 0.1] for n in reversed(range(60))])
    found = weigh_store_votes(rows, vocabulary_after(["sea", "dog"]), hashes, probs_NK)
    decided = [found.decide([row for row in rows if row.hash == f"h{n}"]) for n in range(60)]
    assert decided == [int(n % 2 == 0) for n in range(60)]
