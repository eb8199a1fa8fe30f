"""State of each cell (verified, disputed, open), from the decisions on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tagger.review.decision import Cell, RecordedDecision
from tagger.review.disagreement import Decide, leave_open


@dataclass(frozen=True, kw_only=True)
class CellState:
    """What people said about a cell: the verified value, or why there is none."""

    value: int | None = None  # 0 or 1 once verified
    verdicts: dict[str, str] = field(
        default_factory=dict
    )  # reviewer -> "yes" | "no" | "unsure", the latest of each
    disputed: bool = False  # reviewers differ and nobody has settled it
    blind: bool = False  # verified, and only by blind verdicts
    last_id: int = 0  # of the last row about this cell, undos too

    @property
    def decided(self) -> bool:
        """Whether the cell is verified."""
        return self.value is not None


def effective_decisions(rows: Iterable[RecordedDecision]) -> list[RecordedDecision]:
    """The rows that count, in id order: neither undone nor an undo. An undo can be undone.

    >>> effective_decisions([])
    []
    """
    ordered = sorted(rows, key=lambda row: row.id)
    undone: set[int] = set()
    for row in reversed(
        ordered
    ):  # an undo stands after what it takes back, so it is known here whether it counts
        if row.verdict == "undo" and row.id not in undone and row.undoes is not None and row.undoes < row.id:
            undone.add(row.undoes)
    return [row for row in ordered if row.verdict != "undo" and row.id not in undone]


def resolve_verdicts(
    rows: Sequence[RecordedDecision], *, last_id: int = 0, decide: Decide = leave_open
) -> CellState:
    """The state of one cell from its effective rows in id order.

    Each reviewer's latest yes, no or unsure counts. A settling yes or no discards earlier
    verdicts; later verdicts count again. So the person who settled may change it, and a later objection of
    another reopens the question. ``decide`` may give a disputed cell a value; it stays ``disputed``.

    >>> resolve_verdicts([]).decided
    False
    """
    verdicts = {row.reviewer: row.verdict for row in rows if row.verdict != "skip"}
    votes = counting_votes(rows)
    values = {row.value for row in votes}
    disputed = len(values) > 1
    value = decide(votes) if disputed else next(iter(values), None)
    blind = value is not None and all(row.blind for row in votes)
    return CellState(value=value, verdicts=verdicts, disputed=disputed, blind=blind, last_id=last_id)


def counting_votes(rows: Sequence[RecordedDecision]) -> list[RecordedDecision]:
    """The yes and no of one cell that count, one of each reviewer, from its effective rows in id order.

    >>> counting_votes([])
    []
    """
    rows = [row for row in rows if row.verdict != "skip"]
    start = max((at for at, row in enumerate(rows) if row.settles and row.value is not None), default=0)
    latest = {row.reviewer: row for row in rows[start:]}
    return [row for row in latest.values() if row.value is not None]


def cell_states(rows: Iterable[RecordedDecision]) -> dict[Cell, CellState]:
    """The state of every cell that any row is about, by (hash, label) as recorded.

    All yes and no agree: verified. They differ: disputed, without a value, until a settling verdict.

    >>> row = RecordedDecision(id=1, time="", hash="a1", label="sea", verdict="yes", before=0, suggested=1,
    ...                        doubt=None, run="r", reviewer="ann", seconds=None, client="t", seq=1)
    >>> cell_states([row])["a1", "sea"].value
    1
    """
    rows = sorted(rows, key=lambda row: row.id)
    counted: dict[Cell, list[RecordedDecision]] = {}
    for row in effective_decisions(rows):
        counted.setdefault(row.cell, []).append(row)
    last: dict[Cell, int] = {}
    about: dict[int, Cell] = {}
    for row in rows:  # an undo is about the cell of what it takes back
        cell = about[row.id] = about.get(row.undoes or 0, row.cell)
        last[cell] = row.id
    return {cell: resolve_verdicts(counted.get(cell, ()), last_id=last_id) for cell, last_id in last.items()}
