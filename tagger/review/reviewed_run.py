"""Tables of the run under review, as plain arrays: suspects, images, labels, neighbours, probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class ReviewedRun:
    """What the review shows of a run. N follows ``images``, K follows ``labels``."""

    name: str
    suspects: pd.DataFrame  # one row a suspect, most doubtful first, then cells that are only in the audit
    images: pd.DataFrame  # columns file and hash
    labels_NK: Cells  # the given labels
    labels: Sequence[str]
    neighbours: tuple[np.ndarray, Floats] | None = None  # index_NM (-1: none) and similarity_NM
    probs_NK: Floats | None = None  # out of fold
