"""Reliability of the doubts: the share of answered suspects that were wrong, against the share that was said."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tagger.review.cell_state import effective_decisions
from tagger.review.decision import RecordedDecision

EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)  # finer where most doubts are
Z = 1.959964  # of a 95 % interval
MIN_ANSWERS = 10  # of a bin


def doubt_reliability(decisions: Iterable[RecordedDecision]) -> pd.DataFrame:
    """Table of said, found, low, high, answers: one row a range of doubt with at least ten answers.

    ``said`` is the mean doubt that cards showed, ``found`` the share of them whose label a person changed, ``low`` and
    ``high`` its 95 % interval (Wilson 1927). Blind cards showed no doubt, and do not count; of one person's answers
    on a label the last one does.
    """
    last = {(row.reviewer, *row.cell): row for row in effective_decisions(decisions)}
    asked = [
        (row.doubt, row.value == row.suggested)
        for row in last.values()
        if row.doubt is not None
        and not row.blind
        and row.value is not None
        and row.source in ("card", "grid")
    ]
    doubt_A = np.array([doubt for doubt, _ in asked], float)
    wrong_A = np.array([wrong for _, wrong in asked], bool)
    bin_A = np.clip(np.searchsorted(EDGES, doubt_A, side="right") - 1, 0, len(EDGES) - 2)
    rows = []
    for number in range(len(EDGES) - 1):
        inside = bin_A == number
        if (count := int(inside.sum())) >= MIN_ANSWERS:
            found = float(wrong_A[inside].mean())
            low, high = wilson_interval(found, count)
            rows.append((float(doubt_A[inside].mean()), found, low, high, count))
    return pd.DataFrame(rows, columns=["said", "found", "low", "high", "answers"])


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of ``count`` (Wilson 1927, the score interval).

    >>> [round(end, 3) for end in wilson_interval(0.5, 10)], wilson_interval(0.0, 10)[0]
    ([0.237, 0.763], 0.0)
    """
    middle = share + Z**2 / (2 * count)
    spread = Z * np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    whole = 1 + Z**2 / count
    return max(0.0, float((middle - spread) / whole)), min(1.0, float((middle + spread) / whole))
