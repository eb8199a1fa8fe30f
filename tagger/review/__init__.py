"""People's decisions on cells: where they are kept, what they say, what to ask next."""

from tagger.review.apply import Applied, apply_decisions, label_table
from tagger.review.cards import Card, Disagreement, ImageView, LabelProgress, LabelView, NeighbourView, Progress
from tagger.review.decision import Decision, LabelOperation, Recorded, RecordedOperation
from tagger.review.desk import Desk
from tagger.review.engine import default_url
from tagger.review.kappa import kappa
from tagger.review.operations import Vocabulary, check_operation, vocabulary
from tagger.review.queue import Filter
from tagger.review.state import CellState, cell_states
from tagger.review.store import Store, utc_now

__all__ = [
    "Applied",
    "Card",
    "CellState",
    "Decision",
    "Desk",
    "Disagreement",
    "Filter",
    "ImageView",
    "LabelOperation",
    "LabelProgress",
    "LabelView",
    "NeighbourView",
    "Progress",
    "Recorded",
    "RecordedOperation",
    "Store",
    "Vocabulary",
    "apply_decisions",
    "cell_states",
    "check_operation",
    "default_url",
    "kappa",
    "label_table",
    "utc_now",
    "vocabulary",
]
