"""What do the image's other labels say about this one? `portrait` and `female` without `people` is odd.

Labels that exclude each other are not asked about each other. Where an image was given one label of several, an error
is an exchange: the wrong label's presence would prove that the right one is absent, and no swap would ever be doubted.
So it is for groups of ``labels.toml``, and for all labels of a set in which no image has two. Measured on 1,955 faces
with one of 9 age labels each, 10 % of them swapped: of the first 50 suspects 7 were wrong cells, and 41 are now (37
where the group is not declared, so that the network does not know of it either).
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Floats
from tagger.suspects.evidence import Evidence
from tagger.suspects.regression import by_relevance, cross_fitted
from tagger.suspects.signals.family import Signal, signals
from tagger.suspects.threads import each

MOST_OTHERS = 48
CHUNK = 65_536


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
        self.lift_KK = _lift(yes_NK)
        self.for_yes_NK: Floats = np.zeros(labels_NK.shape, np.float32)
        strength_KK = np.abs(self.lift_KK)
        apart_KK = exclude_each_other(evidence)
        strength_KK[apart_KK] = -1
        self.weight_KK = np.zeros(self.lift_KK.shape)

        def learn(k: int) -> None:
            others = by_relevance(strength_KK[k], min(MOST_OTHERS, int((~apart_KK[k]).sum())))
            target_N, known_N = labels_NK[:, k] == YES, labels_NK[:, k] >= NO
            self.for_yes_NK[:, k], self.weight_KK[k] = cross_fitted(
                yes_NK, target_N, known_N, evidence.part_N, among=others
            )

        each(learn, range(labels_NK.shape[1]))
        self.mean_K = self.for_yes_NK.mean(axis=0)

    def reason(self, row: int, k: int) -> str:
        labels_K, names = self.evidence.labels_NK[row], self.evidence.names
        present = np.flatnonzero(labels_K == YES)
        present = present[present != k]
        if not len(present):
            return f"Images without any other label rarely have `{names[k]}`"
        told = present[np.argsort(-np.abs(self.weight_KK[k, present]))][:2]
        listed = " and ".join(f"`{names[j]}`" for j in told)
        often = self.for_yes_NK[row, k] > self.mean_K[k]
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


def _lift(yes_NK: Floats) -> Floats:
    """Correlation (phi) of *yes* between labels (K, K).

    >>> _lift(np.array([[1, 1], [0, 0]], np.float32)).round(2).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    both_KK = np.zeros((yes_NK.shape[1],) * 2)
    for start in range(0, len(yes_NK), CHUNK):  # float32 counts exactly up to 16 million only
        both_KK += yes_NK[start : start + CHUNK].T @ yes_NK[start : start + CHUNK]
    share_K = np.diag(both_KK) / len(yes_NK)
    apart_KK = both_KK / len(yes_NK) - np.outer(share_K, share_K)
    scale_K = np.sqrt(np.diag(apart_KK)) + 1e-9
    return apart_KK / scale_K / scale_K[:, None]
