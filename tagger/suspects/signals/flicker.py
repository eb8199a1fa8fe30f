"""Signal: the frames before and after, in a sequence. One frame against both is an error more often than a change.

Where the two neighbours differ, a label begins or ends, and the signal says nothing: at onsets people are right as
often as a model is (the thesis, chapter 2, finds most errors there), and a change there is no error.
"""

import numpy as np

from tagger.arrays import NO, YES
from tagger.suspects.evidence import Evidence
from tagger.suspects.signals.base import Signal, signals


@signals.register("flicker")
class Flicker(Signal):
    """1 where the frames before and after both have the label, -1 where neither has it, 0 where they differ."""

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        labels_NK = evidence.labels_NK
        self.for_yes_NK = np.zeros(labels_NK.shape, np.float32)
        if evidence.around_N2 is None:
            return
        inside = np.flatnonzero((evidence.around_N2 >= 0).all(axis=1))
        before_RK, after_RK = (labels_NK[evidence.around_N2[inside, side]] for side in (0, 1))
        agree_RK = before_RK == after_RK
        values_RK = np.where(before_RK == YES, 1.0, np.where(before_RK == NO, -1.0, 0.0))
        self.for_yes_NK[inside] = np.where(agree_RK, values_RK, 0.0)

    @classmethod
    def applies(cls, evidence: Evidence) -> bool:
        """Only where photos are frames of sequences."""
        return evidence.around_N2 is not None

    def reason(self, row: int, k: int) -> str:
        have = "have" if self.for_yes_NK[row, k] > 0 else "do not have"
        return f"The frames before and after both {have} `{self.evidence.names[k]}`"
