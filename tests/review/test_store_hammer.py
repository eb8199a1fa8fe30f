"""Ten sessions hammer one store and are killed: what was confirmed is there once, nobody got another's cell."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import pytest
from hammer import outbox
from postgresql import Cluster, database, own_cluster
from torture import record_torture

from tagger.errors import TaggerError
from tagger.review import Decision, Store, default_url, store_engine, store_schema

HAMMER = Path(__file__).parents[1] / "faults" / "hammer.py"
SESSIONS = 10
ONE = Decision(
    hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann", seconds=1.5,
    client="tab", seq=1,
)  # fmt: skip

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def start(url: str, folder: Path, *, kills: int, seconds: float, seed: int) -> "subprocess.Popen[str]":
    """The ten sessions, at work."""
    print(f"seed {seed}")
    words = [
        sys.executable,
        str(HAMMER),
        url,
        str(folder),
        str(SESSIONS),
        str(kills),
        str(seconds),
        str(seed),
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check(process: "subprocess.Popen[str]", url: str, folder: Path) -> int:
    """How many decisions there are; each confirmed one exactly once, in order, and no cell went to two."""
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (0, "")
    with closing(Store.open(url)) as store:
        rows = store.decisions()
    ids = [row.id for row in rows]
    assert ids == sorted(set(ids))
    by_key = {(row.client, row.seq): row for row in rows}
    assert len(by_key) == len(rows)  # once each
    holders: dict[str, set[str]] = {}
    for name in (f"s{n}" for n in range(SESSIONS)):
        sent, saved = outbox(folder, name)
        mine = {seq: row for (client, seq), row in by_key.items() if client == name}
        assert {seq: row.id for seq, row in mine.items()} == saved  # what it was told, and nothing else
        assert set(sent) == set(saved)
        assert [mine[seq].id for seq in sorted(mine)] == sorted(saved.values())  # in the order of its keys
        for seq, (hash, undoes) in sent.items():
            assert mine[seq].hash == hash
            assert mine[seq].undoes == (None if undoes is None else saved[undoes])
            holders.setdefault(hash, set()).add(name)
    assert max(len(names) for names in holders.values()) == 1
    assert json.loads((folder / "followed").read_text("utf-8")) == ids  # who reads along misses none
    return len(rows)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with database() as url:
        yield url


def test_ten_sessions_that_are_killed_lose_and_double_nothing(tmp_path: Path):
    url = default_url(tmp_path / "data")
    assert check(start(url, tmp_path, kills=8, seconds=2, seed=7), url, tmp_path) >= SESSIONS


def test_ten_sessions_without_shared_memory_lose_and_double_nothing(tmp_path: Path):
    url = default_url(tmp_path / "data")
    code = "from tagger.review import store_engine; store_engine.on_network_filesystem = lambda path: True\n"
    script = tmp_path / "hammer.py"
    script.write_text(code + HAMMER.read_text("utf-8"), "utf-8")
    words = [sys.executable, str(script), url, str(tmp_path), str(SESSIONS), "2", "1", "7"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert check(process, url, tmp_path) >= SESSIONS


def test_ten_sessions_on_postgresql_lose_and_double_nothing(postgresql: str, tmp_path: Path):
    assert check(start(postgresql, tmp_path, kills=8, seconds=2, seed=7), postgresql, tmp_path) >= SESSIONS


def test_postgresql_keeps_leases_by_its_own_clock_and_decisions_for_good(postgresql: str):
    cells = [("clock", "sea")]
    with closing(Store.open(postgresql)) as store:
        assert store.lease("a", cells, count=1, seconds=300) == cells
        store._now = lambda: datetime(1999, 1, 1, tzinfo=UTC)  # this machine's clock is wrong
        assert store.lease("b", cells, count=1, seconds=300) == []
        store.record([replace(ONE, client="clock")])
        for statement in ("UPDATE decisions SET label = 'x'", "DELETE FROM decisions", "TRUNCATE decisions"):
            with (
                pytest.raises(Exception, match="only ever added"),
                store_engine.write_transaction(store._engine) as connection,
            ):
                connection.exec_driver_sql(statement)
        assert store.decisions()[-1].label == "sea"


def test_postgresql_is_brought_up_to_date_with_copies_in_tables(
    postgresql: str, caplog: pytest.LogCaptureFixture
):
    with closing(Store.open(postgresql)) as store:
        store.record([replace(ONE, client="old")])
        rows = store.decisions()
        with store_engine.write_transaction(store._engine) as connection:  # as the first version left it
            for table in store_schema.APPEND_ONLY_TABLES:
                connection.exec_driver_sql(f"DROP TRIGGER {table.name}_stay ON {table.name}")
                connection.exec_driver_sql(f"DROP FUNCTION {table.name}_stay()")
            connection.exec_driver_sql("UPDATE tagger_meta SET value = '1' WHERE key = 'version'")
    with closing(Store.open(postgresql)) as store:
        assert store.decisions() == rows
        with store_engine.read_transaction(store._engine) as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM decisions_format_1").scalar_one() == len(
                rows
            )
    assert "kept: tables decisions_format_1, label_operations_format_1, notes_format_1" in caplog.text


def test_a_server_that_is_not_there_is_said_and_the_password_is_not():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(TaggerError, match="Check that the database server runs") as caught:
        Store.open("postgresql://ann:secret-word@127.0.0.1:1/none")
    assert "secret-word" not in str(caught.value)


# The long part


@pytest.mark.torture
def test_a_minute_of_ten_sessions_and_a_hundred_kills(tmp_path: Path):
    url, seed = default_url(tmp_path / "data"), random.randrange(10**6)
    num = check(start(url, tmp_path, kills=100, seconds=60, seed=seed), url, tmp_path)
    record_torture("ten sessions, SQLite", sessions=SESSIONS, kills=100, decisions=num, lost=0, doubled=0)


@pytest.mark.torture
def test_a_minute_of_ten_sessions_on_postgresql_that_crashes(tmp_path: Path):
    with own_cluster() as cluster:
        seed = random.randrange(10**6)
        process = start(cluster.url, tmp_path, kills=40, seconds=60, seed=seed)
        crashes = _crash_now_and_then(cluster, random.Random(seed), seconds=50)
        num = check(process, cluster.url, tmp_path)
    record_torture(
        "ten sessions, PostgreSQL",
        sessions=SESSIONS,
        kills=40,
        crashes=crashes,
        decisions=num,
        lost=0,
        doubled=0,
    )


def _crash_now_and_then(cluster: Cluster, draw: random.Random, *, seconds: float) -> int:
    end, num = monotonic() + seconds, 0
    while monotonic() < end:
        sleep(draw.uniform(2, 8))
        cluster.crash()
        cluster.start()
        num += 1
    assert num >= 3
    return num
