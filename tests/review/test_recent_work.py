"""Recent work: steps as they were saved, marked where they were taken back by anybody, and the session's speed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tagger.review import Decision, Store, work_session, work_steps

START = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Nine o'clock."""
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """An empty store with this clock."""
    store = Store.open(f"sqlite:///{tmp_path}/review.db", now=clock)
    yield store
    store.close()


SEQ = iter(range(10_000))


def decision(photo: str, verdict: str = "yes", reviewer: str = "ann", **more: object) -> Decision:
    """A decision on the label ``sea`` of a photo."""
    fields = {
        "hash": photo,
        "label": "sea",
        "verdict": verdict,
        "before": 0,
        "suggested": None,
        "doubt": None,
    }
    fields |= {
        "run": "r",
        "reviewer": reviewer,
        "seconds": 1.0,
        "client": f"tab of {reviewer}",
        "seq": next(SEQ),
    }
    return Decision(**(fields | more))  # type: ignore[arg-type]


def test_what_was_saved_in_one_stroke_is_one_step_newest_first(store: Store, clock: Clock):
    store.record([decision("a")])
    clock.now += timedelta(seconds=2)
    store.record([decision(photo) for photo in "bcd"])
    store.record([decision("z", reviewer="ben")])
    steps = work_steps(store.newest_decisions(100))
    assert [[one.hash for one in step.decisions] for step in steps] == [["z"], ["d", "c", "b"], ["a"]]
    assert [
        [one.hash for one in step.decisions] for step in work_steps(store.newest_decisions(100, "ann"))
    ] == [
        ["d", "c", "b"],
        ["a"],
    ]
    assert len(store.newest_decisions(2)) == 2


def test_a_step_is_marked_where_it_was_taken_back_also_by_others(store: Store, clock: Clock):
    ids = store.record([decision(photo) for photo in "abc"])
    clock.now += timedelta(seconds=1)
    store.record([decision("a", "undo", reviewer="ben", undoes=ids[0])])
    (step,) = work_steps(store.newest_decisions(100, "ann"))
    assert (step.undone, step.is_undone) == (1, False)
    store.record([decision(photo, "undo", undoes=one) for photo, one in zip("bc", ids[1:], strict=True)])
    (step,) = work_steps(store.newest_decisions(100, "ann"))
    assert step.is_undone


def test_a_session_goes_back_to_the_last_long_pause(store: Store, clock: Clock):
    for second in (0, 10, 1000, 1010, 1020, 1030):
        clock.now = START + timedelta(seconds=second)
        store.record([decision(f"photo {second}")])
    session = work_session(store.newest_decisions(100, "ann"))
    assert (session.count, session.seconds) == (4, 30.0)
    assert session.per_minute == pytest.approx(6.0)
    store.record([decision("s", "skip")])
    assert work_session(store.newest_decisions(100, "ann")).count == 4
    assert work_session([]).per_minute is None
