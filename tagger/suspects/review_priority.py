"""Review order: likely errors first, then cells of rare labels.

Cells that are more doubtful than ``LIKELY_DOUBT`` come by doubt: nothing is a better use of the first
reviews. Below that most cells are right, and what counts is how much an error among them harms: doubt is
divided by the label's positives, as a missing positive of a label with 30 weighs as much in mAP as 50 of
one with 1,500. Measured by ``benchmarks/retrain.py`` (photos, 5 % of the cells reviewed, quick heads;
docs/results.md): reviewing closes more of the mAP gap between wrong and right labels than in the order of
doubt alone, and the first reviews find as many errors. With 0.3 instead of 0.15, which was chosen when doubts
were too low, learning found fewer errors than it left: of 352 on photos with 5 % hard errors 95 in 500 reviews
instead of 159.

Cells of photos that no model learns from (the test split) come after the likely errors of the others: an
answer there teaches nothing, and `tagger compare` leaves out what was picked for its doubt. Measured by
``benchmarks/retrain.py`` on people's own mistakes: of the gap, reviewing closes more than without it.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Floats

LIKELY_DOUBT = 0.15


def review_order(
    table: pd.DataFrame, doubt: Floats, *, teaches_S: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """The positions of a suspects table in the order in which to look at them, by current doubts; ties as they
    stand. ``teaches_S``: whether a retraining learns from the photo; all of them, if it is not given.

    >>> table = pd.DataFrame({"positives": [1000, 1000, 10]})
    >>> review_order(table, np.array([0.1, 0.9, 0.05])).tolist()
    [1, 2, 0]
    >>> review_order(table, np.array([0.3, 0.9, 0.05]), teaches_S=np.array([True, False, True])).tolist()
    [0, 1, 2]
    """
    doubt = rank = np.asarray(doubt, np.float64)
    likely = doubt >= LIKELY_DOUBT
    if "positives" in table:
        harm = doubt / LIKELY_DOUBT / np.maximum(table["positives"].to_numpy(np.float64), 1)
        rank = np.where(likely, 1 + doubt, harm)
    if teaches_S is not None:
        rank = rank + (likely & teaches_S)
    return np.argsort(-rank, kind="stable")
