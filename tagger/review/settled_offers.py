"""Cells that people's answers settle in a run under review; worked out again when there are new decisions."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN
from tagger.review.card_builder import CardBuilder
from tagger.review.decision_index import DecisionIndex
from tagger.review.reviewed_run import ReviewedRun
from tagger.review.settled_cells import SettledCell, Settling, settled_cells


class SettledOffers:
    """The cells to offer, and which suspects are therefore not asked."""

    def __init__(self, run: ReviewedRun, index: DecisionIndex, builder: CardBuilder):
        self._run = run
        self._index = index
        self._builder = builder
        self._known: tuple[int, int] | None = None
        self._cells: list[SettledCell] = []

    def cells(self) -> list[SettledCell]:
        """The cells that follow from the answers so far, and that nobody has judged."""
        index = self._index
        state = index.last_id, len(index.operations)
        if state != self._known and (self._run.rules or self._run.groups):
            settling = Settling(self._run.rules, self._run.groups, index.vocabulary.resolve)
            self._cells = settled_cells(settling, self._answers(), self._given, self._is_open)
            self._known = state
        return self._cells

    def positions(self) -> NDArray[np.int64]:
        """The suspects among them."""
        found = [self._index.positions.get((cell.hash, cell.label), -1) for cell in self.cells()]
        return np.array([position for position in found if position >= 0], np.int64)

    def _answers(self) -> dict[str, dict[str, int]]:
        answers: dict[str, dict[str, int]] = {}
        for (hash, label), state in self._index.states.items():
            if state.value is not None and not state.disputed:
                answers.setdefault(hash, {})[label] = state.value
        return answers

    def _given(self, hash: str) -> Mapping[str, int]:
        """The values of an image by label, without those that people judged; nothing where it is not in the run."""
        row = self._builder.row(hash)
        if row is None:
            return {}
        names = self._index.vocabulary.names
        values = self._builder.given_cells(row, self._index).tolist()
        states = self._index.states
        judged = [(state := states.get((hash, name))) and (state.decided or state.disputed) for name in names]
        return {name: value for name, value, done in zip(names, values, judged, strict=True) if not done}

    def _is_open(self, hash: str, label: str) -> bool:
        position = self._index.positions.get((hash, label))
        return position is not None and bool(self._index.value_S[position] == UNKNOWN)
