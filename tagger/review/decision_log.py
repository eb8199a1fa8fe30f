"""The whole log of a store (decisions and label operations) as a value, and what is new in another one.

A row is known by its key, (client, seq): the same key is the same row in every store and every export. New rows
get ids after all that are there. So that the result does not depend on which store is merged into which, an
answer that comes in late does not count where there is a later one by its time (``late_answers.py``).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tagger.review.decision import RecordedDecision, RecordedOperation

Key = tuple[str, int]  # (client, seq)
Row = RecordedDecision | RecordedOperation
T = TypeVar("T")
TAKE_BACK = "take-back-"  # clients of undo rows that take back an import, or bring it back
COMPARED = {
    RecordedDecision: ("hash", "label", "verdict", "reviewer", "settles"),
    RecordedOperation: ("kind", "label", "target", "reviewer"),
}


@dataclass(frozen=True, kw_only=True)
class DecisionLog:
    """Decisions and operations, each in the order of their ids.

    ``outside``: the keys of undone rows that are not in the log themselves, by the negative id that stands for them.
    """

    decisions: tuple[RecordedDecision, ...] = ()
    operations: tuple[RecordedOperation, ...] = ()
    outside: dict[int, Key] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.decisions) + len(self.operations)

    def in_order(self) -> Iterator[Row]:
        """All rows in the one order of both: an operation stands after the decision that its ``after`` names."""
        places: list[tuple[int, int, int, Row]] = [(row.id, 0, 0, row) for row in self.decisions]
        places += [(row.after, 1, row.id, row) for row in self.operations]
        return (row for *_, row in sorted(places, key=lambda place: place[:3]))


@dataclass(frozen=True, kw_only=True)
class LogMerge:
    """What another log adds to ours: rows with our ids, and why others are left out."""

    new: DecisionLog
    known: tuple[Row, ...]  # theirs that we have
    differing: tuple[tuple[Row, Row], ...]  # (ours, theirs): the same key, but they say something else
    dangling: tuple[Row, ...]  # undo rows whose decision is nowhere
    not_taken_back: tuple[Row, ...]  # the other store took them back; here they stay


def key_of(row: Row) -> Key:
    """What a row is known by in every store."""
    return row.client, row.seq


def merge_logs(ours: DecisionLog, theirs: DecisionLog) -> LogMerge:
    """What ``theirs`` adds to ``ours``. Into an empty log everything comes with the ids that it has.

    >>> merge_logs(DecisionLog(), DecisionLog()).new
    DecisionLog(decisions=(), operations=(), outside={})
    """
    merging = _Merging(ours, keep_ids=not len(ours))
    for row in theirs.in_order():
        merging.add(row, theirs.outside)
    return merging.result()


class _Merging:
    """The state of a merge, row by row in their order."""

    def __init__(self, ours: DecisionLog, *, keep_ids: bool):
        self.keep_ids = keep_ids
        self.ours: dict[type, dict[Key, Row]] = {
            RecordedDecision: {key_of(row): row for row in ours.decisions},
            RecordedOperation: {key_of(row): row for row in ours.operations},
        }
        self.last = {
            RecordedDecision: max((row.id for row in ours.decisions), default=0),
            RecordedOperation: max((row.id for row in ours.operations), default=0),
        }
        self.take_backs = {
            kind: {row.id for row in rows.values() if row.client.startswith(TAKE_BACK)}
            for kind, rows in self.ours.items()
        }
        self.our_ids: dict[type, dict[int, int]] = {
            RecordedDecision: {},
            RecordedOperation: {},
        }  # of their ids
        self.new: dict[type, dict[int, Row]] = {RecordedDecision: {}, RecordedOperation: {}}
        self.known: list[Row] = []
        self.differing: list[tuple[Row, Row]] = []
        self.dangling: list[Row] = []
        self.not_taken_back: list[Row] = []

    def add(self, row: Row, outside: dict[int, Key]) -> None:
        """Take in the next row of theirs."""
        kind = type(row)
        mine = self.ours[kind].get(key_of(row))
        if mine is not None:
            self.our_ids[kind][row.id] = mine.id
            self.known.append(row)
            if any(getattr(mine, name) != getattr(row, name) for name in COMPARED[kind]):
                self.differing.append((mine, row))
            return
        undoes = self._undone(row, outside)
        if row.undoes is not None and undoes is None:
            skipped = self.not_taken_back if row.client.startswith(TAKE_BACK) else self.dangling
            skipped.append(row)
            return
        if row.client.startswith(TAKE_BACK) and not self._follows(kind, undoes):
            self.not_taken_back.append(row)
            return
        self._append(row, undoes)

    def _undone(self, row: Row, outside: dict[int, Key]) -> int | None:
        """Our id of what the row takes back."""
        kind = type(row)
        if row.undoes is None:
            return None
        if row.undoes in outside:
            found = self.ours[kind].get(outside[row.undoes])
            return None if found is None else found.id
        return self.our_ids[kind].get(row.undoes)

    def _follows(self, kind: type, undoes: int | None) -> bool:
        """Whether a taken back import is taken back here, too: it came in only now, or with an earlier take-back."""
        if undoes in self.new[kind]:
            return True
        return undoes in self.take_backs[kind]

    def _append(self, row: Row, undoes: int | None) -> None:
        kind = type(row)
        id = row.id if self.keep_ids else self.last[kind] + 1
        self.last[kind] = id
        if isinstance(row, RecordedOperation):
            after = row.after if self.keep_ids else self.last[RecordedDecision]
            added: Row = replace(row, id=id, undoes=undoes, after=after)
        else:
            added = replace(row, id=id, undoes=undoes, undoes_seq=None)
        self.our_ids[kind][row.id] = id
        self.new[kind][id] = added
        self.ours[kind][key_of(row)] = added

    def result(self) -> LogMerge:
        """What was found."""
        return LogMerge(
            new=DecisionLog(
                decisions=_of(RecordedDecision, self.new[RecordedDecision].values()),
                operations=_of(RecordedOperation, self.new[RecordedOperation].values()),
            ),
            known=tuple(self.known),
            differing=tuple(self.differing),
            dangling=tuple(self.dangling),
            not_taken_back=tuple(self.not_taken_back),
        )


def _of(kind: type[T], rows: Iterable[Row]) -> tuple[T, ...]:
    return tuple(row for row in rows if isinstance(row, kind))


def joined(ours: DecisionLog, new: DecisionLog) -> DecisionLog:
    """Our log with the new rows behind it."""
    return DecisionLog(
        decisions=(*ours.decisions, *new.decisions), operations=(*ours.operations, *new.operations)
    )


def undone_ids(rows: Sequence[Row]) -> set[int]:
    """The ids of rows (of one kind) that an undo in force takes back.

    >>> undone_ids([])
    set()
    """
    undone: set[int] = set()
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        if row.undoes is not None and row.id not in undone and row.undoes < row.id:
            undone.add(row.undoes)
    return undone
