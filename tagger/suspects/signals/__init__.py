"""What speaks for a label being on an image, apart from the label itself? One file a signal; all of them are used."""

from tagger.suspects.signals.duplicates import Duplicates
from tagger.suspects.signals.dynamics import Dynamics
from tagger.suspects.signals.family import Signal, signals
from tagger.suspects.signals.label_context import LabelContext
from tagger.suspects.signals.neighbours import Neighbours
from tagger.suspects.signals.rules import MinedRules
from tagger.suspects.signals.self_confidence import SelfConfidence

__all__ = [
    "Duplicates",
    "Dynamics",
    "LabelContext",
    "MinedRules",
    "Neighbours",
    "SelfConfidence",
    "Signal",
    "signals",
]
