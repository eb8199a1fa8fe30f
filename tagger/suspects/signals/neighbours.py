"""Signal: labels of the most similar images, near-duplicates aside."""

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Floats, row_blocks
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals.base import Signal, signals
from tagger.suspects.threads import parallel_for

PRIOR_STRENGTH = 2.0  # images' worth of the label's overall share that are added to the vote


@signals.register("neighbours")
class Neighbours(Signal):
    """The log-odds of the label's share among the nearest images whose cell is known."""

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        if evidence.nearest_NM is None:
            self.for_yes_NK: Floats = np.zeros(evidence.labels_NK.shape, np.float32)
            return
        nearest_NM = evidence.nearest_NM
        priors_K = evidence.priors_K
        nobody_K = np.full((1, evidence.labels_NK.shape[1]), UNKNOWN, np.int8)
        labels_LK = np.concatenate([evidence.labels_NK, nobody_K])  # row -1, no neighbour, is unknown
        votes_LW = np.concatenate([labels_LK == YES, labels_LK >= NO], axis=1).view(
            np.int8
        )  # W: both, K each
        self.yes_NK, self.known_NK = (np.empty(evidence.labels_NK.shape, np.int16) for _ in range(2))
        self.for_yes_NK = np.empty(evidence.labels_NK.shape, np.float32)

        def count(rows: slice) -> None:
            sums_CW = np.zeros((len(nearest_NM[rows]), votes_LW.shape[1]), np.int16)
            for place in range(nearest_NM.shape[1]):
                sums_CW += votes_LW[nearest_NM[rows, place]]
            yes_CK, known_CK = np.split(sums_CW, 2, axis=1)
            self.yes_NK[rows], self.known_NK[rows] = yes_CK, known_CK
            self.for_yes_NK[rows] = log_odds(
                (yes_CK + PRIOR_STRENGTH * priors_K) / (known_CK + PRIOR_STRENGTH)
            )

        parallel_for(count, row_blocks(votes_LW[:-1].shape))

    def reason(self, row: int, k: int) -> str:
        yes = self.yes_NK[row, k]
        known = self.known_NK[row, k]
        have = "has" if yes == 1 else "have"
        return f"{yes or 'None'} of its {known} most similar photos {have} `{self.evidence.names[k]}`"
