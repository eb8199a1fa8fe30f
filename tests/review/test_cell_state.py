"""A cell's state is what a slow reading of the log says, in whatever order people decide, undo and settle."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.errors import TaggerError
from tagger.review import CellState, Decision, LabelOperation, RecordedDecision, cell_states
from tagger.review.cell_state import effective_decisions

ANY = RecordedDecision(
    id=0, time="2026-01-01", hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r",
    reviewer="ann", seconds=1.0, client="t", seq=0,
)  # fmt: skip


def log(*said: str) -> list[RecordedDecision]:
    """Rows of one cell from words such as "ann yes", "bob no blind", "ann yes settles", "ann undo 1"."""
    rows = []
    for id, sentence in enumerate(said, 1):
        reviewer, verdict, *more = sentence.split()
        undoes = int(more[0]) if verdict == "undo" else None
        flags = {"blind": "blind" in more, "settles": "settles" in more}
        rows.append(replace(ANY, id=id, seq=id, reviewer=reviewer, verdict=verdict, undoes=undoes, **flags))
    return rows


def state(*said: str) -> CellState:
    return cell_states(log(*said))["h0", "sea"]


@pytest.mark.parametrize(
    ("said", "value", "disputed"),
    [
        (["ann yes"], 1, False),
        (["ann yes", "ann no"], 0, False),
        (["ann yes", "bob yes"], 1, False),
        (["ann yes", "bob no"], None, True),
        (["ann yes", "bob no", "bob yes"], 1, False),
        (["ann yes", "bob unsure"], 1, False),
        (["ann yes", "ann unsure"], None, False),
        (["ann yes", "ann skip"], 1, False),
        (["ann skip"], None, False),
        (["ann yes", "ann undo 1"], None, False),
        (["ann yes", "ann undo 1", "ann undo 2"], 1, False),
        (["ann no", "ann yes", "ann undo 2"], 0, False),
        (["ann yes", "bob no", "cat no settles"], 0, False),
        (["ann yes", "bob no", "cat no settles", "cat yes"], 1, False),
        (["ann yes", "bob no", "cat no settles", "ann yes"], None, True),
        (["ann yes", "bob no", "cat no settles", "cat undo 3"], None, True),
        (["ann yes", "bob no", "cat unsure settles"], None, True),
    ],
)
def test_what_people_said_makes_the_value(said: list[str], value: int | None, disputed: bool):
    found = state(*said)
    assert (found.value, found.disputed, found.decided) == (value, disputed, value is not None)


def test_a_cell_is_blind_only_if_all_that_verified_it_was():
    assert state("ann yes blind").blind
    assert not state("ann yes blind", "bob yes").blind
    assert state("ann yes", "ann yes blind").blind
    assert not state("ann yes blind", "bob no blind").blind


def test_the_state_names_everybody_and_the_last_row():
    found = state("ann yes", "bob no", "cat no settles", "dan skip", "ann undo 1")
    assert found.verdicts == {"bob": "no", "cat": "no"}
    assert found.last_id == 5


def slow_value(rows: list[RecordedDecision]) -> tuple[int | None, bool]:
    """The same by brute force: is each row in force? who said what last, since the last settling?"""

    def in_force(row: RecordedDecision) -> bool:
        return not any(
            other.verdict == "undo" and other.undoes == row.id and in_force(other) for other in rows
        )

    counted = [row for row in rows if row.verdict in ("yes", "no", "unsure") and in_force(row)]
    for at in range(len(counted) - 1, -1, -1):
        if counted[at].settles and counted[at].verdict != "unsure":
            counted = counted[at:]
            break
    votes = {}
    for row in counted:
        votes[row.reviewer] = row.verdict
    told = set(votes.values()) - {"unsure"}
    return ({"yes": 1, "no": 0}[told.pop()], False) if len(told) == 1 else (None, len(told) == 2)


STEPS = st.tuples(
    st.sampled_from(["ann", "bob", "cat"]),
    st.sampled_from(["yes", "no", "unsure", "skip", "undo"]),
    st.integers(0, 30),
    st.booleans(),
    st.sampled_from(["h0", "h1"]),
)


@given(st.lists(STEPS, max_size=14), st.randoms(use_true_random=False))
def test_any_log_in_any_order_means_what_the_slow_reading_says(steps, random):
    rows: list[RecordedDecision] = []
    for id, (reviewer, verdict, which, settles, hash) in enumerate(steps, 1):
        about = replace(
            ANY, id=id, reviewer=reviewer, verdict=verdict, settles=settles and which < 8, hash=hash
        )
        if verdict == "undo":
            if not rows:
                continue
            target = rows[which % len(rows)]
            about = replace(about, undoes=target.id, hash=target.hash, settles=False)
        rows.append(about)
    shuffled = random.sample(rows, len(rows))
    for cell, found in cell_states(shuffled).items():
        own = [row for row in rows if row.cell == cell]
        assert (found.value, found.disputed) == slow_value(own)
        assert found.last_id == own[-1].id
    assert [row.id for row in effective_decisions(shuffled)] == sorted(
        row.id for row in effective_decisions(rows)
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"verdict": "maybe"}, "Unknown verdict"),
        ({"verdict": "undo"}, "names the decision it takes back"),
        ({"undoes": 3}, "names the decision it takes back"),
        ({"before": 2}, "before=2"),
        ({"suggested": -1}, "suggested=-1"),
        ({"reviewer": " "}, "reviewer must be text"),
        ({"label": "a\0b"}, "label must be text"),
        ({"label": "\ud800"}, "label must be text"),
        ({"source": "crad"}, "Did you mean 'card'"),
    ],
)
def test_a_senseless_decision_is_refused(change: dict, complaint: str):
    sensible = {
        "hash": "h",
        "label": "sea",
        "verdict": "yes",
        "before": 0,
        "suggested": None,
        "doubt": None,
        "run": "r",
    }
    sensible |= {"reviewer": "ann", "seconds": None, "client": "t", "seq": 1}
    assert Decision(**sensible).value == 1
    with pytest.raises(TaggerError, match=complaint):
        Decision(**(sensible | change))


def test_a_senseless_operation_is_refused():
    for change in ({"kind": "add", "target": "x"}, {"kind": "merge"}, {"kind": "undo"}, {"kind": "drop"}):
        with pytest.raises(TaggerError):
            LabelOperation(**({"label": "sea", "reviewer": "ann", "client": "t", "seq": 1} | change))
