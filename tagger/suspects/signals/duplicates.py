"""Signal: labels of the image's near-duplicates.

Two copies with different labels cannot both be right.
"""

import numpy as np

from tagger.arrays import NO, YES
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals.base import Signal, signals

TWIN_ERROR_RATE = (
    0.1  # supposed share of wrong labels in a twin: of its *yes*, and of the images that should be *yes*
)
TWIN_WEIGHT = 0.7  # twins are often labelled together: their labels count for less than independent ones


@signals.register("duplicates")
class Duplicates(Signal):
    """The likelihood ratio of the twins' labels, summed over the other members of the image's group."""

    is_likelihood_ratio = True

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        labels_NK = evidence.labels_NK
        group_N = evidence.duplicate_group_N
        _, place_N, size_G = np.unique(group_N, return_inverse=True, return_counts=True)
        twins = np.flatnonzero(size_G[place_N] > 1)
        self.for_yes_NK = np.zeros(labels_NK.shape, np.float32)
        self.yes_NK = {}
        self.no_NK = {}  # type: ignore[var-annotated]
        if not len(twins):
            return
        groups, place = np.unique(place_N[twins], return_inverse=True)
        yes_GK, no_GK = (np.zeros((len(groups), labels_NK.shape[1]), np.int32) for _ in range(2))
        np.add.at(yes_GK, place, labels_NK[twins] == YES)
        np.add.at(no_GK, place, labels_NK[twins] == NO)
        yes = yes_GK[place] - (labels_NK[twins] == YES)
        no = no_GK[place] - (labels_NK[twins] == NO)
        odds_K = np.exp(log_odds(evidence.priors_K))
        false_positive_rate_K = np.minimum(
            TWIN_ERROR_RATE * odds_K, 0.5
        )  # share of the images without the label that are given it
        per_yes_K = np.log((1 - TWIN_ERROR_RATE) / false_positive_rate_K)
        per_no_K = np.log(TWIN_ERROR_RATE / (1 - false_positive_rate_K))
        total = TWIN_WEIGHT * (yes * np.maximum(per_yes_K, 0) + no * np.minimum(per_no_K, 0))
        self.for_yes_NK[twins] = total
        self.yes_NK = dict(zip(twins, yes, strict=True))
        self.no_NK = dict(zip(twins, no, strict=True))

    def reason(self, row: int, k: int) -> str:
        yes = int(self.yes_NK[row][k])
        no = int(self.no_NK[row][k])
        name = self.evidence.names[k]
        if yes + no == 1:
            return f"A near-duplicate of this photo {'has' if yes else 'does not have'} `{name}`"
        return f"{yes or 'None'} of its {yes + no} near-duplicates {'has' if yes == 1 else 'have'} `{name}`"
