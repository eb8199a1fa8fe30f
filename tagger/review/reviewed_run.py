"""Tables of the run under review, as plain arrays: suspects, images, labels, neighbours, probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats
from tagger.data import LabelGroup, Rule


@dataclass(frozen=True, eq=False, kw_only=True)
class ReviewedRun:
    """What the review shows of a run. N follows ``images``, K follows ``labels``."""

    name: str
    suspects: pd.DataFrame  # one row a suspect, most doubtful first, then cells that are only in the audit
    images: pd.DataFrame  # columns file and hash, and split where it is known
    labels_NK: Cells  # the given labels
    labels: Sequence[str]
    neighbours: tuple[np.ndarray, Floats] | None = None  # index_NM (-1: none) and similarity_NM
    probs_NK: Floats | None = None  # out of fold
    rules: Sequence[Rule] = ()
    groups: Mapping[str, LabelGroup] = field(default_factory=dict)

    @property
    def teaches_S(self) -> np.ndarray | None:
        """Whether a retraining learns from a suspect's photo: those of the test split only measure."""
        if "split" not in self.images:
            return None
        teaches_N = (self.images["split"] != "test").to_numpy()
        return np.asarray(teaches_N[self.suspects["row"].to_numpy()])
