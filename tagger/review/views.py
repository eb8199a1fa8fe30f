"""Plain data that the app shows: cards, images with their labels, progress."""

from dataclasses import dataclass

from tagger.review.decision import RecordedDecision
from tagger.review.frame_strips import FrameView


@dataclass(frozen=True, kw_only=True)
class NeighbourView:
    """A similar image: row of the images table, file, cosine, the labels it has now."""

    row: int
    file: str
    similarity: float
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A cell to decide. A blind one shows neither doubt, suggestion, reason nor neighbours, so that nobody is
    led.

    ``position`` is the row of the suspects table; a cell that is not in it has a negative number of its own.
    ``labels``: (name, current value -1/0/1, verified) of every label; the asked cell of a blind card is -1.
    ``group``: a number that photos which show the same have in common; ``seen``: the last decision that counts here.
    ``frames``: those before and after it in its sequence; ``run``: the rows of the frames about it that say the same.
    """

    position: int
    row: int
    file: str
    hash: str
    label: str
    given: int
    suggested: int | None
    direction: str | None  # "missing" | "spurious"
    reason: str
    doubt: float | None
    signal: str | None
    blind: bool
    labels: tuple[tuple[str, int, bool], ...]
    neighbours: tuple[NeighbourView, ...]
    group: int
    seen: int
    frames: tuple[FrameView, ...] = ()
    run: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LabelView:
    """One label of an image: given and current value (-1, 0, 1), the probability that the model gave it."""

    name: str
    given: int
    current: int
    verified: bool
    disputed: bool
    probability: float | None


@dataclass(frozen=True, kw_only=True)
class ImageView:
    """An image with all its labels and everything that was decided about it, in order."""

    row: int
    file: str
    hash: str
    labels: tuple[LabelView, ...]
    history: tuple[RecordedDecision, ...]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """A cell on which reviewers differ, and who says what. No row and file if the image is not in the run."""

    position: int | None
    row: int | None
    file: str | None
    hash: str
    label: str
    verdicts: tuple[tuple[str, str], ...]  # (reviewer, "yes" | "no" | "unsure")


@dataclass(frozen=True, kw_only=True)
class LabelProgress:
    """Of one label: cells verified, those whose given label was wrong, suspects still to decide."""

    label: str
    decided: int
    found: int
    left: int


@dataclass(frozen=True, kw_only=True)
class ReviewProgress:
    """How far the work is: cells verified by all, cells judged by this reviewer, wrong labels found, suspects left."""

    decided: int
    mine: int
    found: int
    left: int
    disputed: int
    per_label: tuple[LabelProgress, ...]
