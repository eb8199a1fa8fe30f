"""People's decisions on cells: where they are kept, what they say, what to ask next."""

from tagger.review.decision import Decision, LabelOperation, Recorded, RecordedOperation
from tagger.review.engine import default_url
from tagger.review.state import CellState, cell_states
from tagger.review.store import Store, utc_now

__all__ = [
    "CellState",
    "Decision",
    "LabelOperation",
    "Recorded",
    "RecordedOperation",
    "Store",
    "cell_states",
    "default_url",
    "utc_now",
]
