"""How many of the most similar images have the label? They are the nearest in feature space, near-duplicates aside."""

import numpy as np

from tagger.arrays import NO, YES, Floats
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals.family import Signal, signals

STRENGTH = 2.0  # images' worth of the label's overall share that are added to the vote
CHUNK = 16_384


@signals.register("neighbours")
class Neighbours(Signal):
    """The log-odds of the label's share among the nearest images whose cell is known."""

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        if evidence.nearest_NM is None:
            self.for_yes_NK: Floats = np.zeros(evidence.labels_NK.shape, np.float32)
            return
        yes_NK, known_NK = (np.empty(evidence.labels_NK.shape, np.int16) for _ in range(2))
        for start in range(0, len(yes_NK), CHUNK):
            rows = slice(start, start + CHUNK)
            nearest_NM = evidence.nearest_NM[rows]
            seen_NMK = np.where((nearest_NM >= 0)[:, :, None], evidence.labels_NK[nearest_NM], -1)
            yes_NK[rows], known_NK[rows] = (seen_NMK == YES).sum(axis=1), (seen_NMK >= NO).sum(axis=1)
        self.yes_NK, self.known_NK = yes_NK, known_NK
        priors_K = evidence.priors_K
        self.for_yes_NK = log_odds((yes_NK + STRENGTH * priors_K) / (known_NK + STRENGTH))

    def reason(self, row: int, k: int) -> str:
        yes, known = self.yes_NK[row, k], self.known_NK[row, k]
        return (
            f"{yes or 'None'} of its {known} nearest images {'has' if yes == 1 else 'have'} `{self.evidence.names[k]}`"
        )
