"""Base class and registry of signals."""

from abc import ABC, abstractmethod

from tagger.arrays import Floats
from tagger.registry import Registry
from tagger.suspects.evidence import Evidence

signals = Registry("signal")


def build_signals(evidence: Evidence) -> dict[str, "Signal"]:
    """Every signal that applies to the evidence, by name."""
    return {
        name: signals.build(name, evidence)
        for name in signals.names()
        if signals.find(name).applies(evidence)  # type: ignore[attr-defined]
    }


class Signal(ABC):
    """Evidence for a label being on an image, apart from the label itself.

    ``for_yes_NK`` is evidence that the cell is *yes*, in nats up to a constant, higher is surer; 0
    everywhere if there is nothing to say. It never looks at the cell's own given value. Its weight is
    learnt from the given labels, unless ``trusted``: then it is a likelihood ratio, added as it is.
    ``of_other_labels``: it comes from the other labels of the image.
    """

    is_likelihood_ratio = False
    of_other_labels = False
    for_yes_NK: Floats

    def __init__(self, evidence: Evidence):
        self.evidence = evidence

    @classmethod
    def applies(cls, evidence: Evidence) -> bool:
        """Whether the evidence has what the signal goes by; others are not built."""
        return True

    @abstractmethod
    def reason(self, row: int, k: int) -> str:
        """What this signal sees at one cell, as a sentence for a person."""
