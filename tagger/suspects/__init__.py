"""Probabilities and labels in, doubt out: which cells are most likely wrong, why, and how many are left?

Pure arrays and tables: no file, no model, no torch.
"""

from tagger.suspects.evidence import Evidence
from tagger.suspects.find import MIN_POSITIVES, Found, find_suspects, reconsider
from tagger.suspects.nearest import nearest_images
from tagger.suspects.order import review_order
from tagger.suspects.refit import learn
from tagger.suspects.remaining import Estimate, estimate
from tagger.suspects.signals import signals

__all__ = [
    "MIN_POSITIVES",
    "Estimate",
    "Evidence",
    "Found",
    "estimate",
    "find_suspects",
    "learn",
    "nearest_images",
    "reconsider",
    "review_order",
    "signals",
]
