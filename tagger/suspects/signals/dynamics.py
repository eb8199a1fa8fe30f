"""What did models think of the label while they learnt? Held-out probabilities, averaged over the epochs.

A model that was sure from early on is more to be believed than one that changed its mind. After Swayamdipta et al. 2020
(Dataset Cartography, arXiv 2009.10795), but on images that the model does not learn from, so that a wrong label cannot
have been learnt by heart.
"""

import numpy as np

from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals.family import Signal, signals


@signals.register("dynamics")
class Dynamics(Signal):
    """The log-odds of the mean held-out probability; 0 where none was kept."""

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        if evidence.dynamics_NK is None:
            self.for_yes_NK = np.zeros(evidence.labels_NK.shape, np.float32)
        else:
            mean_NK = np.where(np.isfinite(evidence.dynamics_NK), evidence.dynamics_NK, evidence.probs_NK)
            self.for_yes_NK = log_odds(mean_NK)

    def reason(self, row: int, k: int) -> str:
        assert self.evidence.dynamics_NK is not None
        mean = float(self.evidence.dynamics_NK[row, k])
        name = self.evidence.names[k]
        return f"All through training, models that never saw this image gave `{name}` {mean:.0%} on average"
