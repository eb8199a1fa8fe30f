"""The store loses nothing and doubles nothing, whoever writes at the same time and however a writer ends."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import make_url

from tagger.errors import TaggerError
from tagger.review import Decision, LabelOperation, Store, default_url

ONE = Decision(
    hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann", seconds=1.5,
    client="tab", seq=1,
)  # fmt: skip
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(default_url(tmp_path), now=lambda: NOW)
    yield opened
    opened.close()


def test_what_is_recorded_comes_back_whole_and_in_order(store: Store):
    two = replace(
        ONE, seq=2, hash="h1", label="'; DROP TABLE decisions; --", doubt=None, suggested=None, blind=True
    )
    assert store.record([ONE, two]) == [1, 2]
    first, second = store.decisions()
    assert replace(first, verdict="yes") == first
    assert {name: getattr(second, name) for name in ("label", "doubt", "suggested", "blind")} == {
        "label": two.label,
        "doubt": None,
        "suggested": None,
        "blind": True,
    }
    assert first.time == "2026-11-20T12:00:00.000000+00:00"
    assert store.decisions(after=1) == [second] == store.history("h1")
    assert store.last_id() == 2


def test_sending_again_changes_nothing(store: Store):
    outbox = [replace(ONE, seq=seq, hash=f"h{seq}") for seq in range(1, 9)]
    ids = [store.record([one])[0] for one in outbox]
    before = store.decisions()
    for start in range(8):
        assert store.record(outbox[start:]) == ids[start:]
    assert store.record([outbox[0], outbox[0], replace(outbox[0], verdict="no")]) == [1, 1, 1]
    assert store.decisions() == before


def test_an_undo_may_name_what_has_no_id_yet(store: Store):
    store.record([ONE])
    ids = store.record([replace(ONE, seq=2), replace(ONE, seq=3, verdict="undo", undoes_seq=2)])
    assert store.decisions(after=ids[0])[0].undoes == ids[0]
    store.record([replace(ONE, seq=4, verdict="undo", undoes_seq=1)])
    assert store.decisions()[-1].undoes == 1
    with pytest.raises(TaggerError, match="no decision with number 77"):
        store.record([replace(ONE, seq=5), replace(ONE, seq=6, verdict="undo", undoes_seq=77)])
    assert store.last_id() == 4  # all or nothing


def test_leases_keep_clients_apart_until_they_end(tmp_path: Path):
    clock = [NOW]
    store = Store.open(default_url(tmp_path), now=lambda: clock[0])
    cells = [(f"h{n}", "sea") for n in range(6)]
    assert store.lease("a", iter(cells), count=2, seconds=90) == cells[:2]
    assert store.lease("b", cells, count=3, seconds=90) == cells[2:5]
    assert store.lease("a", cells, count=3, seconds=90) == [*cells[:2], cells[5]]
    assert store.lease("c", lambda others: sorted({*cells} - others), count=9, seconds=0) == []
    clock[0] += timedelta(seconds=60)
    store.lease("a", (), count=0, seconds=90)  # renews all
    clock[0] += timedelta(seconds=60)
    assert store.lease("c", cells, count=9, seconds=90) == cells[2:5]
    store.record([replace(ONE, client="a")])
    assert store.lease("b", cells, count=9, seconds=90) == cells[:1]
    store.release("c")
    assert store.lease("b", cells, count=9, seconds=90) == [cells[0], *cells[2:5]]
    store.close()


def test_operations_and_notes_are_kept(store: Store):
    add = LabelOperation(kind="add", label="boat", reviewer="ann", client="tab", seq=1)
    store.record([ONE])
    assert store.record_operation(add) == store.record_operation(add) == 1
    assert store.record_operation(replace(add, kind="rename", label="boat", target="ship", seq=2)) == 2
    assert [(one.kind, one.target, one.after) for one in store.operations()] == [
        ("add", None, 1),
        ("rename", "ship", 1),
    ]
    assert store.new_decisions(after=0)[1] == 2
    assert store.load_note("token") is None
    store.save_note("token", "one")
    store.save_note("token", "two")
    assert store.load_note("token") == "two"


def test_a_store_opened_again_has_everything(tmp_path: Path):
    for seq in (1, 2):
        store = Store.open(default_url(tmp_path))
        store.record([replace(ONE, seq=seq)])
        store.close()
    store = Store.open(default_url(tmp_path))
    assert store.last_id() == 2
    store.close()


def test_only_the_url_for_other_processes_has_the_password(store: Store, monkeypatch: pytest.MonkeyPatch):
    url = "postgresql://ann:secret@server/photos"
    monkeypatch.setattr(store, "_engine", SimpleNamespace(url=make_url(url)))
    assert store.url_with_password() == url
    assert store.url == "postgresql://ann:***@server/photos"
    monkeypatch.undo()


def test_what_cannot_be_opened_is_said_in_words(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "no.db").write_text("this is no database, and long enough to be seen as none" * 50)
    for url, complaint in [
        ("nonsense", "no database URL"),
        ("sqlite://", "forgets everything"),
        (f"sqlite:///{tmp_path}/file/review.db", "cannot be made"),
        (f"sqlite:///{tmp_path}/no.db", "not a database"),
        ("nosuch://x/y", "nosuch"),
    ]:
        with pytest.raises(TaggerError, match=complaint):
            Store.open(url)


def test_a_newer_format_is_refused_with_a_reason(tmp_path: Path):
    Store.open(default_url(tmp_path)).close()
    path = tmp_path / ".tagger" / "review.db"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE tagger_meta SET value = '9'")
    connection.commit()
    connection.close()
    with pytest.raises(TaggerError, match="format 9, this tagger reads format 2"):
        Store.open(default_url(tmp_path))


WRITER = """
import sys
from tagger.review import Decision, Store
url, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
import threading, time
store = Store.open(url)
one_line_at_a_time = threading.Lock()
end = time.monotonic() + seconds
def work(client):
    seq = 0
    while time.monotonic() < end:
        held = store.lease(client, ((f"h{n}", "sea") for n in range(100_000)), count=3, seconds=600)
        # what is held is written down under another label: a decision on it would free it for others
        same = dict(verdict="yes", before=0, suggested=1, doubt=None, run="r", reviewer=name, seconds=None)
        batch = [Decision(hash=h, label=k + "?", client=client, seq=seq + n, **same) for n, (h, k) in enumerate(held)]
        seq += len(batch)
        ids = store.record(batch)
        assert store.record(batch[1:]) == ids[1:]
        with one_line_at_a_time:
            print(client, *ids, flush=True)
threads = [threading.Thread(target=work, args=(f"{name}-{n}",)) for n in range(int(sys.argv[4]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def start_writer(url: str, name: str, seconds: float, num_threads: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-W", "error", "-c", WRITER, url, name, str(seconds), str(num_threads)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_four_processes_of_two_threads_lose_and_double_nothing(tmp_path: Path):
    url = default_url(tmp_path)
    writers = [start_writer(url, f"p{n}", 3, 2) for n in range(4)]
    told: dict[str, list[int]] = {}
    for writer in writers:
        out, err = writer.communicate(timeout=120)
        assert err == ""
        for line in out.splitlines():
            client, *ids = line.split()
            told.setdefault(client, []).extend(map(int, ids))
    store = Store.open(url)
    rows = store.decisions()
    store.close()
    assert len(told) == 8
    by_client: dict[str, list[int]] = {}
    holders: dict[str, set[str]] = {}
    for row in rows:
        by_client.setdefault(row.client, []).append(row.id)
        holders.setdefault(row.hash, set()).add(row.client)
    assert by_client == told  # all that was acknowledged, once, and nothing else
    assert max(Counter((row.client, row.seq) for row in rows).values()) == 1
    assert all(len(clients) == 1 for clients in holders.values())  # nobody held what another held


def test_eight_threads_on_one_store_lose_and_double_nothing(store: Store):
    def work(client: str) -> None:
        for seq in range(25):
            store.record(
                [replace(ONE, client=client, seq=seq), replace(ONE, client=client, seq=seq, verdict="no")]
            )

    threads = [threading.Thread(target=work, args=(f"tab{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(row.client for row in store.decisions()) == {f"tab{n}": 25 for n in range(8)}
    assert [row.id for row in store.decisions()] == list(range(1, 201))


def test_whatever_was_acknowledged_survives_kill_9(tmp_path: Path):
    url = default_url(tmp_path)
    writer = start_writer(url, "p", 60, 1)
    assert writer.stdout is not None
    lines = [writer.stdout.readline() for _ in range(20)]
    time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    rest, _ = writer.communicate(timeout=60)
    acknowledged = {int(id) for line in [*lines, *rest.splitlines()] for id in line.split()[1:]}
    store = Store.open(url)
    found = {row.id for row in store.decisions()}
    assert acknowledged <= found
    assert len(found - acknowledged) <= 3  # the batch in flight
    store.record([replace(ONE, seq=10_000)])
    store.close()
