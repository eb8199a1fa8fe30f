"""Index of all decisions by suspect and cell, updated row by row."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN, Cells
from tagger.review.cell_replay import origin_at, replay_decisions
from tagger.review.cell_state import CellState, effective_decisions, resolve_verdicts
from tagger.review.decision import Cell, RecordedDecision, RecordedOperation
from tagger.review.label_operations import vocabulary_after


@dataclass
class ReviewerState:
    """What one reviewer did with the suspects: judged yes, no or unsure; skipped; cards since the last blind one."""

    judged_S: np.ndarray
    skipped_S: np.ndarray
    since_blind: int = 0
    cells: set[Cell] = field(default_factory=set)  # all that the reviewer judged yes or no, suspects or not


class DecisionIndex:
    """The state of all suspects S and of every other cell that was decided. Not for several threads at once."""

    def __init__(
        self,
        hashes: Sequence[str],
        labels: Sequence[str],
        given_S: Cells,
        names: tuple[str, ...],
        given: Callable[[str], Cells | None],
    ):
        """``hashes``, ``labels``, ``given_S`` of the suspects; ``given`` finds the given cells (K) of a hash."""
        self.hashes = hashes
        self.labels = labels
        self.given_S = given_S
        self._run_labels = names
        self._given_cells = given
        self.label_code_S, self.label_names = pd.factorize(
            np.asarray(labels, object)
        )  # labels as numbers, and their names
        self.last_id = 0
        self._rows: dict[str, list[RecordedDecision]] = {}
        self.set_operations(())

    def set_operations(self, operations: Sequence[RecordedOperation]) -> None:
        """Take the vocabulary from these operations on; everything is worked out anew."""
        self.operations, self.vocabulary = tuple(operations), vocabulary_after(self._run_labels, operations)
        size = len(self.hashes)
        current = {name: self.vocabulary.resolve(name) for name in set(self.labels)}
        self.positions: dict[Cell, int] = {}
        self.obsolete_S = np.zeros(
            size, bool
        )  # its label was merged away, or an equal image has the same cell above
        for position, (hash, label) in enumerate(zip(self.hashes, self.labels, strict=True)):
            name = current[label]
            node = self.vocabulary.node(label)
            merged = name is None or self.vocabulary.node(name) != node
            if merged or self.positions.setdefault((hash, name or ""), position) != position:
                self.obsolete_S[position] = True
        self.value_S = np.full(size, UNKNOWN, np.int8)  # the verified value
        self.disputed_S = np.zeros(size, bool)
        self.blind_S = np.zeros(size, bool)
        self.states: dict[Cell, CellState] = {}
        self.found: set[Cell] = set()  # verified cells whose given label was wrong
        self.disputed: set[Cell] = set()
        self.num_decided: Counter[str] = Counter()
        self.num_found: Counter[str] = Counter()
        self._reviewer_states: dict[str, ReviewerState] = {}
        rows = [row for about in self._rows.values() for row in about]
        self._rows = {}
        self.ingest(sorted(rows, key=lambda row: row.id))

    def ingest(self, rows: Iterable[RecordedDecision]) -> int:
        """How many yes and no were among the new rows; they are in force now. Rows known already do nothing."""
        touched: dict[Cell, None] = {}
        num_verdicts = 0
        for row in rows:
            about = self._rows.setdefault(row.hash, [])
            if about and row.id <= about[-1].id:
                continue
            about.append(row)
            self.last_id = max(self.last_id, row.id)
            num_verdicts += row.value is not None
            if row.verdict != "undo" and row.source == "card":
                reviewer_state = self.reviewer_state(row.reviewer)
                reviewer_state.since_blind = 0 if row.blind else reviewer_state.since_blind + 1
            if row.verdict == "undo":
                touched |= dict.fromkeys(self._cell(one) for one in about)
            else:
                touched[self._cell(row)] = None
        for cell in touched:
            self._update(cell)
        return num_verdicts

    def reviewer_state(self, reviewer: str) -> ReviewerState:
        """What this reviewer did."""
        if reviewer not in self._reviewer_states:
            size = len(self.hashes)
            self._reviewer_states[reviewer] = ReviewerState(np.zeros(size, bool), np.zeros(size, bool))
        return self._reviewer_states[reviewer]

    def history(self, hash: str) -> tuple[RecordedDecision, ...]:
        """The rows about one image, in order."""
        return tuple(self._rows.get(hash, ()))

    def last_id_of(self, hash: str) -> int:
        """The id of the last row about one image, 0 where there is none."""
        rows = self._rows.get(hash)
        return rows[-1].id if rows else 0

    def verdicts(self) -> pd.DataFrame:
        """The verified suspects: position, wrong (the given label was), blind."""
        positions = np.flatnonzero(self.value_S != UNKNOWN)
        wrong = self.value_S[positions] != self.given_S[positions]
        return pd.DataFrame({"position": positions, "wrong": wrong, "blind": self.blind_S[positions]})

    def _cell(self, row: RecordedDecision) -> Cell:
        return row.hash, self.vocabulary.resolve(row.label) or row.label

    def _update(self, cell: Cell) -> None:
        hash, name = cell
        about = [row for row in self._rows[hash] if self._cell(row) == cell]
        rows = [row for row in effective_decisions(self._rows[hash]) if self._cell(row) == cell]
        last_id = about[-1].id if about else 0
        counting = rows
        state = resolve_verdicts(rows, last_id=last_id)
        if name in self.vocabulary.names and (origin := self.vocabulary.origin(name)).parts:
            counting = [
                row
                for row in rows
                if origin_at(origin, self.vocabulary.node(row.label) or 0, row.id) is origin
            ]
            state = self._merged(cell, resolve_verdicts(counting, last_id=last_id))
        self._update_counts(cell, state, rows)
        position = self.positions.get(cell)
        latest = {row.reviewer: row.verdict for row in counting}
        for reviewer in {*self._reviewer_states, *latest}:
            reviewer_state = self.reviewer_state(reviewer)
            (
                reviewer_state.cells.add
                if state.verdicts.get(reviewer) in ("yes", "no")
                else reviewer_state.cells.discard
            )(cell)
            if position is not None:
                reviewer_state.judged_S[position] = reviewer in state.verdicts
                reviewer_state.skipped_S[position] = latest.get(reviewer) == "skip"
        if position is not None:
            self.value_S[position] = UNKNOWN if state.value is None else state.value
            self.disputed_S[position], self.blind_S[position] = state.disputed, state.blind

    def _merged(self, cell: Cell, state: CellState) -> CellState:
        """Before anybody judges a merged cell, what was verified about its parts may verify it."""
        given = self._given_cells(cell[0])
        if state.decided or state.disputed or given is None:
            return state
        done = replay_decisions([cell[0]], given[None], self.vocabulary, self._rows[cell[0]])
        at = self.vocabulary.names.index(cell[1])
        if not done.verified_NK[0, at]:
            return state
        return replace(state, value=int(done.values_NK[0, at]), blind=bool(done.blind_NK[0, at]))

    def _update_counts(self, cell: Cell, state: CellState, rows: Sequence[RecordedDecision]) -> None:
        before = self.states.get(cell, CellState())
        self.states[cell] = state
        self.num_decided[cell[1]] += state.decided - before.decided
        given = next(
            (row.before for row in rows if row.value is not None), UNKNOWN
        )  # also from before this run
        wrong = state.decided and given not in (UNKNOWN, state.value)
        self.num_found[cell[1]] += wrong - (cell in self.found)
        (self.found.add if wrong else self.found.discard)(cell)
        (self.disputed.add if state.disputed else self.disputed.discard)(cell)
