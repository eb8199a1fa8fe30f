"""The store on odd paths, full disks, damaged and locked files, wrong clocks: words and no loss, never a new start."""

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger.commands.steps.reviewed_labels import read_decisions, store_is_missing
from tagger.errors import TaggerError
from tagger.review import Decision, LabelOperation, Store, cell_states, default_url, store_engine
from tagger.review import store as store_module

ONE = Decision(
    hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann", seconds=1.5,
    client="tab", seq=1,
)  # fmt: skip
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def filled(folder: Path, num: int = 400) -> Path:
    """A closed store with some decisions."""
    with closing(Store.open(default_url(folder))) as store:
        store.record([replace(ONE, seq=n, hash=f"h{n}") for n in range(num)])
    return folder / ".tagger" / "review.db"


@settings(max_examples=25)
@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=20))
@example("what? 100%25 #1")
@example("a%20b;c=d&e@f:g")
@example("'\"`$(id)` \\ 猫")
@example(" ")
@example("...")
@example("file:x?mode=memory")
def test_a_data_folder_may_have_any_name(name: str):
    if name in (".", "..") or len(name.encode()) > 200:
        return
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / name
        with closing(Store.open(default_url(folder))) as store:
            assert store.record([ONE]) == [1]
            assert store.url == default_url(folder)
        assert (folder / ".tagger" / "review.db").is_file()
        assert os.listdir(root) == [name]
        assert not store_is_missing(default_url(folder))
        assert len(read_decisions(default_url(folder))[0]) == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_is_said_and_never_written_over(tmp_path: Path, seed: int):
    path = filled(tmp_path)
    before = read_decisions(default_url(tmp_path))[0]
    content, draw = bytearray(path.read_bytes()), random.Random(seed)
    if seed == 0:
        content[:100] = bytes(100)
    elif seed == 1:
        del content[len(content) // 2 :]
    elif seed == 2:
        del content[50:]
    elif seed == 3:
        content[:] = b"<html>" * 4000
    else:  # a page somewhere is gone
        at = draw.randrange(1, len(content) // 4096) * 4096
        content[at : at + 4096] = draw.randbytes(4096)
    path.write_bytes(content)
    found, said = [], ""
    try:
        found = read_decisions(default_url(tmp_path))[0]
    except TaggerError as error:
        said = str(error)
    # all there: the page was one that reading does not need
    assert found == before or "It was not changed. Copy it to a safe place" in said
    assert path.read_bytes() == content


def test_an_empty_file_of_a_start_that_was_killed_is_a_new_store(tmp_path: Path):
    (tmp_path / ".tagger").mkdir()
    (tmp_path / ".tagger" / "review.db").touch()
    with closing(Store.open(default_url(tmp_path))) as store:
        assert store.record([ONE]) == [1]


def test_a_store_that_cannot_be_written_is_said(tmp_path: Path):
    path = filled(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    with pytest.raises(TaggerError, match=r"Get write permission for the file and its folder"):
        Store.open(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert len(read_decisions(default_url(tmp_path))[0]) == 400


FULL = """
import resource, sys
from tagger.errors import TaggerError
from tagger.review import Decision, Store
store = Store.open(sys.argv[1])
def one(n):
    return Decision(hash=f"h{n}", label="sea" * 50, verdict="yes", before=0, suggested=1, doubt=0.5, run="r",
                    reviewer="ann", seconds=1.5, client="tab", seq=n)
print(*store.record([one(0), one(1)]))
resource.setrlimit(resource.RLIMIT_FSIZE, (160_000, -1))  # no file may grow beyond this, as if the disk were full
n, confirmed = 2, 2
try:
    while True:
        store.record([one(n)])
        n += 1
        confirmed += 1
except TaggerError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
print(confirmed, *store.record([one(n)]))  # the page sends it again
"""


def test_a_full_disk_keeps_what_was_confirmed_and_goes_on_when_there_is_room(tmp_path: Path):
    url = default_url(tmp_path)
    words = [sys.executable, "-c", FULL, url]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    first, said, last = done.stdout.splitlines()
    assert first == "1 2"
    assert "What was confirmed is safe" in said
    confirmed, id = map(int, last.split())
    assert confirmed > 2
    assert [row.id for row in read_decisions(url)[0]] == [*range(1, confirmed + 1), id]
    assert id == confirmed + 1


def test_a_store_that_another_program_holds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = filled(tmp_path, 3)
    monkeypatch.setattr(store_engine, "WAIT_SECONDS", 0.05)
    with closing(Store.open(default_url(tmp_path))) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TaggerError, match=r"Close what has it open"):
            store.record([replace(ONE, seq=77)])
        assert len(store.decisions()) == 3  # reading goes on
        other.rollback()
        store.record([replace(ONE, seq=77)])
        assert len(store.decisions()) == 4


def journal(path: Path) -> str:
    """SQLite's way to write a file."""
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_on_a_drive_of_another_machine_there_is_no_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = filled(tmp_path, 3)
    assert journal(path) == "wal"
    monkeypatch.setattr(store_engine, "on_network_filesystem", lambda path: True)
    with closing(Store.open(default_url(tmp_path))) as store:
        store.record([replace(ONE, seq=77)])
        assert sorted(os.listdir(path.parent)) == ["review.db"]
        assert len(store.decisions()) == 4
    assert journal(path) == "delete"


def test_what_is_confirmed_is_on_the_disk_before(tmp_path: Path):
    with closing(Store.open(default_url(tmp_path))) as store:
        for durable, least in (
            (True, 2),
            (False, 1),
        ):  # 2: FULL; 1: NORMAL, which keeps what others were promised
            with store_engine.write_transaction(store._engine, durable=durable) as connection:
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == least


# Clocks


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[tuple[Store, Callable[[timedelta], None]]]:
    """A store and a way to move the machine's clock."""
    at = [NOW]

    def move(by: timedelta) -> None:
        at[0] += by

    with closing(Store.open(default_url(tmp_path), now=lambda: at[0])) as store:
        yield store, move


def test_a_clock_that_goes_back_changes_no_order(clock: tuple[Store, Callable[[timedelta], None]]):
    store, move = clock
    store.record([ONE])
    move(-timedelta(days=400))
    store.record([replace(ONE, seq=2, verdict="no")])
    store.record_operation(
        LabelOperation(kind="rename", label="sea", target="ocean", reviewer="a", client="t", seq=1)
    )
    move(timedelta(days=4000))
    store.record([replace(ONE, seq=3, verdict="undo", undoes=2), replace(ONE, seq=4, hash="h1")])
    rows = store.decisions()
    assert [row.id for row in rows] == [1, 2, 3, 4]
    assert rows[1].time < rows[0].time < rows[2].time
    assert cell_states(rows)["h0", "sea"].value == 1
    assert store.new_decisions(after=2)[0] == rows[2:]
    assert store.operations()[0].after == 2


def test_a_clock_that_goes_back_blocks_no_card_for_long(clock: tuple[Store, Callable[[timedelta], None]]):
    store, move = clock
    cells = [("h0", "sea"), ("h1", "sea")]
    assert store.lease("gone", cells, count=1, seconds=90) == cells[:1]
    move(-timedelta(days=30))
    assert store.lease("b", cells, count=2, seconds=90) == cells[1:]  # still given to nobody else
    move(timedelta(seconds=store_module.MAX_LEASE_SECONDS + 1))
    assert store.lease("b", cells, count=2, seconds=90) == cells


def test_a_clock_that_jumps_ahead_loses_no_decision(clock: tuple[Store, Callable[[timedelta], None]]):
    store, move = clock
    cells = [("h0", "sea")]
    assert store.lease("a", cells, count=1, seconds=90) == cells
    move(timedelta(days=30))
    assert store.lease("b", cells, count=1, seconds=90) == cells  # two have it now
    store.record([replace(ONE, client="a"), replace(ONE, client="b", reviewer="bob", verdict="no")])
    assert cell_states(store.decisions())["h0", "sea"].disputed  # and both are heard
