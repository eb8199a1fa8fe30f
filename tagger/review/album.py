"""The images as the app shows them: labels as they are now, nearest images, history."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN, YES, Cells, Floats
from tagger.review.cards import Card, ImageView, LabelView, NeighbourView
from tagger.review.decision import Recorded
from tagger.review.ledger import Ledger
from tagger.review.replay import Replayed, replay

ASK = "Please check."
ROWS_AT_ONCE = 4096  # whose labels are made out at a time


class Album:
    """The images of a run and its suspects, turned into cards. What people decided comes in as a ledger."""

    def __init__(
        self,
        suspects: pd.DataFrame,
        images: pd.DataFrame,
        labels_NK: Cells,
        names: tuple[str, ...],
        neighbours: tuple[np.ndarray, Floats] | None,
        probs_NK: Floats | None,
        *,
        num_neighbours: int,
    ):
        self.files = images["file"].to_numpy(object)
        self.hashes = images["hash"].to_numpy(object)
        self.labels_NK, self.names, self._probs_NK = labels_NK, names, probs_NK
        self._neighbours, self._num_neighbours = neighbours, num_neighbours
        self._row_S = suspects["row"].to_numpy(np.int64)
        wanted = ("label", "given", "suggested", "direction", "reason", "main_signal")
        self._suspects = {name: suspects[name].to_numpy(object) for name in wanted}

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return dict(zip(self.hashes[::-1].tolist(), range(len(self.hashes) - 1, -1, -1), strict=True))

    def row(self, hash: str) -> int | None:
        """The first image with this hash, or None."""
        return self._row_of.get(hash)

    def given(self, hash: str) -> Cells | None:
        """The given cells (K) of the first image with this hash, or None."""
        row = self.row(hash)
        return None if row is None else self.labels_NK[row]

    def now(self, rows: Sequence[int], log: Sequence[Recorded], ledger: Ledger) -> Replayed:
        """The cells of some images, in the current labels, after the rows of ``log``."""
        hashes = self.hashes[rows].tolist() if len(rows) else []
        return replay(hashes, self.labels_NK[rows], ledger.vocabulary, log)

    def cards(self, chosen: Sequence[tuple[int, int, str, bool]], doubt_S: np.ndarray, ledger: Ledger) -> list[Card]:
        """A card for each (position, row, label, blind), in that order."""
        near = {row: () if blind else self._near(row) for _, row, _, blind in chosen}
        rows = sorted({*near, *(other for found in near.values() for other, _ in found)})
        log = [row for hash in {*self.hashes[rows].tolist()} for row in ledger.history(hash)] if rows else []
        cells, at = self.now(rows, log, ledger), {row: place for place, row in enumerate(rows)}
        names = np.array([*ledger.vocabulary.names, ""], object)[:-1]
        labels = {row: tuple(names[cells.values_NK[at[row]] == YES]) for row in rows}

        def card(position: int, row: int, label: str, blind: bool) -> Card:
            values, sure = cells.values_NK[at[row]].tolist(), cells.verified_NK[at[row]].tolist()
            chips = tuple(zip(names, values, sure, strict=True))
            if blind:
                chips = tuple((name, UNKNOWN, False) if name == label else chip for chip in chips for name in chip[:1])
            views = tuple(
                NeighbourView(row=other, file=self.files[other], similarity=similarity, labels=labels[other])
                for other, similarity in near[row]
            )
            told = {name: column[position] for name, column in self._suspects.items()} if position >= 0 else {}
            open_ = bool(told) and not blind
            column = list(names).index(label)
            return Card(
                position=position,
                row=row,
                file=self.files[row],
                hash=self.hashes[row],
                label=label,
                given=int(told["given"]) if told else int(self.given_now(row, ledger)[column]),
                suggested=int(told["suggested"]) if open_ else None,
                direction=told["direction"] if open_ else None,
                reason=told["reason"] if open_ else ASK if blind else "",
                doubt=float(doubt_S[position]) if open_ else None,
                signal=told["main_signal"] if open_ else None,
                blind=blind,
                labels=chips,
                neighbours=() if blind else views,
            )

        return [card(*one) for one in chosen]

    def suspect(self, position: int) -> tuple[int, str]:
        """Image row and label (the run's name) of a suspect."""
        return int(self._row_S[position]), self._suspects["label"][position]

    def given_now(self, row: int, ledger: Ledger) -> Cells:
        """The given cells of an image in the current labels, without any decision."""
        return self.now([row], [], ledger).values_NK[0]

    def image(self, row: int, ledger: Ledger) -> ImageView:
        """An image with all its labels and its history."""
        hash = self.hashes[row]
        log = ledger.history(hash)
        cells, given = self.now([row], log, ledger), self.given_now(row, ledger).tolist()
        views = []
        for at, name in enumerate(ledger.vocabulary.names):
            column = ledger.vocabulary.column(ledger.vocabulary.tree(name))
            prob = None if self._probs_NK is None or column is None else float(self._probs_NK[row, column])
            view = LabelView(
                name=name,
                given=given[at],
                current=int(cells.values_NK[0, at]),
                verified=bool(cells.verified_NK[0, at]),
                disputed=(hash, name) in ledger.disputed,
                probability=None if prob is None or np.isnan(prob) else prob,
            )
            views.append(view)
        return ImageView(row=row, file=self.files[row], hash=hash, labels=tuple(views), history=log)

    def search(self, text: str, limit: int) -> list[int]:
        """The rows of the first images whose file name holds ``text``, in any case; before them the one called so."""
        wanted = text.casefold()
        found = np.flatnonzero(self.files == text)[:1].tolist()
        for row, file in enumerate(self.files):
            if len(found) >= limit:
                break
            if wanted in file.casefold() and row not in found[:1]:
                found.append(row)
        return found

    def browse(self, label: str | None, ledger: Ledger, *, start: int, limit: int) -> list[int]:
        """The rows of images that have the label now (None: of all), from the ``start``-th of them on."""
        if label is None:
            return list(range(start, min(start + limit, len(self.files))))
        column, found = ledger.vocabulary.names.index(label), []
        for begin in range(0, len(self.files), ROWS_AT_ONCE):
            rows = range(begin, min(begin + ROWS_AT_ONCE, len(self.files)))
            log = [row for hash in {*self.hashes[rows].tolist()} for row in ledger.history(hash)]
            values_N = self.now(rows, log, ledger).values_NK[:, column]
            found += (np.flatnonzero(values_N == YES) + begin).tolist()
            if len(found) >= start + limit:
                break
        return found[start : start + limit]

    def _near(self, row: int) -> tuple[tuple[int, float], ...]:
        if self._neighbours is None:
            return ()
        index, similarity = (array[row, : self._num_neighbours].tolist() for array in self._neighbours)
        return tuple((other, score) for other, score in zip(index, similarity, strict=True) if other >= 0)
