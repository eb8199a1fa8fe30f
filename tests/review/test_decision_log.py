"""Logs in and out: the same replayed state from any export, nothing doubled, one step that can be taken back."""

import csv
import io
import itertools
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgresql import database
from sqlalchemy import event

from tagger.errors import TaggerError
from tagger.review import (
    Decision,
    LabelOperation,
    RecordedDecision,
    RecordedOperation,
    Store,
    apply_decisions,
)
from tagger.review.cell_state import cell_states
from tagger.review.decision_log import DecisionLog, merge_logs
from tagger.review.log_parsing import parse_log
from tagger.review.log_table import COLUMNS, log_rows
from tagger.review.log_times import date_order, parse_time
from tagger.review.store_import import (
    bring_back_import,
    import_log,
    import_records,
    plan_import,
    read_log,
    take_back_import,
)

HASHES = ("h0", "h1", "h2")
NAMES = ("sea", "lake", "dog")
GIVEN = np.array([[0, 1, 0], [1, 0, -1], [0, 1, 1]], np.int8)
BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
TABLE_FILE = {"h0": "=a.jpg", "h1": "b, c.jpg", "h2": "d.jpg"}


class Person:
    """Somebody at a store with a clock; ``tick`` is the hour of what they do."""

    def __init__(self, log: DecisionLog, name: str):
        self.log, self.name = log, name

    def say(self, tick: int, verdict: str, hash: str = "h0", label: str = "sea", **more) -> RecordedDecision:
        row = RecordedDecision(
            hash=hash, label=label, verdict=verdict, before=0, suggested=1, doubt=0.25, run="r", reviewer=self.name,
            seconds=None, client=f"{self.name}#1", seq=tick, id=len(self.log.decisions) + 1, time=hour(tick), **more,
        )  # fmt: skip
        self.log = replace(self.log, decisions=(*self.log.decisions, row))
        return row

    def change(self, tick: int, kind: str, label: str, target: str | None = None, undoes: int | None = None):
        last = max((row.id for row in self.log.decisions), default=0)
        row = RecordedOperation(
            kind=kind, label=label, target=target, undoes=undoes, reviewer=self.name, client=f"{self.name}#1",
            seq=tick, id=len(self.log.operations) + 1, time=hour(tick), after=last,
        )  # fmt: skip
        self.log = replace(self.log, operations=(*self.log.operations, row))


def hour(tick: int) -> str:
    return (BEGIN + timedelta(hours=tick)).isoformat(timespec="microseconds")


def replayed(log: DecisionLog):
    """What a run's labels become."""
    done = apply_decisions(HASHES, HASHES, GIVEN, NAMES, log.decisions, log.operations)
    return (
        done.names, done.labels_NK.tolist(), done.verified_NK.tolist(), done.blind_NK.tolist(), done.disputed,
        done.problems, done.changes[["file", "label", "after", "time"]].to_numpy().tolist(),
    )  # fmt: skip


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
labels = st.sampled_from([*NAMES, "ocean", "boat"]) | text.filter(str.strip)


@st.composite
def histories(draw) -> DecisionLog:
    """Several people at one store: answers of all kinds, undo of anything, labels added, renamed and merged."""
    log = DecisionLog()
    for tick in range(draw(st.integers(0, 25))):
        person = Person(log, draw(st.sampled_from(["ann", "Ben, jr", "=cléo"])))
        step = draw(st.sampled_from(["say", "say", "say", "undo", "add", "rename", "merge", "restore"]))
        if step == "say":
            person.say(
                tick, draw(st.sampled_from(["yes", "no", "unsure", "skip"])), draw(st.sampled_from([*HASHES, "h9"])),
                draw(labels), settles=draw(st.booleans()), blind=draw(st.booleans()),
            )  # fmt: skip
        elif step == "undo" and log.decisions:
            undone = draw(st.sampled_from(log.decisions))
            person.say(tick, "undo", undone.hash, undone.label, undoes=undone.id)
        elif step == "restore" and log.operations:
            one = draw(st.sampled_from(log.operations))
            person.change(tick, "undo", one.label, undoes=one.id)
        elif step in ("add", "rename", "merge"):
            person.change(tick, step, draw(labels), None if step == "add" else draw(labels))
        log = person.log
    return log


def through_csv(log: DecisionLog, *, delimiter: str = ",", order: Sequence[int] = ()) -> DecisionLog:
    """The log after a table of text, whose rows may come in another order."""
    rows = [list(row.values()) for row in log_rows(log, TABLE_FILE)]
    rows = [rows[n] for n in order] if order else rows
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([COLUMNS, *rows])
    file.seek(0)
    read = list(csv.DictReader(file, delimiter=delimiter))
    parsed = parse_log(enumerate(read, 2), lambda file: None, lambda text: parse_time(text, None, ""))
    assert parsed.problems == ()
    return parsed.log


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_an_export_into_an_empty_store_is_the_same_log(log: DecisionLog, random):
    order = list(range(len(log)))
    random.shuffle(order)
    exported = through_csv(log, order=order)
    plan = plan_import(DecisionLog(), exported)
    assert (plan.after.decisions, plan.after.operations) == (log.decisions, log.operations)
    assert plan.merge.dangling == plan.merge.differing == ()
    again = plan_import(plan.after, exported)
    assert len(again.new) == 0
    assert len(again.merge.known) == len(log)


@given(histories(), st.integers(0, 25))
@settings(max_examples=60)
def test_exports_that_overlap_double_nothing(log: DecisionLog, cut: int):
    early = DecisionLog(
        decisions=log.decisions[:cut], operations=tuple(one for one in log.operations if one.after < cut)
    )
    plan = plan_import(through_csv(early) if len(early) else DecisionLog(), through_csv(log))
    assert {(row.client, row.seq) for row in plan.after.decisions} >= {
        (row.client, row.seq) for row in log.decisions
    }
    assert replayed(plan.after) == replayed(log) or late_operation(early, log)
    assert len(plan_import(plan.after, through_csv(log)).new) == 0


def late_operation(early: DecisionLog, log: DecisionLog) -> bool:
    """Whether an operation that the early export lacks has a decision of it behind itself in the log."""
    missing = [one for one in log.operations if one not in early.operations]
    return any(row.id > one.after for one in missing for row in early.decisions)


def two_laptops(drawn, shared: int) -> tuple[DecisionLog, DecisionLog]:
    """Two stores that begin with the first ``shared`` answers, and go on apart."""
    base = left = right = DecisionLog()
    for tick, (who, verdict, hash, settles, on_left) in enumerate(drawn):
        person = Person(base if tick < shared else left if on_left else right, who)
        person.say(tick, verdict, hash, settles=settles)
        if tick < shared:
            base = left = right = person.log
        elif on_left:
            left = person.log
        else:
            right = person.log
    return left, right


def steps(settles: st.SearchStrategy[bool]):
    people, verdicts = st.sampled_from(["ann", "ben", "cleo"]), st.sampled_from(["yes", "no", "unsure"])
    return st.lists(
        st.tuples(people, verdicts, st.sampled_from(HASHES[:2]), settles, st.booleans()), max_size=14
    )


@given(steps(st.just(False)), st.integers(0, 6))
@settings(max_examples=150)
def test_it_does_not_matter_which_store_is_merged_into_which(drawn, shared: int):
    """Time tells what the same person said last; both get what one store for all would have."""
    left, right = two_laptops(drawn, shared)
    whole, _ = two_laptops([(*step[:-1], True) for step in drawn], shared)
    one, other = plan_import(left, right).after, plan_import(right, left).after
    assert judged(one) == judged(other) == judged(whole)


@given(steps(st.booleans()), st.integers(0, 6))
@settings(max_examples=150)
def test_two_stores_that_merge_each_other_have_the_same_rows_at_last(drawn, shared: int):
    left, right = two_laptops(drawn, shared)
    one, other = left, right
    for _ in range(4):  # the first brings the answers, the next ones the undo rows of late answers
        one, other = plan_import(one, other).after, plan_import(other, one).after
    assert len(plan_import(one, other).new) == len(plan_import(other, one).new) == 0
    keys = [{(row.client, row.seq) for row in log.decisions} for log in (one, other)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(("settled", "objected", "expected"), [(5, 1, (0, False)), (1, 5, (None, True))])
def test_who_settled_later_than_the_objection_has_settled_it(settled: int, objected: int, expected: tuple):
    base = Person(DecisionLog(), "ann")
    base.say(0, "yes")
    settler, other = Person(base.log, "ben"), Person(base.log, "cleo")
    settler.say(settled, "no", settles=True)
    other.say(objected, "yes")
    for one, two in ((settler.log, other.log), (other.log, settler.log)):
        assert judged(plan_import(one, two).after) == {("h0", "sea"): expected}


def judged(log: DecisionLog) -> dict:
    return {cell: (state.value, state.disputed) for cell, state in cell_states(log.decisions).items()}


def test_the_later_answer_of_one_person_counts_whatever_comes_in_last():
    desk, laptop = Person(DecisionLog(), "ann"), Person(DecisionLog(), "ann")
    laptop.say(1, "yes")
    desk.say(5, "no")
    plan = plan_import(desk.log, laptop.log)
    assert judged(plan.after) == {("h0", "sea"): (0, False)}
    assert [(one.answer.verdict, one.later.verdict) for one in plan.late] == [("yes", "no")]
    assert judged(plan_import(laptop.log, desk.log).after) == {("h0", "sea"): (0, False)}


def test_what_says_something_else_under_a_known_key_is_told_and_not_taken():
    ann = Person(DecisionLog(), "ann")
    ann.say(1, "yes")
    changed = replace(ann.log, decisions=(replace(ann.log.decisions[0], verdict="no"),))
    found = merge_logs(ann.log, changed)
    assert len(found.new) == 0
    assert [(mine.verdict, theirs.verdict) for mine, theirs in found.differing] == [("yes", "no")]


def test_an_undo_of_what_is_nowhere_is_told():
    ann = Person(DecisionLog(), "ann")
    ann.say(1, "yes")
    ann.say(2, "undo", undoes=1)
    rows = [row for row in log_rows(ann.log, {}) if row["verdict"] == "undo"]
    parsed = parse_log(enumerate(rows, 2), lambda file: None, lambda text: parse_time(text, None, ""))
    assert len(merge_logs(DecisionLog(), parsed.log).dangling) == 1
    assert len(merge_logs(replace(ann.log, decisions=ann.log.decisions[:1]), parsed.log).new) == 1


@pytest.mark.parametrize(
    ("spelled", "order"),
    [
        ("2026-11-20 14:30:00", None), ("20.11.2026 14:30", "day-first"), ("20/11/2026 14:30:00", "day-first"),
        ("11/20/2026 2:30 PM", "month-first"), ("11/20/26 14:30", "month-first"), ("2026-11-20T15:30:00+01:00", None),
        ("20-11-2026, 14.30", "day-first"),
    ],
)  # fmt: skip
def test_times_that_a_spreadsheet_spelled_anew(spelled: str, order: str | None):
    assert date_order([spelled]) == order
    assert parse_time(spelled, order, "") == "2026-11-20T14:30:00.000000+00:00"


@pytest.mark.parametrize(
    ("spelled", "reason"),
    [("04/05/2026 10:00", "--dates day-first"), ("yesterday", "cannot be read"), ("31.02.2026", "no date")],
)
def test_times_that_cannot_be_told(spelled: str, reason: str):
    with pytest.raises(TaggerError, match=reason):
        parse_time(spelled, date_order([spelled]), "")


# stores


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with database() as url:
        yield url


def lived_in(url: str) -> Store:
    """A store with answers of two people, an undo, and a label renamed and merged."""
    store = Store.open(url)
    one = Decision(
        hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.1, run="r", reviewer="ann",
        seconds=1.5, client="a", seq=1,
    )  # fmt: skip
    store.record([replace(one, seq=n, hash=f"h{n % 3}") for n in range(1, 8)])
    store.record_operation(
        LabelOperation(kind="rename", label="sea", target="ocean", reviewer="ann", client="a", seq=1)
    )
    store.record([replace(one, client="b", reviewer="ben", seq=n, verdict="no", hash="h1") for n in (1, 2)])
    store.record([replace(one, client="b", reviewer="ben", seq=3, verdict="undo", undoes=8)])
    store.record_operation(
        LabelOperation(kind="merge", label="lake", target="ocean", reviewer="ben", client="b", seq=1)
    )
    store.record([replace(one, client="b", seq=4, label="ocean", hash="h2", blind=True)])
    return store


def test_a_store_goes_to_postgresql_and_back(tmp_path: Path, postgresql: str):
    with (
        closing(lived_in(f"sqlite:///{tmp_path}/a.db")) as first,
        closing(Store.open(postgresql)) as server,
        closing(Store.open(f"sqlite:///{tmp_path}/b.db")) as back,
    ):
        log = read_log(first)
        for source, target in ((first, server), (server, back)):
            import_log(target, read_log(source), kind="merge", source="x", reviewer="ann")
            assert read_log(target) == log
            again = Decision(
                hash="h7", label="sea", verdict="yes", before=0, suggested=1, doubt=None, run="r", reviewer="ann",
                seconds=None, client="later", seq=1,
            )  # fmt: skip
            if target is back:
                assert target.record([again]) == [log.decisions[-1].id + 1]
        # the server counts on from there
        assert server.record([again])[0] > log.decisions[-1].id
        assert (
            server.record_operation(
                LabelOperation(kind="add", label="boat", reviewer="ann", client="later", seq=1)
            )
            > log.operations[-1].id
        )


def test_an_import_is_taken_back_and_brought_back_as_one_step(tmp_path: Path):
    with (
        closing(lived_in(f"sqlite:///{tmp_path}/a.db")) as first,
        closing(Store.open(f"sqlite:///{tmp_path}/b.db")) as store,
    ):
        cleo = Decision(
            hash="h0", label="dog", verdict="yes", before=0, suggested=1, doubt=0.1, run="r", reviewer="cleo",
            seconds=1.5, client="c", seq=1,
        )  # fmt: skip
        store.record([cleo, replace(cleo, hash="h1", seq=2)])
        before = replayed(read_log(store))
        import_log(store, read_log(first), kind="merge", source="a.db", reviewer="cleo")
        after = replayed(read_log(store))
        assert after != before
        store.record([replace(cleo, hash="h2", seq=3)])
        store.record([replace(cleo, seq=4, verdict="undo", undoes_seq=3)])
        for _ in range(2):
            take_back_import(store, None, "cleo")
            assert replayed(read_log(store)) == before
            with pytest.raises(TaggerError, match="no import that is in force"):
                take_back_import(store, None, "cleo")
            bring_back_import(store, 1, "cleo")
            assert replayed(read_log(store)) == after
        with pytest.raises(TaggerError, match="Import 1 is not taken back"):
            bring_back_import(store, 1, "cleo")
        assert [one.number for one in import_records(store)] == [1]


def test_a_take_back_stays_in_its_store(tmp_path: Path):
    """Who takes an import back does not take away the answers of the person who gave them."""
    with (
        closing(lived_in(f"sqlite:///{tmp_path}/a.db")) as first,
        closing(Store.open(f"sqlite:///{tmp_path}/b.db")) as second,
        closing(Store.open(f"sqlite:///{tmp_path}/c.db")) as third,
    ):
        own = replayed(read_log(first))
        import_log(second, read_log(first), kind="merge", source="a", reviewer="ben")
        take_back_import(second, None, "ben")
        plan, record = import_log(first, read_log(second), kind="merge", source="b", reviewer="ann")
        assert (record, replayed(read_log(first))) == (None, own)
        assert len(plan.merge.not_taken_back) == len(read_log(first))
        import_log(third, read_log(second), kind="merge", source="b", reviewer="ann")
        assert replayed(read_log(third)) == replayed(read_log(second)) == replayed(DecisionLog())
        bring_back_import(second, None, "ben")
        import_log(third, read_log(second), kind="merge", source="b", reviewer="ann")
        assert replayed(read_log(third)) == own


def import_and_die(log: DecisionLog, target: str, moment: int) -> int:
    """How a process ended that was killed at its ``moment``-th statement or commit while it imported; 0: it was not."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    store = Store.open(target)
    moments = itertools.count(1)

    def tick(*_) -> None:
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(store._engine, "before_cursor_execute", tick)
    event.listen(store._engine, "commit", tick)
    import_log(store, log, kind="merge", source="a", reviewer="ann")
    os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_killed_import_is_whole_or_not_there(tmp_path: Path):
    with closing(lived_in(f"sqlite:///{tmp_path}/a.db")) as first:
        log = read_log(first)
    for moment in range(1, 15):
        target = f"sqlite:///{tmp_path}/{moment}.db"
        ended = import_and_die(log, target, moment)
        with closing(Store.open(target)) as store:
            assert read_log(store) == (log if ended == 0 else DecisionLog())
            assert len(import_records(store)) == (ended == 0)
        if ended == 0:
            assert moment > 6
            return
        assert ended == -signal.SIGKILL
    raise AssertionError("it was never left alone")
