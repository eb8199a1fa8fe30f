"""Which suspects a reviewer may be asked now, in the queue's order."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN
from tagger.review.decision import Cell
from tagger.review.ledger import Ledger, Marks
from tagger.review.queue import Filter, audit_plan, ranked


class Selection:
    """The suspects of a table as filters and the ledger leave them."""

    def __init__(self, table: pd.DataFrame, ledger: Ledger, run: str):
        self._table, self._ledger = table, ledger
        self._hashes, self._labels = table["hash"].to_numpy(object), table["label"].to_numpy(object)
        self.audit_S, self._suspect_S = table["audit"].to_numpy(bool), ranked(table)
        self._plan, self._gaps = audit_plan(table, run)
        self._masks: dict[tuple[Any, ...], np.ndarray] = {}

    @property
    def open_S(self) -> np.ndarray:
        """Which suspects (bool) nobody decided; those that exist only for the audit are no suspects."""
        ledger = self._ledger
        return self._suspect_S & ~ledger.gone_S & ~ledger.disputed_S & (ledger.value_S == UNKNOWN)

    def forget(self) -> None:
        """Take the names of labels anew: the vocabulary has changed."""
        self._masks.clear()

    def lists(self, position: int) -> bool:
        """Whether it is a row of the table: neither a cell beside it nor from a longer list that a page still shows."""
        return 0 <= position < len(self.audit_S)

    def candidates(self, order: np.ndarray, marks: Marks, filter: Filter, has: Sequence[int]) -> np.ndarray:
        """The positions of ``order`` that match and are not among those the client ``has``."""
        ledger = self._ledger
        mask_S = self._mask(filter) & self._suspect_S & ~ledger.gone_S
        if filter.decided is not None:
            decided_S = ledger.value_S != UNKNOWN
            mask_S &= decided_S if filter.decided else ~(decided_S | ledger.disputed_S)
        if filter.reviewer is not None:
            mask_S &= ledger.marks(filter.reviewer).judged_S
        elif filter.decided is False:
            mask_S &= ~marks.judged_S
        mask_S[[position for position in has if self.lists(position)]] = False
        return order[mask_S[order]]

    def audits(self, marks: Marks, has: Sequence[int]) -> Iterable[tuple[int, int]]:
        """(position, cards before it) of the audit cells that this reviewer was not asked, those skipped last."""
        ask_S = ~(marks.judged_S | self._ledger.gone_S | self._ledger.disputed_S)
        ask_S[[position for position in has if self.lists(position)]] = False
        open_ = ask_S[self._plan]
        plan, gaps = self._plan[open_], self._gaps[open_]
        last = np.argsort(marks.skipped_S[plan], kind="stable")
        return zip(plan[last].tolist(), gaps[last].tolist(), strict=True)

    def cell(self, position: int) -> Cell:
        """(hash, current label) of a suspect."""
        label = self._labels[position]
        return self._hashes[position], self._ledger.vocabulary.resolve(label) or label

    def cells(self, positions: Iterable[tuple[int, bool]]) -> Iterator[tuple[int, Cell, bool]]:
        """(position, cell, blind) for each (position, blind)."""
        return ((position, self.cell(position), blind) for position, blind in positions)

    def _mask(self, filter: Filter) -> np.ndarray:
        key = filter.label, filter.direction, filter.signal, filter.text.casefold()
        if key not in self._masks:
            if len(self._masks) > 100:
                self._masks.clear()
            table, resolve = self._table, self._ledger.vocabulary.resolve
            mask_S = np.ones(len(table), bool)
            if filter.label is not None:
                wanted = [label for label in table["label"].unique() if resolve(label) == filter.label]
                mask_S &= table["label"].isin(wanted).to_numpy(bool)
            if filter.direction is not None:
                mask_S &= (table["direction"] == filter.direction).to_numpy(bool)
            if filter.signal is not None:
                mask_S &= (table["main_signal"] == filter.signal).to_numpy(bool)
            if key[-1]:
                mask_S &= np.fromiter((key[-1] in file.casefold() for file in table["file"]), bool, len(table))
            self._masks[key] = mask_S
        return self._masks[key]
