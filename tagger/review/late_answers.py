"""Answers that come in from another store late: where there is a later one by its time, that one counts.

Ids decide what counts, and rows that come in get the last ids. So each late answer gets an undo row of its own
right behind it. Its key follows from that of the answer: two stores that merge each other write the same rows.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from tagger.review.cell_state import effective_decisions
from tagger.review.decision import RecordedDecision
from tagger.review.decision_log import DecisionLog, joined
from tagger.review.label_operations import vocabulary_after

LATE = "late-"  # clients of the undo rows
PLAIN = "plain-"  # clients of answers that settle nothing any more


@dataclass(frozen=True, kw_only=True)
class LateAnswer:
    """An answer that came in, and the later one that counts instead."""

    answer: RecordedDecision
    later: RecordedDecision
    last: bool  # nobody has a later answer of the same person


def late_answers(ours: DecisionLog, new: DecisionLog) -> list[LateAnswer]:
    """The new answers that must not count, since ours has later ones: of the same person, or that settle the cell.

    A new answer that settles a cell does not settle it any more if somebody objected later.

    >>> late_answers(DecisionLog(), DecisionLog())
    []
    """
    if not ours.decisions or not new.decisions:
        return []
    everything = joined(ours, new)
    cell_of = _Cells(everything)
    effective = effective_decisions(everything.decisions)
    first_new = new.decisions[0].id
    before: dict[Hashable, list[RecordedDecision]] = defaultdict(list)
    for row in effective:
        if row.id < first_new and row.verdict != "skip":
            before[cell_of(row)].append(row)
    latest = {(cell_of(row), row.reviewer): row for row in effective if row.verdict != "skip"}
    found = []
    for row in effective:
        if row.id >= first_new and row.verdict != "skip":
            later = next((one for one in before[cell_of(row)] if _outdates(one, row)), None)
            if later is not None:
                last = latest[cell_of(row), row.reviewer] is row
                found.append(LateAnswer(answer=row, later=later, last=last))
    return found


def late_rows(late: Iterable[LateAnswer], last_id: int) -> list[RecordedDecision]:
    """The rows to append: an undo of each late answer; and one that settled, again as a plain answer."""
    rows: list[RecordedDecision] = []
    for one in late:
        answer = one.answer
        undo = replace(
            answer, id=last_id + len(rows) + 1, time=one.later.time, verdict="undo", undoes=answer.id, blind=False,
            settles=False, source="import", client=_client(LATE, answer.client),
        )  # fmt: skip
        rows.append(undo)
        if answer.settles and one.last and one.later.reviewer != answer.reviewer and not one.later.settles:
            client = _client(PLAIN, answer.client)
            id = last_id + len(rows) + 1
            rows.append(replace(answer, id=id, settles=False, source="import", client=client))
    return rows


def _outdates(later: RecordedDecision, answer: RecordedDecision) -> bool:
    """Whether ``answer`` does not count beside ``later``, which the store had before."""
    if later.time <= answer.time:
        return False
    settles = later.settles and later.value is not None
    if later.reviewer == answer.reviewer:
        return later.verdict != answer.verdict or settles
    differs = None not in (later.value, answer.value) and later.value != answer.value
    return differs and (settles or answer.settles)


def _client(prefix: str, client: str) -> str:
    return prefix + hashlib.blake2b(client.encode("utf-8"), digest_size=12).hexdigest()


class _Cells:
    """The cell that a row is about: its photo, and its label whatever it was called."""

    def __init__(self, log: DecisionLog):
        self.vocabulary = vocabulary_after((), log.operations)

    def __call__(self, row: RecordedDecision) -> Hashable:
        node = self.vocabulary.node(row.label)
        return row.hash, row.label if node is None else node
