"""Labels on which people differ: they are listed, and an option decides them; nothing else changes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.errors import TaggerError
from tagger.review import RecordedDecision, RecordedOperation, apply_decisions
from tagger.review.cell_state import effective_decisions
from tagger.review.disagreement import WAYS, check_way

ANY = RecordedDecision(
    id=0, time="", hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann",
    seconds=1.0, client="t", seq=0,
)  # fmt: skip
HASHES = ["h0", "h1", "h2"]
NAMES = ("sea", "lake")
GIVEN = np.array([[0, 1], [1, 0], [-1, 0]], np.int8)


def said(id: int, who: str, verdict: str, hash: str = "h0", label: str = "sea", **more) -> RecordedDecision:
    return replace(ANY, id=id, reviewer=who, verdict=verdict, hash=hash, label=label, **more)


def after(rows: Sequence[RecordedDecision], way: str = "skip", operations=()):
    return apply_decisions(HASHES, HASHES, GIVEN, NAMES, rows, operations, decide=WAYS[way])


TWO_AGAINST_ONE = [said(1, "ann", "yes"), said(2, "ben", "yes"), said(3, "cleo", "no")]


@pytest.mark.parametrize(
    ("way", "value", "verified"), [("skip", 0, False), ("majority", 1, True), ("newest", 0, True)]
)
def test_the_option_decides_and_the_label_is_listed(way: str, value: int, verified: bool):
    applied = after(TWO_AGAINST_ONE, way)
    assert (applied.labels_NK[0, 0], applied.verified_NK[0, 0]) == (value, verified)
    (one,) = applied.disputed
    assert (one.hash, one.label, one.value) == ("h0", "sea", value if verified else None)
    assert one.verdicts == (("ann", "yes"), ("ben", "yes"), ("cleo", "no"))


def test_a_draw_waits_also_under_a_majority():
    rows = [said(1, "ann", "yes"), said(2, "ben", "no")]
    applied = after(rows, "majority")
    assert applied.disputed[0].value is None
    assert applied.labels_NK.tolist() == GIVEN.tolist()
    assert not applied.verified_NK.any()


def test_only_the_latest_answer_of_each_since_the_last_settling_counts():
    rows = [
        *TWO_AGAINST_ONE, said(4, "dora", "no", settles=True), said(5, "ann", "yes"), said(6, "ann", "no"),
        said(7, "ben", "yes"), said(8, "ben", "unsure"), said(9, "cleo", "yes"),
    ]  # fmt: skip
    assert after(rows, "majority").labels_NK[0, 0] == 0  # dora and ann no, cleo yes
    assert after(rows, "newest").labels_NK[0, 0] == 1
    assert after([*rows, said(10, "dora", "yes", settles=True)], "majority").disputed == ()


def test_a_merged_label_waits_only_until_the_whole_is_decided():
    merge = RecordedOperation(
        kind="merge", label="lake", target="sea", reviewer="ann", client="t", seq=1, id=1, time="", after=2
    )
    rows = [said(1, "ann", "yes", "h1", "lake"), said(2, "ben", "no", "h1", "lake")]
    assert [(one.hash, one.label) for one in after(rows, operations=[merge]).disputed] == [("h1", "sea")]
    rows.append(said(3, "cleo", "no", "h1", "sea"))
    assert after(rows, operations=[merge]).disputed == ()
    rows.append(said(4, "ben", "yes", "h1", "sea"))
    (one,) = after(rows, "newest", [merge]).disputed
    assert (one.value, one.verdicts) == (1, (("ben", "yes"), ("cleo", "no")))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "ben", "cleo"]), st.sampled_from(["yes", "no", "unsure", "skip"]),
            st.sampled_from(HASHES), st.sampled_from(NAMES), st.booleans(),
        ),
        max_size=30,
    ),
    st.sampled_from(["skip", "majority", "newest"]),
)  # fmt: skip
def test_each_label_is_what_a_count_by_hand_says(drawn, way: str):
    rows = [
        said(n, who, verdict, hash, label, settles=settles)
        for n, (who, verdict, hash, label, settles) in enumerate(drawn, 1)
    ]
    applied = after(rows, way)
    for n, hash in enumerate(HASHES):
        for k, label in enumerate(NAMES):
            about = [row for row in effective_decisions(rows) if (row.hash, row.label) == (hash, label)]
            expected = by_hand(about, way)
            assert applied.labels_NK[n, k] == (GIVEN[n, k] if expected is None else expected)
            assert applied.verified_NK[n, k] == (expected is not None)


def by_hand(about: list[RecordedDecision], way: str) -> int | None:
    """The slow way: walk through the answers and keep a slate."""
    slate: dict[str, tuple[int, int]] = {}
    for row in about:
        if row.settles and row.value is not None:
            slate.clear()
        if row.verdict == "unsure":
            slate.pop(row.reviewer, None)
        elif row.value is not None:
            slate[row.reviewer] = (row.id, row.value)
    values = [value for _, value in slate.values()]
    if not values or (len(set(values)) > 1 and way == "skip"):
        return None
    if len(set(values)) == 1:
        return values[0]
    if way == "newest":
        return max(slate.values())[1]
    yes, no = values.count(1), values.count(0)
    return None if yes == no else int(yes > no)


def test_an_unknown_way_names_the_nearest():
    with pytest.raises(TaggerError, match=r"--on-disagreement majorty.*Did you mean 'majority'"):
        check_way("majorty")
