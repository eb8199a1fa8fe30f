"""Table of suspects, most doubtful first, with reasons and the blind audit sample."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import NO, YES
from tagger.suspects.audit_sample import STRATUM_EDGES, draw_audit_sample, stratum_of
from tagger.suspects.cell_doubt import CellDoubt
from tagger.suspects.doubt_steps import ONE_OF_GROUP, broken_group, nothing_speaks, one_of_reason
from tagger.suspects.evidence import Evidence
from tagger.suspects.signals import Signal

MIN_REASON_NATS = 0.05  # nats: what moves a doubt less is no reason
NUM_STRATA = len(STRATUM_EDGES) + 1


def rank_suspects(
    evidence: Evidence,
    doubt: CellDoubt,
    found: Mapping[str, Signal],
    files: NDArray[np.str_],
    hashes: NDArray[np.str_],
    *,
    limit: int = 100_000,
    floor: float = 0.002,
    audit: int = 600,
    seed: int = 0,
) -> pd.DataFrame:
    """The table of suspects: at most ``limit`` cells of doubt ``floor`` or more, and ``audit`` random ones.

    Audit cells carry ``audit`` and ``audit_order``, every row its ``stratum`` and that one's size in cells;
    audit cells that are no suspects stand at the end.
    """
    num_labels = evidence.labels_NK.shape[1]
    flat_C = doubt.doubt_NK.ravel()
    ranked_C = np.flatnonzero(~np.isnan(flat_C))
    doubts_C = flat_C[ranked_C]
    listed = ranked_C[doubts_C >= floor]
    if len(listed) > limit:
        listed = listed[np.argpartition(-flat_C[listed], limit - 1)[:limit]]
    listed = listed[np.lexsort((listed, -flat_C[listed]))]
    asked = ranked_C[draw_audit_sample(doubts_C, np.random.default_rng(seed), size=audit)]
    extra = asked[~np.isin(asked, listed)]
    cells = np.concatenate([listed, extra[np.lexsort((extra, -flat_C[extra]))]])
    rows, columns = np.divmod(cells, num_labels)
    given = evidence.labels_NK[rows, columns]
    order = pd.Series(np.arange(len(asked)), index=asked)
    stratum_C = stratum_of(doubts_C)
    total_S = np.bincount(stratum_C, minlength=NUM_STRATA)
    stratum = stratum_of(flat_C[cells])
    audited = np.isin(cells, asked)
    return pd.DataFrame(
        {
            "file": files[rows],
            "hash": hashes[rows],
            "label": np.array(evidence.names, dtype=object)[columns],
            "given": given,
            "suggested": np.where(given == YES, NO, YES).astype(np.int8),
            "direction": np.where(given == YES, "spurious", "missing"),
            "row": rows.astype(np.int32),
            "audit": audited,
            "audit_order": order.reindex(cells).fillna(-1).to_numpy(np.int32),
            "stratum": stratum,
            "stratum_size": total_S[stratum].astype(np.int64),
            "positives": evidence.positives_K[columns],
            **describe_cells(evidence, doubt, found, rows, columns),
        }
    )


def describe_cells(
    evidence: Evidence,
    doubt: CellDoubt,
    found: Mapping[str, Signal],
    rows: NDArray[np.integer],
    columns: NDArray[np.integer],
) -> dict[str, NDArray]:
    """For each cell its doubt, what each signal adds against the given value (nats), the main one and its sentence.

    The main signal is the one that moved the doubt up most: without it, the doubt would be lowest.
    """
    for_yes = {name: part.nats(rows, columns) for name, part in doubt.contributions.items()}
    toward = np.where(evidence.labels_NK[rows, columns] == YES, -1.0, 1.0).astype(np.float32)
    moved = doubt.steps.moved(evidence, doubt.doubt_NK, doubt.contributions, rows, columns)
    stacked = np.stack(list(moved.values()))
    main = np.array(list(moved), dtype=object)[stacked.argmax(axis=0)]
    raised = stacked.max(axis=0, initial=-np.inf) > MIN_REASON_NATS
    cells = zip(main, raised, rows.tolist(), columns.tolist(), strict=True)
    words = _Words(evidence, doubt, found)
    reasons = [words.reason(name if moves else None, row, k) for name, moves, row, k in cells]
    main[main == ONE_OF_GROUP] = "label_context"
    return {
        "doubt": doubt.doubt_NK[rows, columns].astype(np.float32),
        "reason": np.array(reasons, dtype=object),
        "main_signal": main,
        **{f"signal_{name}": toward * part for name, part in for_yes.items()},
    }


class _Words:
    """The reasons of cells in words."""

    def __init__(self, evidence: Evidence, doubt: CellDoubt, found: Mapping[str, Signal]):
        self.evidence = evidence
        self.found = found
        self.doubt_NK = doubt.doubt_NK
        self.group_of = {k: group for group in doubt.groups for k in group.tolist()}
        self._shares: dict[tuple[int, bool], float] = {}

    def reason(self, main: str | None, row: int, k: int) -> str:
        """The sentence of the signal or step that moved the doubt most; None where nothing raised it."""
        if main is None:
            yes = bool(self.evidence.labels_NK[row, k] == YES)
            return nothing_speaks(self.evidence.names[k], given_yes=yes, share=self._share(k, yes))
        if main == ONE_OF_GROUP:
            return one_of_reason(self.evidence, self.doubt_NK, row, k, self.group_of[k])
        broken = broken_group(self.evidence, row, k) if main == "rules" else ""
        return broken or self.found[main].reason(row, k)

    def _share(self, k: int, yes: bool) -> float:
        """How many of the label's given values look wrong."""
        if (k, yes) not in self._shares:
            doubts_N = self.doubt_NK[(self.evidence.labels_NK[:, k] == YES) == yes, k]
            known_N = np.isfinite(doubts_N)
            self._shares[k, yes] = float(doubts_N[known_N].mean()) if known_N.any() else 0.0
        return self._shares[k, yes]
