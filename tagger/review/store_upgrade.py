"""Upgrade of a review store to the current version, with a copy of the old one beside it.

Whoever is killed on the way leaves the old store as it was: the copy is made first, under a name that
nothing has, and all changes are one transaction. The copy is never removed by tagger.
"""

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, inspect, update

from tagger.review import store_schema

log = logging.getLogger(__name__)
UPGRADE_STEPS: dict[int, Callable[[Connection], None]] = {
    1: store_schema.make_append_only
}  # from this version to the next


def upgrade_store(connection: Connection, version: int) -> None:
    """Upgrade a store of an earlier version; a warning says where the copy of the old one is.

    ``connection`` must be one of ``write_transaction``: nobody else writes meanwhile, and an error takes everything
    back.
    """
    if version == store_schema.VERSION:
        return
    copy = back_up_store(connection, version)
    for step in range(version, store_schema.VERSION):
        UPGRADE_STEPS[step](connection)
    is_version = store_schema.meta.c.key == "version"
    connection.execute(update(store_schema.meta).where(is_version).values(value=str(store_schema.VERSION)))
    where = connection.engine.url.render_as_string(hide_password=True)
    log.warning(
        "%s: upgraded from format %d to format %d. A copy of the old store is kept: %s",
        where,
        version,
        store_schema.VERSION,
        copy,
    )


def back_up_store(connection: Connection, version: int) -> str:
    """Where the whole store as it is was copied to: a file beside SQLite's, tables beside the tables elsewhere."""
    if connection.dialect.name == "sqlite":
        (file,) = (row[2] for row in connection.exec_driver_sql("PRAGMA database_list") if row[1] == "main")
        return str(_back_up_file(Path(file), version))
    taken = {*inspect(connection).get_table_names()}
    names = []
    for table in (*store_schema.APPEND_ONLY_TABLES, store_schema.notes):
        stem = f"{table.name}_format_{version}"
        name = next(new for n in range(1, 1000) if (new := stem if n == 1 else f"{stem}_{n}") not in taken)
        connection.exec_driver_sql(f"CREATE TABLE {name} AS SELECT * FROM {table.name}")
        names.append(name)
    return "tables " + ", ".join(names)


def _back_up_file(path: Path, version: int) -> Path:
    stem = f"{path.stem}-format-{version}"
    names = (path.with_name(f"{stem}{'' if n == 1 else f'-{n}'}{path.suffix}") for n in range(1, 1000))
    target = next(name for name in names if not name.exists())
    part = path.with_name(f".{target.name}.{os.getpid()}-{token_hex(4)}.part")
    try:
        with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    if os.name == "posix":  # the new name itself must be on the disk before the old store changes
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return target
