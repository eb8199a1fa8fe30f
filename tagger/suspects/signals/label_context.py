"""What do the image's other labels say about this one? `portrait` and `female` without `people` is odd.

Labels that exclude each other are not asked about each other. Where an image was given one label of several, an error
is an exchange: the wrong label's presence would prove that the right one is absent, and no swap would ever be doubted.
So it is for groups of ``labels.toml``, and for all labels of a set in which no image has two. Measured on 1,955 faces
with one of 9 age labels each, 10 % of them swapped: of the first 50 suspects 7 were wrong cells, and 41 are now (37
where the group is not declared, so that the network does not know of it either).
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats
from tagger.suspects.evidence import Evidence
from tagger.suspects.regression import by_relevance, cross_fitted
from tagger.suspects.signals.family import Signal, signals

MOST_OTHERS = 48


@signals.register("label_context")
class LabelContext(Signal):
    """Log-odds of a label from the image's other given labels, learnt on images of the other parts.

    Of many labels, the ``MOST_OTHERS`` that go with this one most or least often are looked at; labels that exclude
    this one are not.
    """

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        labels_NK = evidence.labels_NK
        yes_NK = (labels_NK == YES).astype(np.float32)
        self.lift_KK = _lift(labels_NK)
        self.for_yes_NK: Floats = np.zeros(labels_NK.shape, np.float32)
        strength_KK = np.abs(self.lift_KK)
        apart_KK = exclude_each_other(evidence)
        strength_KK[apart_KK] = -1
        weights: list[Floats] = []
        for k in range(labels_NK.shape[1]):
            others = by_relevance(strength_KK[k], min(MOST_OTHERS, int((~apart_KK[k]).sum())))
            known_N = labels_NK[:, k] >= NO
            self.for_yes_NK[:, k], weight_F = cross_fitted(
                yes_NK[:, others], yes_NK[:, k] > 0, known_N, evidence.part_N
            )
            weight_K = np.zeros(labels_NK.shape[1])
            weight_K[others] = weight_F
            weights.append(weight_K)
        self.weight_KK = np.array(weights)

    def reason(self, row: int, k: int) -> str:
        labels_K, names = self.evidence.labels_NK[row], self.evidence.names
        present = np.flatnonzero(labels_K == YES)
        present = present[present != k]
        if not len(present):
            return f"Images without any other label rarely have `{names[k]}`"
        told = present[np.argsort(-np.abs(self.weight_KK[k, present]))][:2]
        listed = " and ".join(f"`{names[j]}`" for j in told)
        often = self.for_yes_NK[row, k] > self.for_yes_NK[:, k].mean()
        return f"Images with {listed} {'often' if often else 'rarely'} have `{names[k]}`"


def exclude_each_other(evidence: Evidence) -> NDArray[np.bool_]:
    """apart_KK: whether an image has one of two labels at most, by a declared group or because no image has two; a
    label and itself count too."""
    num_labels = len(evidence.names)
    alone = bool(((evidence.labels_NK == YES).sum(axis=1) <= 1).all())
    apart_KK = np.full((num_labels, num_labels), alone)
    for group in evidence.groups.values():
        if group["kind"] != "multi":
            members = [evidence.names.index(name) for name in group["labels"]]
            apart_KK[np.ix_(members, members)] = True
    np.fill_diagonal(apart_KK, True)
    return apart_KK


def _lift(labels_NK: Cells) -> Floats:
    """Correlation (phi) of *yes* between labels (K, K).

    >>> _lift(np.array([[1, 1], [0, 0]], np.int8)).round(2).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    yes_NK = (labels_NK == YES).astype(np.float32)
    yes_NK -= yes_NK.mean(axis=0)
    scale_K = np.sqrt((yes_NK**2).sum(axis=0)) + 1e-9
    return (yes_NK.T @ yes_NK) / scale_K / scale_K[:, None]
