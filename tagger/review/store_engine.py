"""Database engine of the review store: short transactions, one writer at a time.

SQLite: WAL, and every write begins with BEGIN IMMEDIATE (a deferred read-then-write fails as "locked" under
load). On a drive of another machine it is a rollback journal instead: WAL needs memory that all its users
share. Elsewhere one advisory lock does the same, so that ids become visible in their order and nobody who
reads "after id N" ever misses a decision that was numbered earlier but written later.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from tagger.errors import TaggerError
from tagger.review.db_error_hints import hint_for_error
from tagger.review.network_filesystem import on_network_filesystem

WAIT_SECONDS = 30
ADVISORY_LOCK_ID = 7_402_316_981  # any number, the same for every tagger


def default_url(data_root: Path) -> str:
    """``sqlite:///DATA/.tagger/review.db``: where the decisions about the images in ``data_root`` are.

    Whatever the folder is called: what means something in a URL is written as %3F and the like.

    >>> default_url(Path("/photos"))
    'sqlite:////photos/.tagger/review.db'
    """
    return URL.create("sqlite", database=str(data_root / ".tagger" / "review.db")).render_as_string()


def open_engine(url: str) -> Engine:
    """An engine without a pool for an SQLAlchemy URL; TaggerError says what is wrong with the URL."""
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, poolclass=NullPool)
    except ArgumentError:
        raise TaggerError(
            f"--store {url!r} is no database URL. Example: sqlite:///photos/.tagger/review.db"
        ) from None
    except ModuleNotFoundError as error:
        hint = (
            "pip install 'retagger[postgresql]'" if "psycopg" in str(error) else f"pip install {error.name}"
        )
        raise TaggerError(
            f"--store {url.split(':')[0]}: its driver is not installed. Install it: {hint}"
        ) from None
    except SQLAlchemyError as error:
        raise TaggerError(f"--store {url!r}: {error}") from None
    if parsed.database in (None, "", ":memory:"):
        raise TaggerError(f"--store {url!r} forgets everything at the end. Give a file: sqlite:///review.db")
    try:
        if not parsed.database.startswith("file:"):
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TaggerError(
            f"{parsed.database}: its folder cannot be made ({error.strerror}). Give --store."
        ) from None
    # check_same_thread: connections are not shared, but the one kept open may be closed by another thread
    options = {"timeout": WAIT_SECONDS, "check_same_thread": False}
    engine = create_engine(parsed, poolclass=NullPool, connect_args=options)
    event.listen(engine, "connect", _disable_driver_transactions)
    event.listen(engine, "begin", _begin_transaction)
    return engine


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one moment of the database."""
    with _raise_tagger_error(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def write_transaction(engine: Engine, *, durable: bool = True) -> Iterator[Connection]:
    """A connection that no other writer gets in the way of; all is written at the end, or nothing.

    ``durable``: wait until the disk has it (SQLite), so that not even a power cut takes it back.
    """
    with _raise_tagger_error(engine), engine.connect() as connection:
        if engine.dialect.name == "sqlite" and not durable:
            _execute(
                connection, "PRAGMA synchronous=NORMAL"
            )  # not OFF: it may tidy away what others were promised
        with connection.execution_options(tagger_writes=True).begin():
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK_ID})")
            yield connection


def open_keepalive(engine: Engine) -> Connection:
    """A connection to hold on to, so that SQLite does not tidy its log away after every other one (20 ms a
    time).

    Puts a SQLite database in WAL mode, where readers and a writer do not wait for each other, if it lies on
    a disk of this machine. A file that is no database, or is damaged at its beginning, is a TaggerError and
    stays as it is.
    """
    with _raise_tagger_error(engine):
        connection = engine.connect()
        try:
            if engine.dialect.name == "sqlite":
                _execute(connection, "SELECT count(*) FROM sqlite_master")
                shared = on_network_filesystem(Path(engine.url.database or ""))
                _execute(connection, f"PRAGMA journal_mode={'DELETE' if shared else 'WAL'}")
                _execute(
                    connection, "SELECT count(*) FROM sqlite_master"
                )  # only who has read holds the log open
        except BaseException:
            connection.close()
            raise
        return connection


def _execute(connection: Connection, statement: str) -> None:
    cursor = connection.connection.cursor()  # outside any transaction
    cursor.execute(statement)
    cursor.fetchall()
    cursor.close()


def _disable_driver_transactions(dbapi_connection: Any, _: Any) -> None:
    dbapi_connection.isolation_level = None
    dbapi_connection.execute("PRAGMA synchronous=FULL")  # some builds of SQLite promise less


def _begin_transaction(connection: Connection) -> None:
    writes = connection.get_execution_options().get("tagger_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _raise_tagger_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, sqlite3.DatabaseError) as error:
        where = engine.url.render_as_string(hide_password=True)
        reason = (str(getattr(error, "orig", error)) or type(error).__name__).splitlines()[0]
        raise TaggerError(f"{where}: {reason.rstrip('.')}. {hint_for_error(reason)}") from error
