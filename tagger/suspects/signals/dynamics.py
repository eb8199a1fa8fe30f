"""Signal: mean held-out probability over the epochs of training.

A model that was sure from early on is more to be believed than one that changed its mind. After Swayamdipta
et al. 2020 (Dataset Cartography, arXiv 2009.10795), but on images that the model does not learn from, so
that a wrong label cannot have been learnt by heart.
"""

import numpy as np

from tagger.suspects.evidence import Evidence, format_percent, log_odds
from tagger.suspects.signals.base import Signal, signals


@signals.register("dynamics")
class LearningDynamics(Signal):
    """The log-odds of the mean held-out probability; 0 where none was kept."""

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        if evidence.dynamics_NK is None:
            self.for_yes_NK = np.zeros(evidence.labels_NK.shape, np.float32)
            return
        self.mean_NK = np.where(np.isfinite(evidence.dynamics_NK), evidence.dynamics_NK, evidence.probs_NK)
        self.for_yes_NK = log_odds(self.mean_NK)

    def reason(self, row: int, k: int) -> str:
        mean = format_percent(float(self.mean_NK[row, k]))
        name = self.evidence.names[k]
        if self.evidence.dynamics_NK is None or not np.isfinite(self.evidence.dynamics_NK[row, k]):
            return f"A model that never saw this photo gives `{name}` a probability of {mean}"
        return f"Models that never saw this photo gave `{name}` a probability of {mean} on average during training"
