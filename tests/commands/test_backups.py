"""Backups of a store: their order is the order in which they were made, whatever the clock says."""

import random
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from moments import drawn_seed

from tagger.commands.decisions import backups
from tagger.commands.decisions.backups import KEPT, back_up
from tagger.commands.decisions.place import DecisionPlace
from tagger.review import Decision, Store
from tagger.runs.ownership import mark

REASONS = ("import", "merge", "undo", "redo", "restore")
OLD = "review-20260105-101112"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of one decision."""
    with closing(Store.open(f"sqlite:///{tmp_path / 'review.db'}")) as opened:
        decide(opened, 1)
        yield opened


@pytest.fixture
def place(store: Store) -> DecisionPlace:
    """The store without a run."""
    return DecisionPlace(url=store.url, run=None)


def decide(store: Store, seq: int) -> None:
    one = Decision(hash=f"{seq:064x}", label="cat", verdict="yes", before=0, suggested=1, doubt=None, run="r",
                   reviewer="ann", seconds=None, client="t", seq=seq)  # fmt: skip
    store.record([one])


def set_clock(monkeypatch: pytest.MonkeyPatch, times: Iterable[float]) -> None:
    """Each look at the clock gives the next of ``times``."""
    looks = iter(times)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromtimestamp(next(looks), tz)

    monkeypatch.setattr(backups, "datetime", Clock)


def number_of_decisions(backup: Path) -> int:
    with closing(sqlite3.connect(backup)) as opened:
        return opened.execute("SELECT count(*) FROM decisions").fetchone()[0]


def still(count: int) -> list[float]:
    return [1_800_000_000.0] * count


def back(count: int) -> list[float]:
    return [1_800_000_000.0 - 3600 * n for n in range(count)]


def drawn(count: int) -> list[float]:
    return [1_800_000_000.0 + random.choice((-2, 0, 0, 0, 1)) for _ in range(count)]


@pytest.mark.parametrize("times", [still, back, drawn])
def test_the_last_ten_made_by_themselves_are_kept(
    store: Store,
    place: DecisionPlace,
    monkeypatch: pytest.MonkeyPatch,
    times: Callable[[int], list[float]],
):
    """Every backup has one decision more than the one before it: what is in a file tells when it was made."""
    random.seed(drawn_seed())
    set_clock(monkeypatch, times(24))
    made = []
    for seq in range(2, 26):
        reason = random.choice((*REASONS, ""))
        made.append((back_up(place, reason=reason), reason))
        decide(store, seq)
    own = [path for path, reason in made if reason]
    kept = sorted(own[-KEPT:] + [path for path, reason in made if not reason])
    assert sorted(place_of(place).glob("*.db")) == kept
    assert {path: number_of_decisions(path) for path in kept} == {
        path: n for n, (path, _) in enumerate(made, start=1) if path in kept
    }


def place_of(place: DecisionPlace) -> Path:
    folder = backups.backup_folder(place)
    assert folder is not None
    return folder


def test_every_name_has_a_number_of_its_own_in_its_second(
    place: DecisionPlace, monkeypatch: pytest.MonkeyPatch
):
    set_clock(monkeypatch, still(12))
    names = [back_up(place, reason="" if n == 3 else REASONS[n % 5]).name for n in range(12)]
    assert [re.sub(r"-before-[a-z]+|\.db", "", name) for name in names] == [
        "review-20270115-080000" + (f"-{n}" if n > 1 else "") for n in range(1, 13)
    ]


def test_backups_of_earlier_versions_are_older_and_go_first(place: DecisionPlace):
    """They were numbered by reason: two of them may have one number, and those of a clock set wrong are later."""
    folder = place_of(place)
    mark(folder)
    for name in (f"{OLD}-before-undo.db", f"{OLD}-2-before-undo.db", f"{OLD}-before-redo.db"):
        (folder / name).write_bytes(b"")
    (folder / "review-29991231-235959-before-undo.db").write_bytes(b"")
    (folder / "review-mine-before-undo.db").write_text("a stranger's")
    made = [back_up(place, reason="redo") for _ in range(KEPT)]
    assert {path.name for path in folder.glob("*.db")} == {path.name for path in made} | {
        "review-mine-before-undo.db"
    }
