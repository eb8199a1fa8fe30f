"""Reviewers' decisions on cells: their store, the labels that follow, the cards to ask next."""

from tagger.review.agreement import kappa_table
from tagger.review.cell_state import CellState, cell_states
from tagger.review.corrected_labels import CorrectedLabels, apply_decisions, label_table
from tagger.review.decision import Decision, LabelOperation, RecordedDecision, RecordedOperation
from tagger.review.disagreement import DisputedLabel
from tagger.review.doubt_ranking import DoubtModel
from tagger.review.known_photos import know_photos
from tagger.review.label_operations import EditedVocabulary, check_operation, vocabulary_after
from tagger.review.photo_finder import PhotoFilter
from tagger.review.photo_identity import RunPhotos
from tagger.review.recent_work import WorkStep, work_session, work_steps
from tagger.review.review_queue import SuspectFilter
from tagger.review.review_session import ReviewSession
from tagger.review.reviewed_run import ReviewedRun
from tagger.review.store import Store, utc_now
from tagger.review.store_engine import default_url
from tagger.review.views import (
    Card,
    Disagreement,
    ImageView,
    LabelProgress,
    LabelView,
    NeighbourView,
    ReviewProgress,
)

__all__ = [
    "Card",
    "CellState",
    "CorrectedLabels",
    "Decision",
    "Disagreement",
    "DisputedLabel",
    "DoubtModel",
    "EditedVocabulary",
    "ImageView",
    "LabelOperation",
    "LabelProgress",
    "LabelView",
    "NeighbourView",
    "PhotoFilter",
    "RecordedDecision",
    "RecordedOperation",
    "ReviewProgress",
    "ReviewSession",
    "ReviewedRun",
    "RunPhotos",
    "Store",
    "SuspectFilter",
    "WorkStep",
    "apply_decisions",
    "cell_states",
    "check_operation",
    "default_url",
    "kappa_table",
    "know_photos",
    "label_table",
    "utc_now",
    "vocabulary_after",
    "work_session",
    "work_steps",
]
