"""Everything the app needs to know, in one object for all its sessions: what to ask, what is known, how far it is."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats
from tagger.errors import TaggerError, did_you_mean
from tagger.review.album import Album
from tagger.review.cards import Card, Disagreement, ImageView, Progress
from tagger.review.decision import Cell, Decision
from tagger.review.ledger import Ledger
from tagger.review.progress import progress
from tagger.review.queue import Filter, mix
from tagger.review.ranking import Ranking
from tagger.review.selection import Selection
from tagger.review.store import Store

LEASE_SECONDS = 90.0
NUM_NEIGHBOURS = 12


class Desk:
    """The review of one run, shared by all threads of an app. Decisions of other processes are taken in as they come.

    ``suspects``, ``images``, ``labels_NK``, ``names`` and ``neighbours`` (index_NM, similarity_NM; or None) are the
    run's, ``probs_NK`` its out-of-fold probabilities. After every ``refit_every`` verdicts the doubts are learnt anew
    in the background and the queue takes the new order. ``learn``, ``estimate``: of ``tagger.suspects`` unless given.
    ``reconsider``: see ``Ranking``.
    """

    def __init__(
        self,
        suspects: pd.DataFrame,
        images: pd.DataFrame,
        labels_NK: Cells,
        names: Sequence[str],
        neighbours: tuple[np.ndarray, Floats] | None,
        store: Store,
        *,
        run: str,
        refit_every: int = 20,
        probs_NK: Floats | None = None,
        learn: Callable[..., np.ndarray] | None = None,
        estimate: Callable[..., Any] | None = None,
        reconsider: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame] | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ):
        self.run, self.store, self._lease_seconds = run, store, lease_seconds
        self._table = suspects = suspects.reset_index(drop=True)
        tables = suspects, images, labels_NK, tuple(names), neighbours, probs_NK
        self._album = Album(*tables, num_neighbours=NUM_NEIGHBOURS)
        given_S = suspects["given"].to_numpy(np.int8)
        cells = suspects["hash"].tolist(), suspects["label"].tolist(), given_S
        self._ledger = Ledger(*cells, tuple(names), self._album.given)
        self._selection = Selection(suspects, self._ledger, run)
        self._lock = threading.RLock()
        self._ranking = Ranking(
            suspects, refit_every=refit_every, learn=learn, estimate=estimate, reconsider=reconsider
        )
        self.poll()
        threading.Thread(
            target=self._album.row, args=("",), name="rows", daemon=True
        ).start()  # a second, for a million

    @property
    def names(self) -> tuple[str, ...]:
        """The labels after all operations, in order."""
        return self._ledger.vocabulary.names

    def poll(self) -> int:
        """How many new decisions were taken in, of this and other processes; label operations too."""
        with self._lock:
            rows, last_operation = self.store.news(self._ledger.last_id)
            known = self._ledger.operations
            if last_operation != (known[-1].id if known else 0):
                self._ledger.adopt(self.store.operations())
                self._selection.forget()
            num_verdicts = self._ledger.take_in(rows)
            self._ranking.heed(num_verdicts, self._ledger.verdicts)
            return len(rows)

    def record(self, decisions: Sequence[Decision]) -> list[int]:
        """The ids of the decisions, on any cell of any image; they are written, and in force here."""
        ids = self.store.record(decisions)
        self.poll()
        return ids

    def next_cards(
        self, client: str, reviewer: str, filter: Filter | None = None, *, count: int, exclude: Iterable[int] = ()
    ) -> list[Card]:
        """The next cards, which nobody else gets while this client asks again in time. ``exclude``: positions it has.

        Without a filter, about one in ten is a blind one of the audit slice.
        """
        filter, has = filter or Filter(), list(exclude)
        with self._lock:
            marks = self._ledger.marks(reviewer)
            order = self._selection.candidates(self._ranking.order, marks, filter, has)
            skipped = marks.skipped_S[order]
            order = np.concatenate([order[~skipped], order[skipped]]) if skipped.any() else order
            audits, since = self._selection.audits(marks, has) if filter == Filter() else [], marks.since_blind
            for position in has:
                since = 0 if self._selection.lists(position) and self._selection.audit_S[position] else since + 1

            def wanted(others: set[Cell]) -> Iterator[tuple[int, Cell, bool]]:
                if filter.disputed:
                    disputed = ((self.position(*cell), cell, False) for cell in self._disputed(filter))
                    return (one for one in disputed if one[0] not in has)
                # what cannot be had must not count as a card between two blind ones
                ranked = (position for position in map(int, order) if self._selection.cell(position) not in others)
                free = (audit for audit in audits if self._selection.cell(audit[0]) not in others)
                return self._selection.cells(mix(ranked, free, since=since))

            undecided = filter.decided is False and not filter.disputed
            cards, num_gone = self._hand_out(client, reviewer if undecided else None, wanted, count)
        if num_gone:  # somebody else had decided them; now we know of it
            return cards + self.next_cards(
                client, reviewer, filter, count=num_gone, exclude=[*has, *(card.position for card in cards)]
            )
        return cards

    def grid(
        self,
        client: str,
        reviewer: str,
        filter: Filter,
        *,
        after: int | None = None,
        count: int,
        exclude: Iterable[int] = (),
    ) -> list[Card]:
        """The next tiles of one label and direction, in the queue's order, from ``after`` (a position) on; leased.

        Cells of the audit slice are not among them: they are to be asked blindly.
        """
        if filter.label is None or filter.direction is None:
            raise TaggerError("A grid shows one label and one direction. Choose both.")
        exclude = list(exclude)
        self.poll()
        with self._lock:
            marks = self._ledger.marks(reviewer)
            order = self._selection.candidates(self._ranking.order, marks, filter, exclude)
            if filter.decided is False:
                order = order[~self._selection.audit_S[order]]
            if after is not None:
                order = order[self._ranking.place_S[order] > self._ranking.place_S[after]]
            tiles = self._selection.cells((position, False) for position in map(int, order))
            asked = reviewer if filter.decided is False else None
            cards, num_gone = self._hand_out(client, asked, lambda others: tiles, count)
        if num_gone:
            has = [*exclude, *(card.position for card in cards)]
            return cards + self.grid(client, reviewer, filter, after=after, count=num_gone, exclude=has)
        return cards

    def card(self, image_row: int, label: str) -> Card:
        """The card of any cell. TaggerError if there is no such image or label."""
        with self._lock:
            name = self._ledger.vocabulary.resolve(label)
            if name is None:
                raise TaggerError(f"There is no label {label!r}.{did_you_mean(label, self.names)}")
            row = self._known(image_row)
            position = self.position(self._album.hashes[row], name)
            return self._album.cards([(position, row, name, False)], self._ranking.doubt_S, self._ledger)[0]

    def image(self, image_row: int) -> ImageView:
        """An image with all its labels and its history."""
        with self._lock:
            return self._album.image(self._known(image_row), self._ledger)

    def row(self, hash: str) -> int | None:
        """The image row of a hash, or None."""
        return self._album.row(hash)

    def position(self, hash: str, label: str) -> int:
        """The position of a cell in the suspects table, or a negative number of its own if it is not in it."""
        position = self._ledger.positions.get((hash, label))
        if position is not None:
            return position
        names = self.names
        return -1 - ((self._album.row(hash) or 0) * len(names) + names.index(label))

    def search(self, text: str, limit: int = 50) -> list[int]:
        """The rows of the first images whose file name holds ``text``, in any case; before them the one called so."""
        return self._album.search(text, limit)

    def browse(self, label: str | None = None, *, start: int = 0, limit: int = 50) -> list[int]:
        """The rows of images that have the label now (None: of all), in the run's order, from the ``start``-th on."""
        with self._lock:
            if label is not None and label not in self.names:
                raise TaggerError(f"There is no label {label!r}.{did_you_mean(label, self.names)}")
            return self._album.browse(label, self._ledger, start=start, limit=limit)

    def progress(self, reviewer: str) -> Progress:
        """How far the work is. ``found``: verified cells whose given label was wrong."""
        with self._lock:
            return progress(self._ledger, self._selection.open_S, reviewer)

    def disagreements(self) -> list[Disagreement]:
        """The disputed cells, the longest waiting first."""
        with self._lock:
            return [self._disagreement(cell) for cell in self._disputed(Filter())]

    def estimate(self) -> Any:
        """How many errors are left and whether one may stop (``tagger.suspects.Estimate``)."""
        with self._lock:
            open_S = self._selection.open_S
            order, verdicts = self._ranking.order, self._ledger.verdicts()
            doubt_S = self._ranking.doubt_S
        return self._ranking.estimate(doubt_S, verdicts, order[open_S[order]])

    def wait(self) -> None:
        """Return when no refit is under way."""
        self._ranking.wait()

    def _hand_out(
        self,
        client: str,
        reviewer: str | None,
        wanted: Callable[[set[Cell]], Iterable[tuple[int, Cell, bool]]],
        count: int,
    ) -> tuple[list[Card], int]:
        """Cards of the first wanted cells that others do not hold, and how many more were decided meanwhile.

        ``wanted`` is told what the others hold. Without ``reviewer`` it does not matter whether a cell is decided.
        """
        seen: dict[Cell, tuple[int, bool]] = {}

        def offered(others: set[Cell]) -> Iterator[Cell]:
            for position, cell, blind in wanted(others):
                seen[cell] = position, blind
                yield cell

        cells = self.store.lease(client, offered, count=count, seconds=self._lease_seconds)
        self.poll()  # whoever decided a cell just before we got hold of it had written it by then
        ledger, chosen = self._ledger, []
        for cell in cells:
            position, blind = seen[cell]
            name = ledger.vocabulary.resolve(cell[1])  # it may have got another name just now
            if name is None or (position >= 0 and ledger.gone_S[position]):
                continue
            state = ledger.states.get((cell[0], name))
            if reviewer is not None:
                judged = ledger.marks(reviewer).judged_S[position]
                if judged or (state and not blind and (state.decided or state.disputed)):
                    continue
            row = self._album.suspect(position)[0] if position >= 0 else self._album.row(cell[0]) or 0
            chosen.append((position if position >= 0 else self.position(cell[0], name), row, name, blind))
        return self._album.cards(chosen, self._ranking.doubt_S, self._ledger), len(cells) - len(chosen)

    def _disputed(self, filter: Filter) -> list[Cell]:
        ledger = self._ledger
        cells = [cell for cell in ledger.disputed if filter.label in (None, cell[1]) and cell[1] in self.names]
        return sorted((c for c in cells if self._album.row(c[0]) is not None), key=lambda c: ledger.states[c].last_id)

    def _disagreement(self, cell: Cell) -> Disagreement:
        row = self._album.row(cell[0])
        return Disagreement(
            position=self.position(*cell),
            row=row,
            file=None if row is None else self._album.files[row],
            hash=cell[0],
            label=cell[1],
            verdicts=tuple(sorted(self._ledger.states[cell].verdicts.items())),
        )

    def _known(self, row: int) -> int:
        if not 0 <= row < len(self._album.files):
            raise TaggerError(f"There is no image {row}; the run has {len(self._album.files)}.")
        return row
