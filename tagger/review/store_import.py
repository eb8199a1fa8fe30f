"""Import of a log into a store: one transaction, one step that can be taken back and brought back.

What an import brought is a range of ids, kept as a note of the store. To take it back is to append an undo row
for each of its rows; nothing is ever deleted.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text

from tagger.errors import TaggerError
from tagger.review import store_schema
from tagger.review.decision import RecordedDecision, RecordedOperation
from tagger.review.decision_log import TAKE_BACK, DecisionLog, LogMerge, Row, joined, merge_logs
from tagger.review.late_answers import LateAnswer, late_answers, late_rows
from tagger.review.store import Store

NOTE = "import "  # keys of the notes: "import 1", "import 2"
ROWS_PER_STATEMENT = 1000


@dataclass(frozen=True, kw_only=True)
class ImportRecord:
    """One import into a store."""

    number: int
    time: str
    kind: str  # "import", "merge" or "verified"
    source: str  # the file or the store, as it was named
    reviewer: str  # who did it
    decisions: tuple[int, int]  # the first and the last id; the last is smaller where there are none
    operations: tuple[int, int]
    taken_back: str = ""  # the client of the undo rows, while it is taken back

    @property
    def num_decisions(self) -> int:
        """How many ids it took."""
        return self.decisions[1] - self.decisions[0] + 1


@dataclass(frozen=True, kw_only=True)
class PlannedImport:
    """What an import would append: the merge, the late answers, and our log after it."""

    ours: DecisionLog
    merge: LogMerge
    late: tuple[LateAnswer, ...]
    new: DecisionLog  # the new rows, with the undo rows of late answers

    @property
    def after(self) -> DecisionLog:
        """Our log as it would be."""
        return joined(self.ours, self.new)


def plan_import(ours: DecisionLog, theirs: DecisionLog) -> PlannedImport:
    """What an import of ``theirs`` would append.

    >>> len(plan_import(DecisionLog(), DecisionLog()).new)
    0
    """
    merge = merge_logs(ours, theirs)
    late = late_answers(ours, merge.new)
    last = max((row.id for row in (*ours.decisions, *merge.new.decisions)), default=0)
    decisions = (*merge.new.decisions, *late_rows(late, last))
    new = DecisionLog(decisions=decisions, operations=merge.new.operations)
    return PlannedImport(ours=ours, merge=merge, late=tuple(late), new=new)


def read_log(store: Store) -> DecisionLog:
    """All that is in a store."""
    with store.reading() as connection:
        return _read_log(connection)


def import_log(
    store: Store, theirs: DecisionLog, *, kind: str, source: str, reviewer: str
) -> tuple[PlannedImport, ImportRecord | None]:
    """What was appended, in one transaction; and its record, None where nothing was new."""
    with store.writing() as connection:
        plan = plan_import(_read_log(connection), theirs)
        if not len(plan.new):
            return plan, None
        _insert(connection, plan.new)
        record = ImportRecord(
            number=len(_records(connection)) + 1, time=_now(), kind=kind, source=source, reviewer=reviewer,
            decisions=_range(plan.new.decisions), operations=_range(plan.new.operations),
        )  # fmt: skip
        _save_record(connection, record, new=True)
        return plan, record


def import_records(store: Store) -> list[ImportRecord]:
    """All imports, the first one first."""
    with store.reading() as connection:
        return _records(connection)


def take_back_import(store: Store, number: int | None, reviewer: str) -> ImportRecord:
    """Append an undo row for each row of an import (None: the last one in force); TaggerError if there is none."""
    with store.writing() as connection:
        record = _chosen(_records(connection), number, taken_back=False)
        log = _read_log(connection)
        rows = [row for row in log.decisions if _within(row, record.decisions)]
        operations = [row for row in log.operations if _within(row, record.operations)]
        client = _append_undos(connection, log, rows, operations, reviewer)
        record = replace(record, taken_back=client)
        _save_record(connection, record)
        return record


def bring_back_import(store: Store, number: int | None, reviewer: str) -> ImportRecord:
    """Undo the undo rows of an import that was taken back (None: the last one); TaggerError if there is none."""
    with store.writing() as connection:
        record = _chosen(_records(connection), number, taken_back=True)
        log = _read_log(connection)
        rows = [row for row in log.decisions if row.client == record.taken_back]
        operations = [row for row in log.operations if row.client == record.taken_back]
        _append_undos(connection, log, rows, operations, reviewer)
        record = replace(record, taken_back="")
        _save_record(connection, record)
        return record


def _read_log(connection: Connection) -> DecisionLog:
    decisions = connection.execute(select(store_schema.decisions).order_by(store_schema.decisions.c.id))
    operations = connection.execute(select(store_schema.operations).order_by(store_schema.operations.c.id))
    return DecisionLog(
        decisions=tuple(RecordedDecision(**row) for row in decisions.mappings()),
        operations=tuple(RecordedOperation(**row) for row in operations.mappings()),
    )


def _insert(connection: Connection, log: DecisionLog) -> None:
    """Insert rows with the ids that they have, and let the database count on from there."""
    decisions = [_values(row) for row in log.decisions]
    for row in decisions:
        del row["undoes_seq"]
    for table, rows in (
        (store_schema.decisions, decisions),
        (store_schema.operations, [_values(row) for row in log.operations]),
    ):
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            connection.execute(insert(table), rows[start : start + ROWS_PER_STATEMENT])
        if rows and connection.dialect.name == "postgresql":
            _advance_sequence(connection, table)


def _values(row: Row) -> dict[str, Any]:
    return dict(vars(row))


def _advance_sequence(connection: Connection, table: Table) -> None:
    """PostgreSQL counts in a sequence, which ids that are given do not move."""
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}
    ).scalar()
    connection.execute(
        text(
            f"SELECT setval('{sequence}', GREATEST((SELECT max(id) FROM {table.name}), nextval('{sequence}')))"
        )
    )


def _append_undos(
    connection: Connection,
    log: DecisionLog,
    rows: Sequence[RecordedDecision],
    operations: Sequence[RecordedOperation],
    reviewer: str,
) -> str:
    """Append an undo of each row; the client that they have."""
    client = f"{TAKE_BACK}{token_hex(8)}"
    time = _now()
    last = max((row.id for row in log.decisions), default=0)
    decisions = [
        replace(
            row, id=last + n, time=time, verdict="undo", undoes=row.id, reviewer=reviewer, client=client, seq=n,
            blind=False, settles=False, source="import", seconds=None,
        )
        for n, row in enumerate(rows, 1)
    ]  # fmt: skip
    last_operation = max((row.id for row in log.operations), default=0)
    undone = [
        replace(
            row, id=last_operation + n, time=time, kind="undo", target=None, undoes=row.id, reviewer=reviewer,
            client=client, seq=n, after=last + len(decisions),
        )
        for n, row in enumerate(operations, 1)
    ]  # fmt: skip
    _insert(connection, DecisionLog(decisions=tuple(decisions), operations=tuple(undone)))
    return client


def _chosen(records: Sequence[ImportRecord], number: int | None, *, taken_back: bool) -> ImportRecord:
    """The import of this number, or the last one that is (not) taken back; TaggerError if there is none such."""
    state = "taken back" if taken_back else "in force"
    if number is None:
        found = [record for record in records if bool(record.taken_back) == taken_back]
        if not found:
            raise TaggerError(f"There is no import that is {state}. See: tagger decisions history")
        return found[-1]
    if not 1 <= number <= len(records):
        raise TaggerError(f"There is no import {number}. See: tagger decisions history")
    record = records[number - 1]
    if bool(record.taken_back) != taken_back:
        other = "undo" if taken_back else "redo"
        raise TaggerError(
            f"Import {number} is not {state}. The other way round: tagger decisions {other} {number}"
        )
    return record


def _within(row: Row, ids: tuple[int, int]) -> bool:
    return ids[0] <= row.id <= ids[1]


def _range(rows: Sequence[Row]) -> tuple[int, int]:
    return (rows[0].id, rows[-1].id) if rows else (1, 0)


def _records(connection: Connection) -> list[ImportRecord]:
    notes = store_schema.notes.c
    found = connection.execute(select(notes.value).where(notes.key.like(f"{NOTE}%")))
    values = [json.loads(value) for (value,) in found]
    records = [
        ImportRecord(
            **(value | {"decisions": tuple(value["decisions"]), "operations": tuple(value["operations"])})
        )
        for value in values
    ]
    return sorted(records, key=lambda record: record.number)


def _save_record(connection: Connection, record: ImportRecord, *, new: bool = False) -> None:
    notes = store_schema.notes
    value = json.dumps(asdict(record), ensure_ascii=False)
    if new:
        connection.execute(insert(notes).values(key=f"{NOTE}{record.number}", value=value))
    else:
        connection.execute(notes.update().where(notes.c.key == f"{NOTE}{record.number}").values(value=value))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
