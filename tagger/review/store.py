"""Where decisions are kept: an append-only log in a database that several people and processes share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from tagger.errors import TaggerError
from tagger.review import schema
from tagger.review.decision import Cell, Decision, LabelOperation, Recorded, RecordedOperation
from tagger.review.engine import keep_open, open_engine, reading, writing
from tagger.review.upgrade import bring_up_to_date

NEWS = select(schema.decisions).where(schema.decisions.c.id > bindparam("after")).order_by(schema.decisions.c.id)
LAST_OPERATION = select(func.max(schema.operations.c.id))
LONGEST_LEASE = 900.0  # seconds; one that lasts longer was given before a clock went back
EXPIRED = delete(schema.leases).where(schema.leases.c.expires <= bindparam("now"))
TOO_LONG = update(schema.leases).where(schema.leases.c.expires > bindparam("most")).values(expires=bindparam("most"))
SERVER_TIME = text("SELECT extract(epoch FROM clock_timestamp())")  # one clock for all machines (PostgreSQL)
RENEW = update(schema.leases).where(schema.leases.c.client == bindparam("who")).values(expires=bindparam("until"))
HELD = select(schema.leases.c.hash, schema.leases.c.label, schema.leases.c.client)
SEQ_AT_ONCE = 500  # (client, seq) looked up in one question; databases limit its length


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class Store:
    """The decisions, leases, label operations and notes of one database.

    Safe to use from several threads and processes: every call has its own connection. No decision is ever changed or
    deleted. TaggerError where the database cannot be reached or written.

    The order of everything is that of the ids. Times are for people to read: a clock that is wrong, or goes back,
    changes nothing else; leases then end too early, or at most ``LONGEST_LEASE`` late.
    """

    def __init__(self, engine: Engine, *, now: Callable[[], datetime] | None = None):
        self._engine, self._now = engine, now or utc_now
        self._server_time = now is None and engine.dialect.name == "postgresql"
        self._kept = keep_open(engine)

    @classmethod
    def open(cls, url: str, *, now: Callable[[], datetime] | None = None) -> Self:
        """The store at an SQLAlchemy URL; its tables (and a SQLite file's folder) are made if there are none.

        One of an earlier version is brought up to date, after a copy beside it; a newer one is a TaggerError.
        """
        engine = open_engine(url)
        try:
            store = cls(engine, now=now)
            with writing(engine) as connection:
                bring_up_to_date(connection, schema.prepare(connection))
        except TaggerError:
            engine.dispose()
            raise
        return store

    @property
    def url(self) -> str:
        """Where it is, with the password hidden."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Let go of the database."""
        self._kept.close()
        self._engine.dispose()

    def record(self, decisions: Sequence[Decision]) -> list[int]:
        """The ids of the decisions, all written in one transaction or none.

        One whose (client, seq) is known already keeps its old id and is not written again, whatever it says now. The
        client's leases on the decided cells end.
        """
        if not decisions:
            return []
        time = self._time()
        with writing(self._engine) as connection:
            ids = _known(connection, schema.decisions, decisions)
            for decision in decisions:
                if (decision.client, decision.seq) not in ids:
                    values = asdict(decision) | {"time": time, "undoes": _undone(connection, decision, ids)}
                    del values["undoes_seq"]
                    key = connection.execute(insert(schema.decisions).values(values)).inserted_primary_key
                    ids[decision.client, decision.seq] = int(key[0]) if key else 0
                    lease = schema.leases.c
                    held = (lease.hash == decision.hash) & (lease.label == decision.label)
                    connection.execute(delete(schema.leases).where(held & (lease.client == decision.client)))
        return [ids[decision.client, decision.seq] for decision in decisions]

    def decisions(self, after: int = 0) -> list[Recorded]:
        """The decisions with an id greater than ``after``, in id order."""
        return self._decisions(schema.decisions.c.id > after)

    def news(self, after: int) -> tuple[list[Recorded], int]:
        """The decisions with an id greater than ``after``, and the id of the newest label operation (0: none)."""
        with reading(self._engine) as connection:
            rows = _recorded(connection.execute(NEWS, {"after": after}))
            return rows, connection.execute(LAST_OPERATION).scalar() or 0

    def history(self, hash: str) -> list[Recorded]:
        """The decisions about one image, in id order."""
        return self._decisions(schema.decisions.c.hash == hash)

    def last_id(self) -> int:
        """The id of the newest decision, 0 if there is none."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(schema.decisions.c.id))).scalar() or 0

    def lease(
        self, client: str, cells: Iterable[Cell] | Callable[[set[Cell]], Iterable[Cell]], *, count: int, seconds: float
    ) -> list[Cell]:
        """The first ``count`` of ``cells`` that nobody else holds, now held by ``client`` for so many seconds.

        All that the client holds already is renewed. ``cells`` is read only as far as needed; it may be a function
        that is told what the others hold.
        """
        seconds = min(seconds, LONGEST_LEASE)
        with writing(self._engine, durable=False) as connection:
            now = self._moment(connection)
            connection.execute(EXPIRED, {"now": now})
            connection.execute(TOO_LONG, {"most": now + LONGEST_LEASE})
            connection.execute(RENEW, {"who": client, "until": now + seconds})
            held = {(hash, label): holder for hash, label, holder in connection.execute(HELD)}
            others = {cell for cell, holder in held.items() if holder != client}
            offered = iter(cells(others) if callable(cells) else cells)
            taken: dict[Cell, None] = {}
            while len(taken) < count and (cell := next(offered, None)) is not None:
                if cell not in others:
                    taken[cell] = None
            new = [cell for cell in taken if cell not in held]
            if new:
                rows = [{"hash": h, "label": k, "client": client, "expires": now + seconds} for h, k in new]
                connection.execute(insert(schema.leases), rows)
        return list(taken)

    def release(self, client: str) -> None:
        """Give back all that a client holds."""
        with writing(self._engine, durable=False) as connection:
            connection.execute(delete(schema.leases).where(schema.leases.c.client == client))

    def record_operation(self, operation: LabelOperation) -> int:
        """The id of the operation; one whose (client, seq) is known already keeps its old id."""
        table = schema.operations
        with writing(self._engine) as connection:
            known = _known(connection, table, [operation])
            if known:
                return known[operation.client, operation.seq]
            last = connection.execute(select(func.max(schema.decisions.c.id))).scalar() or 0
            values = asdict(operation) | {"time": self._time(), "after": last}
            key = connection.execute(insert(table).values(values)).inserted_primary_key
            return int(key[0]) if key else 0

    def operations(self) -> list[RecordedOperation]:
        """All operations, in id order."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(schema.operations).order_by(schema.operations.c.id)).mappings()
            return [RecordedOperation(**row) for row in rows]

    def save_note(self, key: str, value: str) -> None:
        """Keep a small text of the app under a key, in place of what was there."""
        notes = schema.notes
        with writing(self._engine) as connection:
            if not connection.execute(update(notes).where(notes.c.key == key).values(value=value)).rowcount:
                connection.execute(insert(notes).values(key=key, value=value))

    def load_note(self, key: str) -> str | None:
        """What was kept under a key, or None."""
        with reading(self._engine) as connection:
            return connection.execute(select(schema.notes.c.value).where(schema.notes.c.key == key)).scalar()

    def _moment(self, connection: Connection) -> float:
        return float(connection.scalar(SERVER_TIME) or 0) if self._server_time else self._now().timestamp()

    def _time(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="microseconds")

    def _decisions(self, condition: Any) -> list[Recorded]:
        query = select(schema.decisions).where(condition).order_by(schema.decisions.c.id)
        with reading(self._engine) as connection:
            return _recorded(connection.execute(query))


def _recorded(rows: CursorResult) -> list[Recorded]:
    """The rows as records, made without the constructor: a hundred thousand are read when an app starts."""
    names, found = tuple(rows.keys()), []
    for row in rows:
        one = object.__new__(Recorded)
        one.__dict__.update(zip(names, row, strict=True))
        found.append(one)
    return found


def _known(
    connection: Connection, table: Table, sent: Sequence[Decision] | Sequence[LabelOperation]
) -> dict[tuple[str, int], int]:
    """The ids of those that are in the table already, by (client, seq)."""
    ids: dict[tuple[str, int], int] = {}
    for start in range(0, len(sent), SEQ_AT_ONCE):
        keys = [(one.client, one.seq) for one in sent[start : start + SEQ_AT_ONCE]]
        by_client: dict[str, list[int]] = {}
        for client, seq in keys:
            by_client.setdefault(client, []).append(seq)
        wanted = or_(*((table.c.client == client) & table.c.seq.in_(seqs) for client, seqs in by_client.items()))
        query = select(table.c.client, table.c.seq, table.c.id).where(wanted)
        ids |= {(row.client, row.seq): row.id for row in connection.execute(query)}
    return ids


def _undone(connection: Connection, decision: Decision, ids: dict[tuple[str, int], int]) -> int | None:
    """The id that an undo takes back, found by its number if need be; TaggerError if there is no such decision."""
    if decision.verdict != "undo":
        return None
    table = schema.decisions.c
    if decision.undoes is None:
        found = ids.get((decision.client, decision.undoes_seq or 0))
        wanted = and_(table.client == decision.client, table.seq == decision.undoes_seq)
    else:
        found, wanted = None, and_(table.id == decision.undoes)
    found = found or connection.execute(select(table.id).where(wanted)).scalar()
    if found is None:
        what = f"id {decision.undoes}" if decision.undoes is not None else f"number {decision.undoes_seq}"
        raise TaggerError(f"There is no decision with {what} to undo ({decision.label!r} of image {decision.hash}).")
    return found
