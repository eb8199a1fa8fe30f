"""Agreement of reviewers: Cohen's kappa by label, with intervals."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd

from tagger.review.cell_state import effective_decisions
from tagger.review.decision import RecordedDecision

COLUMNS = ["label", "pairs", "agreement", "kappa", "low", "high"]


def kappa_table(rows: Iterable[RecordedDecision], *, num_draws: int = 500, seed: int = 0) -> pd.DataFrame:
    """Per label: pairs of verdicts by two reviewers on one cell, how often they agree, Cohen's kappa, 95 %
    interval.

    Each reviewer's latest yes or no on a cell that is no settling of a dispute; all pairs of reviewers (in
    the order of their names) pooled. The interval is a bootstrap over pairs. None where kappa is undefined:
    no pairs, or all verdicts the same. The last row, label "", pools all labels. Cohen 1960, Educ. Psychol.
    Measurement 20.

    >>> kappa_table([])["pairs"].tolist()
    [0]
    """
    latest: dict[tuple[str, str], dict[str, int]] = {}
    for row in effective_decisions(rows):
        judged = latest.setdefault(row.cell, {})
        if row.verdict == "unsure":
            judged.pop(row.reviewer, None)
        elif row.value is not None and not row.settles:
            judged[row.reviewer] = row.value
    pairs: dict[str, list[tuple[int, int]]] = {}
    for (_, label), judged in sorted(latest.items()):
        found = pairs.setdefault(label, [])
        found += [(judged[a], judged[b]) for a, b in combinations(sorted(judged), 2)]
    rng = np.random.default_rng(seed)
    everything = [pair for label in pairs for pair in pairs[label]]
    table = [
        _row(label, found, rng, num_draws) for label, found in [*sorted(pairs.items()), ("", everything)]
    ]
    return pd.DataFrame(table, columns=COLUMNS, dtype=object)


def cohen_kappa(counts_22: np.ndarray) -> np.ndarray:
    """Cohen's kappa of tables (..., 4) of counts no-no, no-yes, yes-no, yes-yes; NaN where chance explains all.

    >>> cohen_kappa(np.array([5, 0, 0, 5])).item()
    1.0
    """
    counts = np.asarray(counts_22, float)
    total = counts.sum(-1)
    first = counts[..., 2] + counts[..., 3]
    second = counts[..., 1] + counts[..., 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = (first * second + (total - first) * (total - second)) / total**2
        return np.where(
            chance < 1, ((counts[..., 0] + counts[..., 3]) / total - chance) / (1 - chance), np.nan
        )


def _row(label: str, pairs: list[tuple[int, int]], rng: np.random.Generator, num_draws: int) -> list:
    if not pairs:
        return [label, 0, None, None, None, None]
    counts = np.bincount([2 * a + b for a, b in pairs], minlength=4)
    value = cohen_kappa(counts)
    agreement = float((counts[0] + counts[3]) / len(pairs))
    if np.isnan(value):
        return [label, len(pairs), agreement, None, None, None]
    draws = cohen_kappa(rng.multinomial(len(pairs), counts / len(pairs), size=num_draws))
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return [label, len(pairs), agreement, float(value), float(low), float(high)]
