"""Sentences on how many of a label's values look wrong, each with how far that is known.

The doubts of a label and direction may all be too low or too high: by the same normal shift of log-odds as in
the estimate of the errors left. Answers narrow it, about as a logistic regression with one constant would.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tagger.arrays import NO, YES, Floats, logit, sigmoid
from tagger.suspects.error_estimate import LIKELIHOOD_POWER, SHIFT_STD
from tagger.suspects.evidence import Evidence

MIN_TENTHS = 0.5  # of ten labels; fewer are not worth a sentence
MAX_SENTENCES = 5
PER_ANSWER = 0.15  # what an answer tells of the shift: p (1 - p), for the doubts that people are asked about
KNOWN_WIDTH = 4  # tenths from the low to the high end up to which a number is said without "perhaps"


@dataclass(frozen=True)
class WrongShare:
    """Of one label: how many given *yes* (or *no*) look wrong for one photo that has it, with a 95 % interval."""

    label: str
    value: int
    errors: float
    share: float
    low: float
    high: float

    @property
    def sentence(self) -> str:
        """``About 4 in 10 `angry` labels look wrong (2 to 6)``; with "perhaps" where little is known."""
        low, about, high = (round(10 * part) for part in (self.low, self.share, self.high))
        about = max(about, 1)
        perhaps = "Perhaps" if high - low > KNOWN_WIDTH else "About"
        span = f"({min(low, about)} to {max(high, about)})"
        if self.value == YES:
            return f"{perhaps} {about} in 10 `{self.label}` labels look wrong {span}"
        verb = "seems" if about == 1 else "seem"
        return f"For 10 photos with `{self.label}`, {perhaps.lower()} {about} more {verb} to lack the label {span}"


def wrong_share(label: str, value: int, doubt_C: Floats, *, num_answers: int, positives: int) -> WrongShare:
    """The share by the doubts of the label's undecided cells; ``num_answers`` are those on the others.

    >>> wrong_share("angry", YES, np.full(100, 0.4), num_answers=100, positives=100).sentence
    'About 4 in 10 `angry` labels look wrong (3 to 6)'
    """
    spread = 1.96 / np.sqrt(SHIFT_STD**-2 + LIKELIHOOD_POWER * PER_ANSWER * num_answers)
    logits_C = logit(np.asarray(doubt_C, np.float64), 1e-6)
    errors = [float(sigmoid(logits_C + shift).sum()) for shift in (0.0, -spread, spread)]
    share, low, high = (number / max(positives, 1) for number in errors)
    return WrongShare(label, value, errors[0], share, low, high)


def worth_saying(shares: Iterable[WrongShare], *, limit: int = MAX_SENTENCES) -> tuple[str, ...]:
    """The sentences about the most errors first, at most ``limit``; none where hardly any look wrong."""
    said = [share for share in shares if 10 * share.share >= MIN_TENTHS]
    said.sort(key=lambda share: (-share.errors, share.label, share.value))
    return tuple(share.sentence for share in said[:limit])


def wrong_shares(evidence: Evidence, doubt_NK: Floats) -> tuple[str, ...]:
    """Sentences by the doubts of cells that nobody has verified, as ``worth_saying`` chooses them."""
    found = []
    verified_NK = np.zeros(doubt_NK.shape, bool) if evidence.verified_NK is None else evidence.verified_NK
    for k, name in enumerate(evidence.names):
        positives = int((evidence.labels_NK[:, k] == YES).sum())
        for value in (YES, NO):
            open_N = (evidence.labels_NK[:, k] == value) & np.isfinite(doubt_NK[:, k])
            answers = int((verified_NK[:, k] & (evidence.first_labels_NK[:, k] == value)).sum())
            doubts = doubt_NK[open_N, k]
            found.append(wrong_share(name, value, doubts, num_answers=answers, positives=positives))
    return worth_saying(found)


def suspect_shares(table: pd.DataFrame, doubt_S: Floats, decided: pd.DataFrame) -> list[WrongShare]:
    """The shares by a table of suspects with its present doubts; ``decided`` has ``position`` and ``wrong``.

    None for a table of an older version, which does not say how many photos have a label.
    """
    if "positives" not in table:
        return []
    open_S = np.ones(len(table), bool)
    open_S[decided["position"]] = False
    wrong_S = np.zeros(len(table), bool)
    wrong_S[decided["position"]] = decided["wrong"]
    yes_S = (table["given"] == YES).to_numpy()
    gained = pd.Series(np.where(wrong_S, np.where(yes_S, -1, 1), 0)).groupby(table["label"].to_numpy()).sum()
    found = []
    for label in table["label"].unique().tolist():
        of_label_S = (table["label"] == label).to_numpy()
        for value, given_S in ((YES, yes_S), (NO, ~yes_S)):
            rows = np.flatnonzero(of_label_S & given_S)
            if not len(rows):
                continue
            positives = int(table["positives"].iloc[rows[0]]) + int(gained[label])
            left = rows[open_S[rows]]
            answers = len(rows) - len(left)
            found.append(wrong_share(label, value, doubt_S[left], num_answers=answers, positives=positives))
    return found
