"""Checks that scores of known cells and numbers of a file are finite.

Nothing is measured or chosen on NaN, which would sort last.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tagger.arrays import UNKNOWN, Cells, Floats
from tagger.errors import TaggerError
from tagger.text import counted


def check_scores(labels_NK: Cells, scores_NK: Floats) -> None:
    """Pass if every known cell has a score that is not NaN; else TaggerError with how many, and rows and
    columns.

    >>> check_scores(np.array([[1, -1]]), np.array([[0.5, np.nan]]))
    """
    rows, columns = np.nonzero(np.isnan(scores_NK) & (np.asarray(labels_NK) != UNKNOWN))
    if len(rows):
        where = [f"({row}, {column})" for row, column in zip(rows[:3], columns[:3], strict=True)]
        more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
        number = f"{counted(len(rows), 'label')} of {counted(len(set(rows.tolist())), 'photo')}"
        raise TaggerError(
            f"The run is damaged: {number} without a valid probability (NaN), at (row, column)"
            f" {', '.join(where)}{more}. Restore a copy of the run, or train again."
        )


def check_finite_fields(rows: Sequence[Mapping[str, Any]], *keys: str) -> None:
    """Pass if these keys of all rows of a file are finite numbers; else TaggerError with those that are not.

    >>> check_finite_fields([{"scale": 1, "bias": 0.5}], "scale", "bias")
    """
    numbered = [(number, key, row.get(key)) for number, row in enumerate(rows) for key in keys]
    wrong = [f"row {number}: {key} = {value!r}" for number, key, value in numbered if not _is_finite(value)]
    if wrong:
        raise TaggerError(
            f"thresholds.json: not finite numbers: {', '.join(wrong)}. Restore a copy of the run, or train again."
        )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
