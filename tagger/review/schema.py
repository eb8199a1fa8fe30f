"""The tables of the review store, and whether a database has them in this version."""

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

VERSION = 1
metadata = MetaData()

meta = Table(
    "tagger_meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False)
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

notes = Table("notes", metadata, Column("key", String(200), primary_key=True), Column("value", Text, nullable=False))


def prepare(connection: Connection, where: str) -> None:
    """The tables made, in a database that has none; TaggerError if they are of a version that this tagger cannot read.

    An older version would be brought up to date here, after a backup beside it; there is only version 1 so far.
    """
    if not inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        connection.execute(insert(meta).values(key="version", value=str(VERSION)))
        return
    found = connection.execute(select(meta.c.value).where(meta.c.key == "version")).scalar_one_or_none()
    if found != str(VERSION):
        raise TaggerError(
            f"{where}: the decisions there have format {found}, this tagger reads format {VERSION}. "
            "Use the newer tagger that wrote them (pip install --upgrade tagger), or another --store."
        )
