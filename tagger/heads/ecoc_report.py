"""Report on an output code: the labels at each bit's ends, and the distances of the code words.

For the model card and ``metrics.json``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.heads.base import Head
from tagger.heads.ecoc import ECOCHead
from tagger.heads.ensemble import HeadEnsemble

LABELS_PER_END = 3  # labels named at either end of a bit


def head_code_report(head: Head | HeadEnsemble, names: Sequence[str]) -> dict[str, Any] | None:
    """``code_report`` of a head that has a code, with its kind and how many heads there are; None of other
    heads.

    Of several heads the first: data codes of folds differ in the signs of their bits and a little more.
    """
    single = head.members if isinstance(head, HeadEnsemble) else [head]
    first = single[0]
    if not isinstance(first, ECOCHead):
        return None
    return {
        "kind": first.kind,
        "num_heads": len(single),
        **code_report(first.code_words().cpu().numpy(), names),
    }


def code_report(code_KJ: Floats, names: Sequence[str]) -> dict[str, Any]:
    """The code in words and numbers, ready for JSON: ``ends``, ``rows``, ``columns``, ``code``.

    ``ends``: for each bit the labels at its low and at its high end, outermost first. ``rows``:
    ``pairwise_separation`` of the code words (smallest and mean) and the two labels that are nearest;
    ``columns``: that of the bits.

    >>> report = code_report(np.array([[1.0, -1], [1, 1], [-1, 1]]), ["cat", "dog", "sea"])
    >>> report["ends"][0]
    {'low': ['sea'], 'high': ['cat', 'dog'], 'num_low': 1, 'num_high': 2}
    >>> report["rows"]
    {'smallest': 0.5, 'mean': 0.667, 'nearest': ['cat', 'dog']}
    """
    ends = [_labels_at_ends(column, names) for column in np.asarray(code_KJ, dtype=np.float64).T]
    rows_KK = pairwise_separation(code_KJ)
    columns_JJ = pairwise_separation(code_KJ.T, opposite_too=True)
    nearest = divmod(int(np.nanargmin(rows_KK)), len(rows_KK)) if len(rows_KK) > 1 else ()
    return {
        "ends": ends,
        "rows": _separation_summary(rows_KK) | {"nearest": [names[k] for k in sorted(nearest)]},
        "columns": _separation_summary(columns_JJ),
        "code": np.round(code_KJ, 3).tolist(),
    }


def pairwise_separation(rows: Floats, *, opposite_too: bool = False) -> Floats:
    """How far apart rows are, each from each: (1 - cosine) / 2, which for -1 and 1 is the share of places that
    differ.

    With ``opposite_too`` a row and its opposite count as the same, as bits do that ask the same question:
    then 0.5 is the farthest. The diagonal is NaN; a row of zeros is 0.5 from everything.

    >>> pairwise_separation(np.array([[1.0, 1, 1, 1], [1, 1, 1, -1]]))[0, 1].round(3)
    np.float64(0.25)
    """
    rows = np.asarray(rows, dtype=np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    cosines = unit @ unit.T
    apart = np.clip((1 - (np.abs(cosines) if opposite_too else cosines)) / 2, 0, 1)
    np.fill_diagonal(apart, np.nan)
    return apart


def _labels_at_ends(column: Floats, names: Sequence[str]) -> dict[str, Any]:
    """Labels below 0 and above 0, outermost first (names in their order where they tie)."""
    order: NDArray[np.integer] = np.argsort(column, kind="stable")
    low = [names[k] for k in order if column[k] < 0]
    high = [names[k] for k in np.argsort(-column, kind="stable") if column[k] > 0]
    return {
        "low": low[:LABELS_PER_END],
        "high": high[:LABELS_PER_END],
        "num_low": len(low),
        "num_high": len(high),
    }


def _separation_summary(apart: Floats) -> dict[str, Any]:
    if apart.shape[0] < 2:
        return {"smallest": None, "mean": None}
    return {"smallest": round(float(np.nanmin(apart)), 3), "mean": round(float(np.nanmean(apart)), 3)}
