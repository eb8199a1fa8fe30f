"""A store of an earlier format becomes one of this format, or stays exactly as it was; nothing of it is ever lost."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tagger.errors import TaggerError
from tagger.review import Decision, Store, default_url, store_schema, store_upgrade

DUMP = Path(__file__).with_name("store_format_1.sql")
TABLES = ("decisions", "label_operations", "notes", "leases")


def old_store(folder: Path) -> Path:
    """A store that the first version of the code wrote."""
    path = folder / ".tagger" / "review.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text("utf-8"))
        connection.execute("PRAGMA journal_mode=WAL")
    return path


def rows(path: Path, *tables: str) -> list[list[tuple[object, ...]]]:
    """Everything in the tables."""
    with closing(sqlite3.connect(path)) as connection:
        return [sorted(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in tables]


def version(path: Path) -> str:
    """The format that a store says it has."""
    return str(rows(path, "tagger_meta")[0][0][1])


def copies(path: Path) -> list[Path]:
    """The copies beside a store."""
    return sorted(path.parent.glob("*format*"))


def test_an_earlier_store_is_brought_up_to_date_and_kept_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = old_store(tmp_path)
    before = rows(path, *TABLES)
    with caplog.at_level(logging.WARNING), closing(Store.open(default_url(tmp_path))) as store:
        assert [(row.id, row.verdict, row.label) for row in store.decisions()] == [
            (1, "yes", "sea"), (2, "no", "beach; 'x' 猫"), (3, "undo", "sea"), (4, "no", "sea"),
        ]  # fmt: skip
        assert store.operations()[0].target == "ocean"
        assert store.load_note("api_token") == "token of before"
        again = Decision(
            hash="a" * 16, label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann",
            seconds=1.5, client="tab-1", seq=1,
        )  # fmt: skip
        assert store.record([again]) == [1]  # a page that was open all the while sends again what it has sent
    (copy,) = copies(path)
    assert copy.name == "review-format-1.db"
    assert str(copy) in caplog.text
    assert "from format 1 to format 2" in caplog.text
    assert (version(path), version(copy)) == (str(store_schema.VERSION), "1")
    assert rows(path, *TABLES) == rows(copy, *TABLES) == before
    Store.open(default_url(tmp_path)).close()
    assert copies(path) == [copy]  # once is enough


def test_the_command_says_where_the_copy_is(tmp_path: Path):
    path = old_store(tmp_path)
    code = """import sys
from tagger.commands.steps.reviewed_labels import read_decisions
print(len(read_decisions(sys.argv[1])[0]))"""
    words = [sys.executable, "-c", code, default_url(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "4\n"
    assert str(copies(path)[0]) in done.stderr


KILLED = """
import os, signal, sys
from tagger.review import Store, store_upgrade
moment, url = sys.argv[1:]
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if moment == "in the copy": os.fsync = die
if moment == "before the copy has its name": os.replace = die
if moment == "before the first change": store_upgrade.UPGRADE_STEPS[1] = die
if moment == "after the last change":
    step = store_upgrade.UPGRADE_STEPS[1]
    store_upgrade.UPGRADE_STEPS[1] = lambda connection: (step(connection), die())
if moment == "before the end of the transaction": store_upgrade.log.warning = die
Store.open(url)
"""
MOMENTS = (
    "in the copy", "before the copy has its name", "before the first change", "after the last change",
    "before the end of the transaction",
)  # fmt: skip


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_half_way_the_old_store_is_whole(tmp_path: Path, moment: str):
    path = old_store(tmp_path)
    before = rows(path, *TABLES)
    done = subprocess.run([sys.executable, "-c", KILLED, moment, default_url(tmp_path)], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert version(path) == "1"
    assert rows(path, *TABLES) == before
    Store.open(default_url(tmp_path)).close()
    assert version(path) == str(store_schema.VERSION)
    assert rows(path, *TABLES) == before
    for copy in copies(path):
        assert rows(copy, *TABLES) == before


def test_where_no_copy_can_be_made_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = old_store(tmp_path)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store_upgrade, "_back_up_file", full)
        with pytest.raises(TaggerError, match="disk is full"):
            Store.open(default_url(tmp_path))
    assert version(path) == "1"
    assert copies(path) == []


def test_two_that_open_it_at_once_bring_it_up_to_date_once(tmp_path: Path):
    path = old_store(tmp_path)
    code = "import sys; from tagger.review import Store; print(len(Store.open(sys.argv[1]).decisions()))"
    words = [sys.executable, "-c", code, default_url(tmp_path)]
    both = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ends = [process.communicate(timeout=120) for process in both]
    assert [out for out, _ in ends] == ["4\n"] * 3
    assert sum("upgraded from format" in err for _, err in ends) == 1
    assert len(copies(path)) == 1


@pytest.mark.parametrize("found", ["3", "99999999999999999999", "0", "-1", "two", "²", ""])
def test_a_format_that_is_not_known_is_refused_and_the_file_stays(tmp_path: Path, found: str):
    path = old_store(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE tagger_meta SET value = ?", [found])
        connection.commit()
    before = rows(path, *TABLES, "tagger_meta")
    with pytest.raises(TaggerError, match="Nothing was changed"):
        Store.open(default_url(tmp_path))
    assert rows(path, *TABLES, "tagger_meta") == before
    assert copies(path) == []


def test_a_database_of_another_program_is_left_alone(tmp_path: Path):
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE decisions (court TEXT)")
    with pytest.raises(TaggerError, match="tables decisions there belong to another program"):
        Store.open(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["decisions"]


@pytest.mark.parametrize("table", ["decisions", "label_operations"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET reviewer = 'mallory'", "DELETE FROM {}"])
def test_what_was_decided_cannot_be_changed_even_by_hand(tmp_path: Path, statement: str, table: str):
    path = old_store(tmp_path)
    before = rows(path, *TABLES)
    Store.open(default_url(tmp_path)).close()
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="only ever added"),
    ):
        connection.execute(statement.format(table))
    assert rows(path, *TABLES) == before


def test_nothing_is_left_open_by_an_upgrade(tmp_path: Path):
    path = old_store(tmp_path)
    Store.open(default_url(tmp_path)).close()
    assert sorted(os.listdir(path.parent)) == ["review-format-1.db", "review.db"]
