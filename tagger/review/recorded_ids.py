"""Ids that the store gave to decisions and operations before: of those sent again, and of those taken back."""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, and_, or_, select

from tagger.errors import TaggerError
from tagger.review import store_schema
from tagger.review.decision import Decision, LabelOperation

SEQS_PER_QUERY = 500  # (client, seq) looked up in one question; databases limit its length


def known_ids(
    connection: Connection, table: Table, sent: Sequence[Decision] | Sequence[LabelOperation]
) -> dict[tuple[str, int], int]:
    """The ids of those that are in the table already, by (client, seq)."""
    ids: dict[tuple[str, int], int] = {}
    for start in range(0, len(sent), SEQS_PER_QUERY):
        keys = [(one.client, one.seq) for one in sent[start : start + SEQS_PER_QUERY]]
        by_client: dict[str, list[int]] = {}
        for client, seq in keys:
            by_client.setdefault(client, []).append(seq)
        wanted = or_(
            *((table.c.client == client) & table.c.seq.in_(seqs) for client, seqs in by_client.items())
        )
        query = select(table.c.client, table.c.seq, table.c.id).where(wanted)
        ids |= {(row.client, row.seq): row.id for row in connection.execute(query)}
    return ids


def undone_id(connection: Connection, decision: Decision, ids: dict[tuple[str, int], int]) -> int | None:
    """The id that an undo takes back, found by its number if need be; TaggerError if there is no such decision."""
    if decision.verdict != "undo":
        return None
    table = store_schema.decisions.c
    if decision.undoes is None:
        found = ids.get((decision.client, decision.undoes_seq or 0))
        wanted = and_(table.client == decision.client, table.seq == decision.undoes_seq)
    else:
        found = None
        wanted = and_(table.id == decision.undoes)
    found = found or connection.execute(select(table.id).where(wanted)).scalar()
    if found is None:
        what = f"id {decision.undoes}" if decision.undoes is not None else f"number {decision.undoes_seq}"
        raise TaggerError(
            f"There is no decision with {what} to undo ({decision.label!r} of image {decision.hash})."
        )
    return found
