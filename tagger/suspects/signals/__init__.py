"""Signals of label errors: one file per signal, all of them are used."""

from tagger.suspects.signals.base import Signal, build_signals, signals
from tagger.suspects.signals.duplicates import Duplicates
from tagger.suspects.signals.dynamics import LearningDynamics
from tagger.suspects.signals.flicker import Flicker
from tagger.suspects.signals.label_context import LabelContext
from tagger.suspects.signals.neighbours import Neighbours
from tagger.suspects.signals.rules import MinedRules
from tagger.suspects.signals.self_confidence import SelfConfidence

__all__ = [
    "Duplicates",
    "Flicker",
    "LabelContext",
    "LearningDynamics",
    "MinedRules",
    "Neighbours",
    "SelfConfidence",
    "Signal",
    "build_signals",
    "signals",
]
