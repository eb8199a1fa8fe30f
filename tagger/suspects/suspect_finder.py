"""Ranked suspects from the evidence in one call, and the same suspects rescored after verdicts."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.suspects.cell_doubt import CellDoubt, combine_signals
from tagger.suspects.evidence import Evidence
from tagger.suspects.signals import Signal, build_signals
from tagger.suspects.suspect_table import describe_cells, rank_suspects
from tagger.suspects.wrong_shares import wrong_shares

MIN_POSITIVES = 10


@dataclass(frozen=True)
class SuspectResult:
    """The suspects, the doubt of every cell, notes about labels that are not ranked, and ``wrong_shares``."""

    table: pd.DataFrame
    doubt: CellDoubt
    notes: tuple[str, ...]
    shares: tuple[str, ...] = ()


def find_suspects(
    evidence: Evidence,
    files: NDArray[np.str_],
    hashes: NDArray[np.str_],
    *,
    limit: int = 100_000,
    min_positives: int = MIN_POSITIVES,
    seed: int = 0,
) -> SuspectResult:
    """The cells most likely wrong (see ``rank_suspects``).

    A label with fewer positives than ``min_positives`` is not ranked; a note says so.
    """
    rankable_K = evidence.rankable_K(min_positives)
    found, doubt = _combined_doubt(evidence, rankable_K)
    table = rank_suspects(evidence, doubt, found, files, hashes, limit=limit, seed=seed)
    positives_K = evidence.positives_K
    notes = tuple(
        f"`{name}` is not ranked: {count:,} {'photo has' if count == 1 else 'photos have'} it;"
        f" {min_positives} are needed to tell errors from noise"
        if count < min_positives
        else f"`{name}` is not ranked: nearly every photo has it, so there is nothing to compare with"
        for name, count, ranked in zip(evidence.names, positives_K, rankable_K, strict=True)
        if not ranked
    )
    return SuspectResult(table, doubt, notes, wrong_shares(evidence, doubt.doubt_NK))


def rescore_suspects(
    evidence: Evidence, table: pd.DataFrame, verdicts: pd.DataFrame, *, min_positives: int = MIN_POSITIVES
) -> pd.DataFrame:
    """The same rows of a table of suspects, in the same order, with doubts updated by what people have found since.

    ``evidence`` is what the table was made from; ``verdicts`` has ``position`` (row of the table) and
    ``wrong`` (whether the given label was). Corrected labels speak for or against the other labels of their
    image and of similar images, and the weights and noise rates are learnt again. Rows with a verdict keep
    what they had.
    """
    column = {name: k for k, name in enumerate(evidence.names)}
    rows = table["row"].to_numpy()
    columns = table["label"].map(column).to_numpy()
    reviewed_rows = verdicts["position"].to_numpy(np.int64)
    wrong = verdicts["wrong"].to_numpy(bool)
    labels_NK = evidence.labels_NK.copy()
    verified_NK = (
        np.zeros(labels_NK.shape, bool) if evidence.verified_NK is None else evidence.verified_NK.copy()
    )
    verified_NK[rows[reviewed_rows], columns[reviewed_rows]] = True
    labels_NK[rows[reviewed_rows[wrong]], columns[reviewed_rows[wrong]]] = table["suggested"].to_numpy(
        np.int8
    )[reviewed_rows[wrong]]
    original_NK = evidence.labels_NK if evidence.original_NK is None else evidence.original_NK
    now = replace(evidence, labels_NK=labels_NK, verified_NK=verified_NK, original_NK=original_NK)
    found, doubt = _combined_doubt(now, now.rankable_K(min_positives))
    open_T = np.isfinite(doubt.doubt_NK[rows, columns])
    out = table.copy()
    for name, values in describe_cells(now, doubt, found, rows[open_T], columns[open_T]).items():
        out.loc[open_T, name] = values
    return out


def _combined_doubt(evidence: Evidence, rankable_K: NDArray[np.bool_]) -> tuple[dict[str, Signal], CellDoubt]:
    found = build_signals(evidence)
    return found, combine_signals(evidence, found, rankable_K)
