"""Base class and registry of signals."""

from abc import ABC, abstractmethod

from tagger.arrays import Floats
from tagger.registry import Registry
from tagger.suspects.evidence import Evidence

signals = Registry("signal")


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

    @abstractmethod
    def reason(self, row: int, k: int) -> str:
        """What this signal sees at one cell, as a sentence for a person."""
