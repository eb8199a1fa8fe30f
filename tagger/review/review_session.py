"""Review session of one run: next cards, decisions, progress; shared by all threads of the app."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tagger.errors import TaggerError, did_you_mean
from tagger.review.candidate_selector import CandidateSelector
from tagger.review.card_builder import CardBuilder
from tagger.review.decision import Cell, Decision
from tagger.review.decision_index import DecisionIndex
from tagger.review.doubt_ranking import DoubtModel, DoubtRanking
from tagger.review.photo_finder import PhotoFilter, find_photos
from tagger.review.review_progress import progress
from tagger.review.review_queue import SuspectFilter, interleave_audit
from tagger.review.reviewed_run import ReviewedRun
from tagger.review.settled_cells import SettledCell
from tagger.review.settled_offers import SettledOffers
from tagger.review.store import Store
from tagger.review.views import Card, Disagreement, ImageView, ReviewProgress

LEASE_SECONDS = 90.0

WantedCell = tuple[int, Cell, bool]  # position, cell, whether it is asked blindly


class ReviewSession:
    """The review of one run, shared by all threads of an app. Decisions of other processes are taken in as
    they come.

    What is learnt from verdicts is up to the ``doubt_model``; it works in the background, and the queue then takes
    the new order. A card is held for a client for ``lease_seconds``.
    """

    def __init__(
        self,
        run: ReviewedRun,
        store: Store,
        *,
        doubt_model: DoubtModel | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ):
        run = replace(run, suspects=run.suspects.reset_index(drop=True))
        suspects = run.suspects
        self.store = store
        self._lease_seconds = lease_seconds
        self._card_builder = CardBuilder(run)
        given_S = suspects["given"].to_numpy(np.int8)
        cells = suspects["hash"].tolist(), suspects["label"].tolist(), given_S
        self._index = DecisionIndex(*cells, tuple(run.labels), self._card_builder.given)
        self._offers = SettledOffers(run, self._index, self._card_builder)
        self._selector = CandidateSelector(
            suspects, self._index, run.name, self._card_builder.copies, self._offers.positions
        )
        self._lock = threading.RLock()
        self._found: tuple[object, tuple[int, ...]] = (None, ())  # by the last filter
        self._ranking = DoubtRanking(suspects, doubt_model or DoubtModel(), teaches_S=run.teaches_S)
        self.poll()
        # maps hashes to rows: a second, for a million images
        threading.Thread(target=self._card_builder.row, args=("",), name="rows", daemon=True).start()

    @property
    def suspects(self) -> pd.DataFrame:
        """The table of suspects, with the run's names of labels."""
        return self._ranking.table

    @property
    def names(self) -> tuple[str, ...]:
        """The labels after all operations, in order."""
        return self._index.vocabulary.names

    def poll(self) -> int:
        """How many new decisions were taken in, of this and other processes; label operations too."""
        with self._lock:
            rows, last_operation = self.store.new_decisions(self._index.last_id)
            known = self._index.operations
            if last_operation != (known[-1].id if known else 0):
                self._index.set_operations(self.store.operations())
                self._selector.clear_masks()
            num_verdicts = self._index.ingest(rows)
            self._ranking.on_verdicts(num_verdicts, self._index.verdicts)
            return len(rows)

    def record(self, decisions: Sequence[Decision]) -> list[int]:
        """The ids of the decisions, on any cell of any image; they are written, and in force here."""
        ids = self.store.record(decisions)
        self.poll()
        return ids

    def next_cards(
        self,
        client: str,
        reviewer: str,
        filter: SuspectFilter | None = None,
        *,
        count: int,
        exclude: Iterable[int] = (),
    ) -> list[Card]:
        """The next cards, which nobody else gets while this client asks again in time.

        ``exclude``: positions already shown. Without a filter, about one in ten is a blind audit cell.
        """
        filter = filter or SuspectFilter()
        already_shown = list(exclude)
        with self._lock:
            wanted = self._wanted_cells(reviewer, filter, already_shown)
            undecided = filter.decided is False and not filter.disputed
            cards, num_gone = self._lease_cards(client, reviewer if undecided else None, wanted, count)
        if num_gone:  # others had decided them; we know of it now
            already_shown += [card.position for card in cards]
            return cards + self.next_cards(client, reviewer, filter, count=num_gone, exclude=already_shown)
        return cards

    def grid(
        self,
        client: str,
        reviewer: str,
        filter: SuspectFilter,
        *,
        after: int | None = None,
        count: int,
        exclude: Iterable[int] = (),
    ) -> list[Card]:
        """The next tiles of one label and direction, in the queue's order, from ``after`` (a position) on;
        leased.

        Cells of the audit slice are not among them: they are to be asked blindly.
        """
        if filter.label is None or filter.direction is None:
            raise TaggerError("A grid shows one label and one direction. Choose both.")
        exclude = list(exclude)
        self.poll()
        with self._lock:
            reviewer_state = self._index.reviewer_state(reviewer)
            order = self._selector.candidates(self._ranking.order, reviewer_state, filter, exclude)
            if filter.decided is False:
                order = order[~self._selector.audit_S[order]]
            if after is not None:
                order = order[self._ranking.rank_S[order] > self._ranking.rank_S[after]]
            tiles = self._selector.cells((position, False) for position in map(int, order))
            asked = reviewer if filter.decided is False else None
            cards, num_gone = self._lease_cards(client, asked, lambda others: tiles, count)
        if num_gone:
            shown = [*exclude, *(card.position for card in cards)]
            return cards + self.grid(client, reviewer, filter, after=after, count=num_gone, exclude=shown)
        return cards

    def stale(self, held: Iterable[tuple[int, str, int]]) -> list[int]:
        """Of (position, hash, seen), the positions of cards whose photo or its copies were decided after ``seen``."""
        with self._lock:
            since, index = self._card_builder.answered_since, self._index
            return [position for position, hash, seen in held if since(hash, seen, index)]

    def card(self, image_row: int, label: str) -> Card:
        """The card of any cell. TaggerError if there is no such image or label."""
        with self._lock:
            name = self._index.vocabulary.resolve(label)
            if name is None:
                raise TaggerError(f"There is no label {label!r}.{did_you_mean(label, self.names)}")
            row = self._card_builder.checked_row(image_row)
            position = self.position(self._card_builder.hashes[row], name)
            chosen = [(position, row, name, False)]
            return self._card_builder.cards(chosen, self._ranking.doubt_S, self._index)[0]

    def image(self, image_row: int) -> ImageView:
        """An image with all its labels and its history."""
        with self._lock:
            return self._card_builder.image(self._card_builder.checked_row(image_row), self._index)

    def row(self, hash: str) -> int | None:
        """The image row of a hash, or None."""
        return self._card_builder.row(hash)

    def position(self, hash: str, label: str) -> int:
        """The position of a cell in the suspects table, or a negative number of its own if it is not in it."""
        position = self._index.positions.get((hash, label))
        if position is not None:
            return position
        names = self.names
        return -1 - ((self._card_builder.row(hash) or 0) * len(names) + names.index(label))

    def find(self, filter: PhotoFilter) -> tuple[int, ...]:
        """The rows of the photos that a filter wants, in its order; all are looked through once for each change."""
        with self._lock:
            key = (filter, self._index.last_id, len(self._index.operations))
            if key != self._found[0]:
                builder = self._card_builder
                doubts = builder.largest_doubts(self._ranking.doubt_S, self._selector.open_S)
                rows = find_photos(builder, self._index, filter, doubts)
                self._found = key, tuple(rows.tolist())
            return self._found[1]

    def progress(self, reviewer: str) -> ReviewProgress:
        """How far the work is. ``found``: verified cells whose given label was wrong."""
        with self._lock:
            return progress(self._index, self._selector.open_S, reviewer)

    def disagreements(self) -> list[Disagreement]:
        """The disputed cells, the longest waiting first."""
        with self._lock:
            builder, index = self._card_builder, self._index
            cells = builder.disputed(index)
            return [builder.disagreement(cell, self.position(*cell), index) for cell in cells]

    def estimate_errors(self) -> Any:
        """How many errors are left and whether one may stop (``tagger.suspects.ErrorEstimate``)."""
        with self._lock:
            open_S = self._selector.open_S
            order = self._ranking.order
            doubt_S, verdicts = self.doubts()
        return self._ranking.estimate_errors(doubt_S, verdicts, order[open_S[order]])

    def doubts(self) -> tuple[np.ndarray, pd.DataFrame]:
        """The present doubt of every suspect, and the verdicts (``position``, ``wrong``, ``blind``)."""
        with self._lock:
            return self._ranking.doubt_S, self._index.verdicts()

    def settled(self) -> list[SettledCell]:
        """Cells that rules and groups settle by the answers so far: they are offered, and not asked."""
        with self._lock:
            return list(self._offers.cells())

    def current_name(self, label: str) -> str | None:
        """The present name of a label of the run, None where it was merged away."""
        return self._index.vocabulary.resolve(label)

    def wait(self) -> None:
        """Return when no refit is under way."""
        self._ranking.wait()

    def _wanted_cells(
        self, reviewer: str, filter: SuspectFilter, already_shown: Sequence[int]
    ) -> Callable[[set[Cell]], Iterator[WantedCell]]:
        """A function from the cells that others hold to the cells to ask this reviewer, in order."""
        if filter.disputed:
            found = self._card_builder.disputed(self._index, filter.label)
            disputed = [(self.position(*cell), cell, False) for cell in found]
            return lambda others: (one for one in disputed if one[0] not in already_shown)
        selector = self._selector
        reviewer_state = self._index.reviewer_state(reviewer)
        order = selector.candidates(self._ranking.order, reviewer_state, filter, already_shown)
        order = selector.postponed_last(order, reviewer_state, unjudged=self._ranking.preparing)
        audits = selector.audits(reviewer_state, already_shown) if filter == SuspectFilter() else []
        since_blind = reviewer_state.since_blind
        for position in already_shown:
            blind = selector.has_row(position) and selector.audit_S[position]
            since_blind = 0 if blind else since_blind + 1

        def wanted(others: set[Cell]) -> Iterator[WantedCell]:
            # cells of others are left out first: they must not count as cards between two blind ones
            ranked = (position for position in map(int, order) if selector.cell(position) not in others)
            free = (audit for audit in audits if selector.cell(audit[0]) not in others)
            return selector.cells(interleave_audit(ranked, free, since=since_blind))

        return wanted

    def _lease_cards(
        self,
        client: str,
        reviewer: str | None,
        wanted: Callable[[set[Cell]], Iterable[WantedCell]],
        count: int,
    ) -> tuple[list[Card], int]:
        """Cards of the first wanted cells that others do not hold, and how many more were decided meanwhile.

        ``wanted`` is told what the others hold. Without ``reviewer`` it does not matter whether a cell is
        decided.
        """
        seen: dict[Cell, tuple[int, bool]] = {}

        def offered(others: set[Cell]) -> Iterator[Cell]:
            for position, cell, blind in wanted(others):
                seen[cell] = position, blind
                yield cell

        cells = self.store.lease(client, offered, count=count, seconds=self._lease_seconds)
        self.poll()  # whoever decided a cell just before we got hold of it had written it by then
        index = self._index
        chosen = []
        for cell in cells:
            position, blind = seen[cell]
            name = index.vocabulary.resolve(cell[1])  # it may have got another name just now
            if name is None or (position >= 0 and index.obsolete_S[position]):
                continue
            state = index.states.get((cell[0], name))
            if reviewer is not None:
                judged = index.reviewer_state(reviewer).judged_S[position]
                if judged or (state and not blind and (state.decided or state.disputed)):
                    continue
            row = (
                self._card_builder.suspect(position)[0]
                if position >= 0
                else self._card_builder.row(cell[0]) or 0
            )
            chosen.append((position if position >= 0 else self.position(cell[0], name), row, name, blind))
        return self._card_builder.cards(chosen, self._ranking.doubt_S, self._index), len(cells) - len(chosen)
