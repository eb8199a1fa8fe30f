"""Signal: out-of-sample probability of the label (Northcutt et al. 2021, arXiv 1911.00068)."""

from tagger.suspects.evidence import Evidence, format_percent, log_odds
from tagger.suspects.signals.base import Signal, signals


@signals.register("self_confidence")
class SelfConfidence(Signal):
    """The log-odds of the out-of-sample probability."""

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        self.for_yes_NK = log_odds(evidence.probs_NK)

    def reason(self, row: int, k: int) -> str:
        name = self.evidence.names[k]
        prob = float(self.evidence.probs_NK[row, k])
        return f"A model that never saw this photo gives `{name}` a probability of {format_percent(prob)}"
