"""Tables of the review store, and the check of their version.

Version 2 has the tables of version 1; since then the database itself refuses to change or delete what
people decided.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
)

from tagger.errors import TaggerError

VERSION = 2
metadata = MetaData()

meta = Table(
    "tagger_meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String(40), nullable=False),
    Column("hash", String(128), nullable=False),
    Column("label", Text, nullable=False),
    Column("verdict", String(8), nullable=False),
    Column("before", SmallInteger, nullable=False),
    Column("suggested", SmallInteger),
    Column("doubt", Float),
    Column("run", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("seconds", Float),
    Column("client", String(200), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("undoes", Integer),
    Column("blind", Boolean, nullable=False),
    Column("settles", Boolean, nullable=False),
    Column("source", String(16), nullable=False),
    UniqueConstraint("client", "seq"),
    Index("decisions_by_hash", "hash", "id"),
    sqlite_autoincrement=True,
)

operations = Table(
    "label_operations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String(40), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("label", Text, nullable=False),
    Column("target", Text),
    Column("reviewer", Text, nullable=False),
    Column("client", String(200), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("undoes", Integer),
    Column("after", Integer, nullable=False),
    UniqueConstraint("client", "seq"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("hash", String(128), primary_key=True),
    Column("label", Text, primary_key=True),
    Column("client", String(200), nullable=False, index=True),
    Column("expires", Float, nullable=False),
)

notes = Table(
    "notes", metadata, Column("key", String(200), primary_key=True), Column("value", Text, nullable=False)
)

photos = Table(  # of decided photos; versions without this table leave it alone, so the format stays the same
    "photos",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("hash", String(128), nullable=False, index=True),
    Column("picture_hash", String(128), nullable=False),
    Column("file", Text, nullable=False),
)


APPEND_ONLY_TABLES = (decisions, operations)  # append-only


def create_or_check_tables(connection: Connection) -> int:
    """The version of the tables in a database; where there are none, they are made, in this version.

    TaggerError if it is newer than this tagger, or if tables of these names are somebody else's.
    """
    where = connection.engine.url.render_as_string(hide_password=True)
    tables = inspect(connection).get_table_names()
    if meta.name not in tables:
        if strange := sorted({*metadata.tables} & {*tables}):
            raise TaggerError(
                f"{where}: the tables {' and '.join(strange)} there belong to another program. Nothing was changed."
                " Choose another --store."
            )
        metadata.create_all(connection)
        make_append_only(connection)
        connection.execute(insert(meta).values(key="version", value=str(VERSION)))
        return VERSION
    found = connection.execute(select(meta.c.value).where(meta.c.key == "version")).scalar_one_or_none() or ""
    if not found.isdecimal() or not 0 < int(found) <= VERSION:
        raise TaggerError(
            f"{where}: the decisions there have format {found or 'unknown'}, this tagger reads format {VERSION}. "
            "Nothing was changed. Use the newer tagger that wrote them (pip install --upgrade retagger), or another "
            "--store."
        )
    photos.create(connection, checkfirst=True)
    return int(found)


def make_append_only(connection: Connection) -> None:
    """Have the database refuse to change or delete rows of the logs, whoever asks (SQLite and PostgreSQL)."""
    for table in APPEND_ONLY_TABLES:
        said = f"{table.name} are only ever added to"
        if connection.dialect.name == "sqlite":
            for event in ("UPDATE", "DELETE"):
                trigger = f"CREATE TRIGGER {table.name}_no_{event.lower()} BEFORE {event} ON {table.name}"
                connection.exec_driver_sql(f"{trigger} BEGIN SELECT RAISE(ABORT, '{said}'); END")
        elif connection.dialect.name == "postgresql":
            function = f"{table.name}_stay()"
            connection.exec_driver_sql(
                f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
            )
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table.name}_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.name}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {function}"
            )
