"""From the evidence to the ranked suspects, in one call."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.suspects.combine import Doubt, combine
from tagger.suspects.evidence import Evidence
from tagger.suspects.rank import describe, rank
from tagger.suspects.signals import Signal, signals

MIN_POSITIVES = 10


@dataclass(frozen=True)
class Found:
    """The suspects, the doubt of every cell, and notes about labels that are not ranked."""

    table: pd.DataFrame
    doubt: Doubt
    notes: tuple[str, ...]


def find_suspects(
    evidence: Evidence,
    files: NDArray[np.str_],
    hashes: NDArray[np.str_],
    *,
    limit: int = 100_000,
    min_positives: int = MIN_POSITIVES,
    seed: int = 0,
) -> Found:
    """The cells most likely wrong (see ``rank``). A label with fewer positives than ``min_positives`` is only noted."""
    rankable_K = evidence.rankable_K(min_positives)
    found, doubt = _weigh(evidence, rankable_K)
    table = rank(evidence, doubt, found, files, hashes, limit=limit, seed=seed)
    positives_K = evidence.positives_K
    notes = tuple(
        f"`{name}` is not ranked: {count:,} {'image has' if count == 1 else 'images have'} it,"
        f" {min_positives} are needed to tell errors from noise"
        if count < min_positives
        else f"`{name}` is not ranked: nearly every image has it, so there is nothing to compare with"
        for name, count, ranked in zip(evidence.names, positives_K, rankable_K, strict=True)
        if not ranked
    )
    return Found(table, doubt, notes)


def reconsider(
    evidence: Evidence, table: pd.DataFrame, verdicts: pd.DataFrame, *, min_positives: int = MIN_POSITIVES
) -> pd.DataFrame:
    """The same rows of a table of suspects, in the same order, judged anew by what people have found since.

    ``evidence`` is what the table was made from; ``verdicts`` has ``position`` (row of the table) and ``wrong``
    (whether the given label was). Corrected labels speak for or against the other labels of their image and of similar
    images, and the weights and noise rates are learnt again. Rows with a verdict keep what they had.
    """
    column = {name: k for k, name in enumerate(evidence.names)}
    rows, columns = table["row"].to_numpy(), table["label"].map(column).to_numpy()
    told, wrong = verdicts["position"].to_numpy(np.int64), verdicts["wrong"].to_numpy(bool)
    labels_NK = evidence.labels_NK.copy()
    settled_NK = np.zeros(labels_NK.shape, bool) if evidence.settled_NK is None else evidence.settled_NK.copy()
    settled_NK[rows[told], columns[told]] = True
    labels_NK[rows[told[wrong]], columns[told[wrong]]] = table["suggested"].to_numpy(np.int8)[told[wrong]]
    original_NK = evidence.labels_NK if evidence.original_NK is None else evidence.original_NK
    now = replace(evidence, labels_NK=labels_NK, settled_NK=settled_NK, original_NK=original_NK)
    found, doubt = _weigh(now, now.rankable_K(min_positives))
    open_T = np.isfinite(doubt.doubt_NK[rows, columns])
    out = table.copy()
    for name, values in describe(now, doubt, found, rows[open_T], columns[open_T]).items():
        out.loc[open_T, name] = values
    return out


def _weigh(evidence: Evidence, rankable_K: NDArray[np.bool_]) -> tuple[dict[str, Signal], Doubt]:
    found: dict[str, Signal] = {name: signals.build(name, evidence) for name in signals.names()}
    return found, combine(evidence, found, rankable_K)
