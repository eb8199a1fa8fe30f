"""Recent work: the last decisions of a reviewer in steps that can be undone, and the speed of this session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from tagger.review.cell_state import effective_decisions
from tagger.review.decision import RecordedDecision

BREAK_SECONDS = 600.0  # a longer pause ends a session
JUDGING = ("yes", "no", "unsure")


@dataclass(frozen=True)
class WorkStep:
    """Decisions that were saved in one stroke: one card, or the photos of a page. ``undone``: how many of them."""

    decisions: tuple[RecordedDecision, ...]
    undone: int

    @property
    def is_undone(self) -> bool:
        """Whether all of it was taken back."""
        return self.undone == len(self.decisions)


@dataclass(frozen=True)
class WorkSession:
    """The session that the last decision belongs to: number of decisions, and seconds from the first to the last."""

    count: int
    seconds: float

    @property
    def per_minute(self) -> float | None:
        """Decisions a minute; None before there are enough to tell.

        >>> WorkSession(31, 60.0).per_minute, WorkSession(1, 0.0).per_minute
        (30.0, None)
        """
        return 60.0 * (self.count - 1) / self.seconds if self.seconds > 0 and self.count > 2 else None


def work_steps(newest: Sequence[RecordedDecision]) -> list[WorkStep]:
    """The steps of decisions that come newest first. Undoings are no steps; they mark what they take back."""
    kept = {row.id for row in effective_decisions(newest)}
    rows = [row for row in newest if row.verdict != "undo"]
    return [
        WorkStep(found, sum(row.id not in kept for row in found))
        for _, together in groupby(rows, key=lambda row: (row.client, row.time, row.reviewer))
        if (found := tuple(together))
    ]


def work_session(newest: Sequence[RecordedDecision]) -> WorkSession:
    """The session of decisions that come newest first: they go back without a pause of ten minutes.

    Labels that were skipped or taken back do not count.
    """
    times = [
        datetime.fromisoformat(row.time).timestamp()
        for row in reversed(effective_decisions(newest))
        if row.verdict in JUDGING and row.source != "import"
    ]
    count = 0
    while count < len(times) and (not count or times[count - 1] - times[count] <= BREAK_SECONDS):
        count += 1
    return WorkSession(count, max(0.0, times[0] - times[count - 1]) if count else 0.0)
