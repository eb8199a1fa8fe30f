"""Cards and image views for the app: current labels, nearest images, history."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tagger.arrays import UNKNOWN, YES, Cells
from tagger.errors import TaggerError
from tagger.review.cell_replay import ReplayedCells, replay_decisions
from tagger.review.decision import Cell, RecordedDecision
from tagger.review.decision_index import DecisionIndex
from tagger.review.frame_strips import CellOfFrame, FrameStrips, run_about, shown_frames
from tagger.review.photo_copies import PhotoCopies
from tagger.review.reviewed_run import ReviewedRun
from tagger.review.views import Card, Disagreement, ImageView, LabelView, NeighbourView

BLIND_REASON = "Please check."
NUM_NEIGHBOURS = 12
ROWS_PER_BLOCK = 4096  # whose labels are made out at a time


class CardBuilder:
    """Cards and image views of a run. What people decided comes in as a ``DecisionIndex``."""

    def __init__(self, run: ReviewedRun, *, num_neighbours: int = NUM_NEIGHBOURS):
        suspects = run.suspects
        self.files = run.images["file"].to_numpy(object)
        self.hashes = run.images["hash"].to_numpy(object)
        self.copies = PhotoCopies(run.images)
        self.labels_NK = run.labels_NK
        self._probs_NK = run.probs_NK
        self._neighbours = run.neighbours
        self._num_neighbours = num_neighbours
        self._strips = FrameStrips(run.images)
        self._row_S = suspects["row"].to_numpy(np.int64)
        wanted = ("label", "given", "suggested", "direction", "reason", "main_signal")
        self._suspects = {name: suspects[name].to_numpy(object) for name in wanted}

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return dict(zip(self.hashes[::-1].tolist(), range(len(self.hashes) - 1, -1, -1), strict=True))

    def row(self, hash: str) -> int | None:
        """The first image with this hash, or None."""
        return self._row_of.get(hash)

    def checked_row(self, row: int) -> int:
        """The row. TaggerError if the run has no such image."""
        if not 0 <= row < len(self.files):
            raise TaggerError(f"There is no image {row}; the run has {len(self.files)}.")
        return row

    def given(self, hash: str) -> Cells | None:
        """The given cells (K) of the first image with this hash, or None."""
        row = self.row(hash)
        return None if row is None else self.labels_NK[row]

    def current_cells(
        self, rows: Sequence[int], log: Sequence[RecordedDecision], index: DecisionIndex
    ) -> ReplayedCells:
        """The cells of some images, in the current labels, after the rows of ``log``."""
        hashes = self.hashes[rows].tolist() if len(rows) else []
        return replay_decisions(hashes, self.labels_NK[rows], index.vocabulary, log)

    def cards(
        self, chosen: Sequence[tuple[int, int, str, bool]], doubt_S: np.ndarray, index: DecisionIndex
    ) -> list[Card]:
        """A card for each (position, row, label, blind), in that order."""
        near = {row: () if blind else self._nearest(row) for _, row, _, blind in chosen}
        spans = {row: () if blind else self._strips.span(row) for _, row, _, blind in chosen}
        others = (other for found in near.values() for other, _ in found)
        rows = sorted({*near, *others, *(other for span in spans.values() for other in span)})
        log = [row for hash in {*self.hashes[rows].tolist()} for row in index.history(hash)] if rows else []
        cells = self.current_cells(rows, log, index)
        at = {row: place for place, row in enumerate(rows)}
        names = np.array([*index.vocabulary.names, ""], object)[:-1]
        labels = {row: tuple(names[cells.values_NK[at[row]] == YES]) for row in rows}

        def card(position: int, row: int, label: str, blind: bool) -> Card:
            values = cells.values_NK[at[row]].tolist()
            sure = cells.verified_NK[at[row]].tolist()
            chips = tuple(zip(names, values, sure, strict=True))
            if blind:
                chips = tuple(
                    (name, UNKNOWN, False) if name == label else chip for chip in chips for name in chip[:1]
                )
            views = tuple(
                NeighbourView(row=other, file=self.files[other], similarity=similarity, labels=labels[other])
                for other, similarity in near[row]
            )
            suspect = (
                {name: column[position] for name, column in self._suspects.items()} if position >= 0 else {}
            )
            open_ = bool(suspect) and not blind
            column = list(names).index(label)
            cell_of = {
                other: CellOfFrame(
                    int(cells.values_NK[at[other], column]), bool(cells.verified_NK[at[other], column])
                )
                for other in spans[row]
            }
            return Card(
                position=position,
                row=row,
                file=self.files[row],
                hash=self.hashes[row],
                label=label,
                given=int(suspect["given"]) if suspect else int(self.given_cells(row, index)[column]),
                suggested=int(suspect["suggested"]) if open_ else None,
                direction=suspect["direction"] if open_ else None,
                reason=self._reason(position, row, index) if open_ else BLIND_REASON if blind else "",
                doubt=float(doubt_S[position]) if open_ else None,
                signal=suspect["main_signal"] if open_ else None,
                blind=blind,
                labels=chips,
                neighbours=() if blind else views,
                group=int(self.copies.group_N[row]),
                seen=index.last_id,
                frames=tuple(shown_frames(row, spans[row], cell_of, self.files)),
                run=tuple(run_about(row, spans[row], cell_of)),
            )

        return [card(*one) for one in chosen]

    def _reason(self, position: int, row: int, index: DecisionIndex) -> str:
        """The suspect's reason; where answers about the photo or its copies corrected what it says, these answers."""
        signal = self._suspects["main_signal"][position]
        names = index.vocabulary.names
        if signal in ("rules", "label_context"):
            about, told = "this photo", [(self.hashes[row], name) for name in names]
        elif signal == "duplicates":
            name = index.vocabulary.resolve(self._suspects["label"][position]) or ""
            copies = self.copies.hashes(row) if len(self.copies.hashes(row)) > 1 else ()
            about, told = "its copies", [(hash, name) for hash in copies if hash != self.hashes[row]]
        else:
            return str(self._suspects["reason"][position])
        corrected = [cell for cell in told if cell in index.found]
        values = {name: "yes" if index.states[hash, name].value == YES else "no" for hash, name in corrected}
        listed = ", ".join(f"`{name}` {value}" for name, value in values.items())
        return (
            f"Judged anew by the answers about {about}: {listed}"
            if listed
            else str(self._suspects["reason"][position])
        )

    def answered_since(self, hash: str, seen: int, index: DecisionIndex) -> bool:
        """Whether a decision after ``seen`` is about this photo or one that shows the same."""
        row = self.row(hash)
        return row is not None and any(index.last_id_of(one) > seen for one in self.copies.hashes(row))

    def suspect(self, position: int) -> tuple[int, str]:
        """Image row and label (the run's name) of a suspect."""
        return int(self._row_S[position]), self._suspects["label"][position]

    def given_cells(self, row: int, index: DecisionIndex) -> Cells:
        """The given cells of an image in the current labels, without any decision."""
        return self.current_cells([row], [], index).values_NK[0]

    def image(self, row: int, index: DecisionIndex) -> ImageView:
        """An image with all its labels and its history."""
        hash = self.hashes[row]
        log = index.history(hash)
        cells = self.current_cells([row], log, index)
        given = self.given_cells(row, index).tolist()
        views = []
        for at, name in enumerate(index.vocabulary.names):
            column = index.vocabulary.column(index.vocabulary.origin(name))
            prob = None if self._probs_NK is None or column is None else float(self._probs_NK[row, column])
            view = LabelView(
                name=name,
                given=given[at],
                current=int(cells.values_NK[0, at]),
                verified=bool(cells.verified_NK[0, at]),
                disputed=(hash, name) in index.disputed,
                probability=None if prob is None or np.isnan(prob) else prob,
            )
            views.append(view)
        return ImageView(row=row, file=self.files[row], hash=hash, labels=tuple(views), history=log)

    def probabilities(self, rows: Sequence[int], label: str, index: DecisionIndex) -> np.ndarray:
        """The run's probabilities of a label (R,); NaN where it has none, or for a label that it does not know."""
        column = (
            index.vocabulary.column(index.vocabulary.origin(label))
            if label in index.vocabulary.names
            else None
        )
        if self._probs_NK is None or column is None:
            return np.full(len(rows), np.nan)
        return self._probs_NK[rows, column]

    def disputed(self, index: DecisionIndex, label: str | None = None) -> list[Cell]:
        """The disputed cells of images in the run, of a label (None: any), the longest waiting first."""
        names = set(index.vocabulary.names) if label is None else {label} & set(index.vocabulary.names)
        cells = [cell for cell in index.disputed if cell[1] in names and self.row(cell[0]) is not None]
        return sorted(cells, key=lambda cell: index.states[cell].last_id)

    def disagreement(self, cell: Cell, position: int, index: DecisionIndex) -> Disagreement:
        """A cell on which reviewers differ, and who says what."""
        row = self.row(cell[0])
        return Disagreement(
            position=position,
            row=row,
            file=None if row is None else self.files[row],
            hash=cell[0],
            label=cell[1],
            verdicts=tuple(sorted(index.states[cell].verdicts.items())),
        )

    def largest_doubts(self, doubt_S: np.ndarray, open_S: np.ndarray) -> np.ndarray:
        """The largest doubt of an undecided label of each image (N,); 0 where none is doubted."""
        doubt_N = np.zeros(len(self.files))
        np.maximum.at(doubt_N, self._row_S[open_S], doubt_S[open_S])
        return doubt_N

    def _nearest(self, row: int) -> tuple[tuple[int, float], ...]:
        if self._neighbours is None:
            return ()
        index, similarity = (array[row, : self._num_neighbours].tolist() for array in self._neighbours)
        return tuple((other, score) for other, score in zip(index, similarity, strict=True) if other >= 0)
