"""Decisions on cells and label operations, as the review store keeps them."""

from dataclasses import dataclass
from math import isfinite

from tagger.arrays import NO, UNKNOWN, YES
from tagger.errors import TaggerError, did_you_mean

VERDICTS = ("yes", "no", "unsure", "skip", "undo")
SOURCES = ("card", "grid", "edit", "disagreement", "import")
OPERATION_KINDS = ("add", "rename", "merge", "undo")
VERDICT_VALUES = {"yes": YES, "no": NO}  # the verdicts that decide a cell

MAX_HASH_LENGTH = 128
MAX_CLIENT_LENGTH = 200  # letters, as in the tables

Cell = tuple[str, str]  # (hash of the image, label)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a person said about one cell; the store adds id and time. TaggerError if it makes no sense.

    >>> Decision(hash="a1", label="sea", verdict="yes", before=0, suggested=1, doubt=0.9, run="r", reviewer="ann",
    ...          seconds=1.5, client="tab-1", seq=1).value
    1
    """

    hash: str
    label: str
    verdict: str  # one of VERDICTS
    before: int
    suggested: int | None
    doubt: float | None
    run: str
    reviewer: str
    seconds: float | None
    client: str  # who sent it, and its number there: the same pair again is the same decision
    seq: int
    undoes: int | None = None  # the id of the decision that an "undo" takes back
    undoes_seq: int | None = None  # the same by this client's number, for one whose id has not come back yet
    blind: bool = False  # asked as part of the audit slice, without showing what the model thinks
    settles: bool = False  # decides a disagreement
    source: str = "card"  # one of SOURCES

    def __post_init__(self) -> None:
        check_choice("verdict", self.verdict, VERDICTS)
        check_choice("source", self.source, SOURCES)
        if self.before not in (UNKNOWN, NO, YES) or self.suggested not in (None, NO, YES):
            raise TaggerError(
                f"A decision on {self.label!r} says before={self.before!r}, suggested={self.suggested!r}."
            )
        if (self.verdict == "undo") == (self.undoes is None and self.undoes_seq is None):
            raise TaggerError(
                f"A decision on {self.label!r}: an 'undo', and nothing else, names the decision it takes back."
            )
        check_text(
            hash=self.hash, label=self.label, reviewer=self.reviewer, client=self.client, run=self.run or "-"
        )
        check_limits(self.client, self.seq, self.undoes, self.undoes_seq)
        if len(self.hash) > MAX_HASH_LENGTH or not all(
            isfinite(x) for x in (self.doubt, self.seconds) if x is not None
        ):
            raise TaggerError(
                f"A decision on {self.label!r} says doubt={self.doubt!r}, seconds={self.seconds!r}, hash={self.hash!r}."
            )

    @property
    def value(self) -> int | None:
        """What the verdict makes of the cell (0 or 1), or None if it decides nothing."""
        return VERDICT_VALUES.get(self.verdict)

    @property
    def cell(self) -> Cell:
        """(hash, label)."""
        return self.hash, self.label


@dataclass(frozen=True, kw_only=True)
class RecordedDecision(Decision):
    """A decision as the store has it: with its id and the time (ISO 8601, UTC, microseconds)."""

    id: int
    time: str

    def __post_init__(self) -> None:
        """Skip the checks: they passed when it was made."""


@dataclass(frozen=True, kw_only=True)
class LabelOperation:
    """A change of the vocabulary. "add" has no target; "rename" and "merge" have; "undo" names the id it takes back."""

    kind: str  # one of KINDS
    label: str
    target: str | None = None
    reviewer: str
    client: str
    seq: int
    undoes: int | None = None

    def __post_init__(self) -> None:
        check_choice("operation", self.kind, OPERATION_KINDS)
        two_names = self.kind in ("rename", "merge")
        if two_names == (self.target is None) or (self.kind == "undo") == (self.undoes is None):
            raise TaggerError(
                f"Operation {self.kind!r} on {self.label!r}: target or the operation to undo is missing."
            )
        check_text(label=self.label, target=self.target or "-", reviewer=self.reviewer, client=self.client)
        check_limits(self.client, self.seq, self.undoes)


@dataclass(frozen=True, kw_only=True)
class RecordedOperation(LabelOperation):
    """An operation as the store has it. ``after`` is the id of the last decision before it: one order for both."""

    id: int
    time: str
    after: int

    def __post_init__(self) -> None:
        """Skip the checks: they passed when it was made."""


def check_choice(what: str, word: str, known: tuple[str, ...]) -> None:
    """Raise TaggerError with the nearest word if ``word`` is not ``known``.

    >>> check_choice("verdict", "yes", VERDICTS)
    """
    if word not in known:
        raise TaggerError(
            f"Unknown {what} {word!r}.{did_you_mean(word, known)} Available: {', '.join(known)}"
        )


def check_limits(client: str, *numbers: int | None) -> None:
    """Raise TaggerError if a client's name or its numbers do not fit into every database.

    >>> check_limits("tab-1", 1, None)
    """
    if len(client) > MAX_CLIENT_LENGTH or any(
        number is not None and abs(number) >= 2**63 for number in numbers
    ):
        raise TaggerError(
            f"A decision of {client[:MAX_CLIENT_LENGTH]!r} has a number or a client name that is too long to store."
        )


def check_text(**fields: str) -> None:
    """Raise TaggerError if a text is empty or cannot be stored by every database.

    >>> check_text(label="sea")
    """
    for name, text in fields.items():
        if not text.strip() or "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise TaggerError(f"A decision's {name} must be text that is not empty, but is {text!r}.")
