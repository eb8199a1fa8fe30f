"""Cells on which people differ: ways to decide them, and a list of those that wait."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tagger.arrays import NO, YES
from tagger.errors import TaggerError, did_you_mean
from tagger.review.decision import RecordedDecision

Decide = Callable[[Sequence[RecordedDecision]], int | None]  # the latest vote of each person -> 0, 1 or None


@dataclass(frozen=True, kw_only=True)
class DisputedLabel:
    """A label of a photo on which people differ and that nobody has settled; ``value``: what an option made of it."""

    hash: str
    label: str
    verdicts: tuple[tuple[str, str], ...]  # (reviewer, verdict), by name
    value: int | None = None  # None: it waits, and the label stays as it was given


def leave_open(votes: Sequence[RecordedDecision]) -> int | None:
    """Nothing: the cell waits until somebody settles it."""
    return None


def majority(votes: Sequence[RecordedDecision]) -> int | None:
    """What more people say; None where as many say yes as no.

    >>> majority([])
    """
    num_yes = sum(vote.value == YES for vote in votes)
    if 2 * num_yes == len(votes):
        return None
    return YES if 2 * num_yes > len(votes) else NO


def newest(votes: Sequence[RecordedDecision]) -> int | None:
    """What was said last, in the order of the store.

    >>> newest([])
    """
    return max(votes, key=lambda vote: vote.id).value if votes else None


WAYS: dict[str, Decide] = {"skip": leave_open, "majority": majority, "newest": newest}
RELIABILITY = "reliability"  # weighs people and the model: ``vote_reliability.py``


def check_way(name: str) -> None:
    """TaggerError with the nearest name if there is no such way to decide.

    >>> check_way("majority")
    """
    known = (*WAYS, RELIABILITY)
    if name not in known:
        raise TaggerError(
            f"--on-disagreement {name}: there is no such way.{did_you_mean(name, known)} Available: {', '.join(known)}"
        )
