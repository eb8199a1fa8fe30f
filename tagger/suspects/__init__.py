"""Probable label errors: the doubt of every cell, its reason, and an estimate of the errors left.

Pure arrays and tables: no file, no model, no torch.
"""

from tagger.suspects.answered_photos import AnsweredPhotos
from tagger.suspects.doubt_refit import refit_doubt
from tagger.suspects.error_estimate import ErrorEstimate, estimate_errors
from tagger.suspects.evidence import Evidence
from tagger.suspects.nearest_neighbours import nearest_images
from tagger.suspects.review_priority import review_order
from tagger.suspects.signals import signals
from tagger.suspects.suspect_finder import MIN_POSITIVES, SuspectResult, find_suspects, rescore_suspects

__all__ = [
    "MIN_POSITIVES",
    "AnsweredPhotos",
    "ErrorEstimate",
    "Evidence",
    "SuspectResult",
    "estimate_errors",
    "find_suspects",
    "nearest_images",
    "refit_doubt",
    "rescore_suspects",
    "review_order",
    "signals",
]
