"""Review store: an append-only log of decisions in a database that several processes share."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from tagger.errors import TaggerError
from tagger.review import store_schema
from tagger.review.decision import Cell, Decision, LabelOperation, RecordedDecision, RecordedOperation
from tagger.review.photo_identity import PhotoIdentities, RunPhotos, file_names, pictures_by_hash
from tagger.review.recorded_ids import known_ids, undone_id
from tagger.review.store_engine import open_engine, open_keepalive, read_transaction, write_transaction
from tagger.review.store_upgrade import upgrade_store

NEW_DECISIONS = (
    select(store_schema.decisions)
    .where(store_schema.decisions.c.id > bindparam("after"))
    .order_by(store_schema.decisions.c.id)
)
SELECT_DECIDED_HASHES = select(store_schema.decisions.c.hash).distinct()
LAST_OPERATION = select(func.max(store_schema.operations.c.id))
MAX_LEASE_SECONDS = 900.0  # seconds; one that lasts longer was given before a clock went back
DELETE_EXPIRED_LEASES = delete(store_schema.leases).where(store_schema.leases.c.expires <= bindparam("now"))
SHORTEN_LONG_LEASES = (
    update(store_schema.leases)
    .where(store_schema.leases.c.expires > bindparam("most"))
    .values(expires=bindparam("most"))
)
SELECT_SERVER_TIME = text(
    "SELECT extract(epoch FROM clock_timestamp())"
)  # one clock for all machines (PostgreSQL)
RENEW_LEASES = (
    update(store_schema.leases)
    .where(store_schema.leases.c.client == bindparam("who"))
    .values(expires=bindparam("until"))
)
SELECT_LEASES = select(store_schema.leases.c.hash, store_schema.leases.c.label, store_schema.leases.c.client)


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class Store:
    """The decisions, leases, label operations and notes of one database.

    Safe to use from several threads and processes: every call has its own connection. No decision is ever
    changed or deleted. TaggerError where the database cannot be reached or written.

    The order of everything is that of the ids. Times are for people to read: a clock that is wrong, or goes
    back, changes nothing else; leases then end too early, or at most ``MAX_LEASE_SECONDS`` late.
    """

    def __init__(self, engine: Engine, *, now: Callable[[], datetime] | None = None):
        self._engine = engine
        self._now = now or utc_now
        self._server_time = now is None and engine.dialect.name == "postgresql"
        self._kept = open_keepalive(engine)
        self._photos: PhotoIdentities | None = None

    @classmethod
    def open(cls, url: str, *, now: Callable[[], datetime] | None = None) -> Self:
        """The store at an SQLAlchemy URL; its tables (and a SQLite file's folder) are made if there are none.

        One of an earlier version is brought up to date, after a copy beside it; a newer one is a TaggerError.
        """
        engine = open_engine(url)
        try:
            store = cls(engine, now=now)
            with write_transaction(engine) as connection:
                upgrade_store(connection, store_schema.create_or_check_tables(connection))
        except TaggerError:
            engine.dispose()
            raise
        return store

    @property
    def url(self) -> str:
        """Where it is, with the password hidden."""
        return self._engine.url.render_as_string(hide_password=True)

    def url_with_password(self) -> str:
        """The URL as another process needs it to open the same store. Show it to nobody."""
        return self._engine.url.render_as_string(hide_password=False)

    def close(self) -> None:
        """Let go of the database."""
        self._kept.close()
        self._engine.dispose()

    def reading(self) -> AbstractContextManager[Connection]:
        """One moment of the database, for who reads several tables (``store_import``)."""
        return read_transaction(self._engine)

    def writing(self) -> AbstractContextManager[Connection]:
        """One transaction, for who writes many rows (``store_import``)."""
        return write_transaction(self._engine)

    def decided_hashes(self) -> list[str]:
        """The hashes of all photos on which there are decisions, as they were recorded."""
        with read_transaction(self._engine) as connection:
            return list(connection.scalars(SELECT_DECIDED_HASHES))

    def know_photos(self, photos: RunPhotos) -> None:
        """Read decisions as those on these photos from now on, and note by which pictures they are known."""
        identities = PhotoIdentities(photos)
        with write_transaction(self._engine) as connection:
            identities.register(connection, connection.scalars(SELECT_DECIDED_HASHES).all())
        self._photos = identities

    def photo_pictures(self) -> dict[str, set[str]]:
        """The pictures by which each decided photo is known, by hash."""
        with read_transaction(self._engine) as connection:
            return pictures_by_hash(connection)

    def photo_files(self) -> dict[str, str]:
        """The last known name of each decided photo's file, by hash."""
        with read_transaction(self._engine) as connection:
            return file_names(connection)

    def record(self, decisions: Sequence[Decision]) -> list[int]:
        """The ids of the decisions, all written in one transaction or none.

        One whose (client, seq) is known already keeps its old id and is not written again, whatever it says
        now. The client's leases on the decided cells end.
        """
        if not decisions:
            return []
        time = self._time()
        with write_transaction(self._engine) as connection:
            if self._photos is not None:
                self._photos.register(connection, [decision.hash for decision in decisions])
            ids = known_ids(connection, store_schema.decisions, decisions)
            for decision in decisions:
                if (decision.client, decision.seq) not in ids:
                    values = asdict(decision) | {
                        "time": time,
                        "undoes": undone_id(connection, decision, ids),
                    }
                    del values["undoes_seq"]
                    key = connection.execute(
                        insert(store_schema.decisions).values(values)
                    ).inserted_primary_key
                    ids[decision.client, decision.seq] = int(key[0]) if key else 0
                    lease = store_schema.leases.c
                    held = (lease.hash == decision.hash) & (lease.label == decision.label)
                    connection.execute(
                        delete(store_schema.leases).where(held & (lease.client == decision.client))
                    )
        return [ids[decision.client, decision.seq] for decision in decisions]

    def decisions(self, after: int = 0) -> list[RecordedDecision]:
        """The decisions with an id greater than ``after``, in id order."""
        return self._decisions(store_schema.decisions.c.id > after)

    def new_decisions(self, after: int) -> tuple[list[RecordedDecision], int]:
        """The decisions with an id greater than ``after``, and the id of the newest label operation (0: none)."""
        with read_transaction(self._engine) as connection:
            rows = self._on_photos(connection, connection.execute(NEW_DECISIONS, {"after": after}))
            return rows, connection.execute(LAST_OPERATION).scalar() or 0

    def newest_decisions(self, limit: int, reviewer: str | None = None) -> list[RecordedDecision]:
        """The last ``limit`` decisions, newest first, of one reviewer or of all; and everybody's undoings."""
        table = store_schema.decisions
        query = select(table).order_by(table.c.id.desc()).limit(limit)
        with read_transaction(self._engine) as connection:
            if reviewer is not None:
                query = query.where((table.c.reviewer == reviewer) | (table.c.verdict == "undo"))
            return self._on_photos(connection, connection.execute(query))

    def history(self, hash: str) -> list[RecordedDecision]:
        """The decisions about one image, in id order."""
        hashes = [hash]
        if self._photos is not None:
            with read_transaction(self._engine) as connection:
                hashes = self._photos.aliases(connection, hash)
        rows = self._decisions(store_schema.decisions.c.hash.in_(hashes))
        return [row for row in rows if row.hash == hash]

    def last_id(self) -> int:
        """The id of the newest decision, 0 if there is none."""
        with read_transaction(self._engine) as connection:
            return connection.execute(select(func.max(store_schema.decisions.c.id))).scalar() or 0

    def lease(
        self,
        client: str,
        cells: Iterable[Cell] | Callable[[set[Cell]], Iterable[Cell]],
        *,
        count: int,
        seconds: float,
    ) -> list[Cell]:
        """The first ``count`` of ``cells`` that nobody else holds, now held by ``client`` for so many seconds.

        All that the client holds already is renewed. ``cells`` is read only as far as needed; it may be a
        function that is told what the others hold.
        """
        seconds = min(seconds, MAX_LEASE_SECONDS)
        with write_transaction(self._engine, durable=False) as connection:
            now = self._moment(connection)
            connection.execute(DELETE_EXPIRED_LEASES, {"now": now})
            connection.execute(SHORTEN_LONG_LEASES, {"most": now + MAX_LEASE_SECONDS})
            connection.execute(RENEW_LEASES, {"who": client, "until": now + seconds})
            held = {(hash, label): holder for hash, label, holder in connection.execute(SELECT_LEASES)}
            others = {cell for cell, holder in held.items() if holder != client}
            offered = iter(cells(others) if callable(cells) else cells)
            taken: dict[Cell, None] = {}
            while len(taken) < count and (cell := next(offered, None)) is not None:
                if cell not in others:
                    taken[cell] = None
            new = [cell for cell in taken if cell not in held]
            if new:
                rows = [{"hash": h, "label": k, "client": client, "expires": now + seconds} for h, k in new]
                connection.execute(insert(store_schema.leases), rows)
        return list(taken)

    def release(self, client: str) -> None:
        """Give back all that a client holds."""
        with write_transaction(self._engine, durable=False) as connection:
            connection.execute(delete(store_schema.leases).where(store_schema.leases.c.client == client))

    def record_operation(self, operation: LabelOperation) -> int:
        """The id of the operation; one whose (client, seq) is known already keeps its old id."""
        table = store_schema.operations
        with write_transaction(self._engine) as connection:
            known = known_ids(connection, table, [operation])
            if known:
                return known[operation.client, operation.seq]
            last = connection.execute(select(func.max(store_schema.decisions.c.id))).scalar() or 0
            values = asdict(operation) | {"time": self._time(), "after": last}
            key = connection.execute(insert(table).values(values)).inserted_primary_key
            return int(key[0]) if key else 0

    def operations(self) -> list[RecordedOperation]:
        """All operations, in id order."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                select(store_schema.operations).order_by(store_schema.operations.c.id)
            ).mappings()
            return [RecordedOperation(**row) for row in rows]

    def save_note(self, key: str, value: str) -> None:
        """Keep a small text of the app under a key, in place of what was there."""
        notes = store_schema.notes
        with write_transaction(self._engine) as connection:
            if not connection.execute(update(notes).where(notes.c.key == key).values(value=value)).rowcount:
                connection.execute(insert(notes).values(key=key, value=value))

    def load_note(self, key: str) -> str | None:
        """What was kept under a key, or None."""
        with read_transaction(self._engine) as connection:
            return connection.execute(
                select(store_schema.notes.c.value).where(store_schema.notes.c.key == key)
            ).scalar()

    def _moment(self, connection: Connection) -> float:
        return (
            float(connection.scalar(SELECT_SERVER_TIME) or 0)
            if self._server_time
            else self._now().timestamp()
        )

    def _time(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="microseconds")

    def _decisions(self, condition: Any) -> list[RecordedDecision]:
        query = select(store_schema.decisions).where(condition).order_by(store_schema.decisions.c.id)
        with read_transaction(self._engine) as connection:
            return self._on_photos(connection, connection.execute(query))

    def _on_photos(self, connection: Connection, rows: CursorResult) -> list[RecordedDecision]:
        decisions = _to_decisions(rows)
        return decisions if self._photos is None else self._photos.translate(connection, decisions)


def _to_decisions(rows: CursorResult) -> list[RecordedDecision]:
    """The rows as records, made without the constructor: a hundred thousand are read when an app starts."""
    names = tuple(rows.keys())
    found = []
    for row in rows:
        one = object.__new__(RecordedDecision)
        one.__dict__.update(zip(names, row, strict=True))
        found.append(one)
    return found
