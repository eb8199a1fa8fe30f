"""Suspects that a reviewer may be asked now, after filters and decisions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN, Indices
from tagger.review.decision import Cell
from tagger.review.decision_index import DecisionIndex, ReviewerState
from tagger.review.photo_copies import PhotoCopies
from tagger.review.review_queue import SuspectFilter, audit_plan, is_suspect


class CandidateSelector:
    """The suspects of a table that filters and decisions leave."""

    def __init__(
        self,
        table: pd.DataFrame,
        index: DecisionIndex,
        run: str,
        copies: PhotoCopies,
        settled: Callable[[], Indices],
    ):
        """``settled`` gives the positions that are offered instead of asked."""
        self._table = table
        self._index = index
        self._settled = settled
        self._hashes = table["hash"].to_numpy(object)
        self._labels = table["label"].to_numpy(object)
        self._group_S = copies.group_N[table["row"].to_numpy()]
        self.audit_S = table["audit"].to_numpy(bool)
        self._suspect_S = is_suspect(table)
        self._audit_positions, self._cards_before_audit = audit_plan(table, run)
        self._masks: dict[tuple[Any, ...], np.ndarray] = {}

    @property
    def open_S(self) -> np.ndarray:
        """Which suspects (bool) nobody decided; those that exist only for the audit are no suspects."""
        index = self._index
        return self._suspect_S & ~index.obsolete_S & ~index.disputed_S & (index.value_S == UNKNOWN)

    def clear_masks(self) -> None:
        """Take the names of labels anew: the vocabulary has changed."""
        self._masks.clear()

    def has_row(self, position: int) -> bool:
        """Whether it is a row of the table: neither a cell beside it nor from a longer list that a page still shows."""
        return 0 <= position < len(self.audit_S)

    def candidates(
        self,
        order: np.ndarray,
        reviewer_state: ReviewerState,
        filter: SuspectFilter,
        already_shown: Sequence[int],
    ) -> np.ndarray:
        """The positions of ``order`` that match, and are neither ``already_shown`` nor settled by answers."""
        index = self._index
        mask_S = self._mask(filter) & self._suspect_S & ~index.obsolete_S
        if filter.decided is not None:
            decided_S = index.value_S != UNKNOWN
            mask_S &= decided_S if filter.decided else ~(decided_S | index.disputed_S)
            mask_S[self._settled()] = False
        if filter.reviewer is not None:
            mask_S &= index.reviewer_state(filter.reviewer).judged_S
        elif filter.decided is False:
            mask_S &= ~reviewer_state.judged_S
        mask_S[[position for position in already_shown if self.has_row(position)]] = False
        return order[mask_S[order]]

    def postponed_last(
        self, order: np.ndarray, reviewer_state: ReviewerState, *, unjudged: bool
    ) -> np.ndarray:
        """The positions of ``order``, those that the reviewer skipped at its end.

        ``unjudged``: also those on answered photos and on their copies, as their doubts do not know of the answers yet.
        """
        last_S = reviewer_state.skipped_S
        if unjudged:
            answered = np.unique(self._group_S[self._index.value_S != UNKNOWN])
            last_S = last_S | np.isin(self._group_S, answered)
        last = last_S[order]
        return np.concatenate([order[~last], order[last]]) if last.any() else order

    def audits(
        self, reviewer_state: ReviewerState, already_shown: Sequence[int]
    ) -> Iterable[tuple[int, int]]:
        """(position, cards before it) of the audit cells that this reviewer was not asked, those skipped last."""
        ask_S = ~(reviewer_state.judged_S | self._index.obsolete_S | self._index.disputed_S)
        ask_S[[position for position in already_shown if self.has_row(position)]] = False
        open_ = ask_S[self._audit_positions]
        plan = self._audit_positions[open_]
        gaps = self._cards_before_audit[open_]
        last = np.argsort(reviewer_state.skipped_S[plan], kind="stable")
        return zip(plan[last].tolist(), gaps[last].tolist(), strict=True)

    def cell(self, position: int) -> Cell:
        """(hash, current label) of a suspect."""
        label = self._labels[position]
        return self._hashes[position], self._index.vocabulary.resolve(label) or label

    def cells(self, positions: Iterable[tuple[int, bool]]) -> Iterator[tuple[int, Cell, bool]]:
        """(position, cell, blind) for each (position, blind)."""
        return ((position, self.cell(position), blind) for position, blind in positions)

    def _mask(self, filter: SuspectFilter) -> np.ndarray:
        key = filter.label, filter.direction, filter.signal, filter.text.casefold()
        if key not in self._masks:
            if len(self._masks) > 100:
                self._masks.clear()
            table = self._table
            resolve = self._index.vocabulary.resolve
            mask_S = np.ones(len(table), bool)
            if filter.label is not None:
                wanted = [label for label in table["label"].unique() if resolve(label) == filter.label]
                mask_S &= table["label"].isin(wanted).to_numpy(bool)
            if filter.direction is not None:
                mask_S &= (table["direction"] == filter.direction).to_numpy(bool)
            if filter.signal is not None:
                mask_S &= (table["main_signal"] == filter.signal).to_numpy(bool)
            if key[-1]:
                mask_S &= np.fromiter(
                    (key[-1] in file.casefold() for file in table["file"]), bool, len(table)
                )
            self._masks[key] = mask_S
        return self._masks[key]
