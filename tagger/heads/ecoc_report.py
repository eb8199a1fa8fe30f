"""Report on an output code: the labels at each bit's ends, and the distances of the code words.

For the model card and ``metrics.json``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.errors import TaggerError
from tagger.heads.base import Head
from tagger.heads.code_tables import read_label_table
from tagger.heads.ecoc import ECOCHead
from tagger.heads.ensemble import HeadEnsemble

LABELS_PER_END = 3  # labels named at either end of a bit


def head_code_report(head: Head | HeadEnsemble, names: Sequence[str]) -> dict[str, Any] | None:
    """``code_report`` of a head that has a code, with its kind, how many heads there are, and where a table of
    attributes was given ``attributes``; None of other heads.

    Of several heads the first: data codes of folds differ in the signs of their bits and a little more.
    """
    single = head.members if isinstance(head, HeadEnsemble) else [head]
    first = single[0]
    if not isinstance(first, ECOCHead):
        return None
    code_KJ = first.code_words().cpu().numpy()
    report = {"kind": first.kind, "num_heads": len(single), **code_report(code_KJ, names)}
    if first.attributes:
        report["attributes"] = _attributes_of(code_KJ, first.attributes, names)
    return report


def _attributes_of(code_KJ: Floats, path: str, names: Sequence[str]) -> dict[str, Any]:
    """The attributes of each bit; the reason instead if the table is gone by now, so that no training is lost."""
    try:
        table = read_label_table(path, names)
    except TaggerError as error:
        return {"missing": str(error)}
    return {"bits": attribute_correlations(code_KJ, table.values_KA, table.columns)}


def attribute_correlations(
    code_KJ: Floats, values_KA: Floats, attributes: Sequence[str]
) -> list[dict[str, Any]]:
    """For each bit the attribute that goes with its high end, and that of its low end, with Pearson's correlation
    over the labels: table 6.2 of the thesis. None where no attribute does.

    >>> values_KA = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    >>> attribute_correlations(np.array([[1.0], [1.0], [-1.0]]), values_KA, ["furry", "wild"])
    [{'high': ['furry', 1.0], 'low': None}]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        bits_KJ = code_KJ - code_KJ.mean(0)
        varied_KA = values_KA - values_KA.mean(0)
        pearson_JA = (
            bits_KJ.T
            @ varied_KA
            / np.outer(np.linalg.norm(bits_KJ, axis=0), np.linalg.norm(varied_KA, axis=0))
        )
    pearson_JA = np.where(np.isfinite(pearson_JA), pearson_JA, 0.0)
    return [
        {"high": _strongest(row_A, attributes), "low": _strongest(-row_A, attributes, sign=-1)}
        for row_A in pearson_JA
    ]


def _strongest(row_A: Floats, attributes: Sequence[str], sign: int = 1) -> list[Any] | None:
    best = int(row_A.argmax())
    return [attributes[best], round(sign * float(row_A[best]), 3)] if row_A[best] > 1e-9 else None


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
