"""Signal: the image's other labels.

Labels that exclude each other are not used to predict each other. Where an image has one label of several,
an error is a swap: the wrong label would be evidence that the right one is absent, and no swap would be
found. This applies to groups of ``labels.toml``, to all labels of a data set in which no image has two, and
to two labels that next to no image has together, where chance alone would bring some together. Measured on
1,955 faces with one of 9 age labels each, 10 % of them swapped: of the first 50 suspects 7 were wrong cells,
and 41 are now (37 where the group is not declared, so that the network does not know of it either).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats
from tagger.data import cooccurrence_blocks
from tagger.suspects.evidence import Evidence
from tagger.suspects.exclusive_labels import ChanceMeetings, never_together
from tagger.suspects.logistic_regression import cross_fit_logistic, top_k_indices
from tagger.suspects.signals.base import Signal, signals
from tagger.suspects.threads import parallel_for

MAX_OTHER_LABELS = 48


@signals.register("label_context")
class LabelContext(Signal):
    """Log-odds of a label from the image's other given labels, learnt on images of the other parts.

    Of many labels, the ``MAX_OTHER_LABELS`` that go with this one most or least often are looked at; labels
    that exclude this one are not.
    """

    of_other_labels = True

    def __init__(self, evidence: Evidence):
        super().__init__(evidence)
        labels_NK = evidence.labels_NK
        num_labels = len(evidence.names)
        yes_NK = (labels_NK == YES).astype(np.float32)
        share_K = yes_NK.sum(axis=0, dtype=np.float64) / max(len(yes_NK), 1)
        exclusive = MutualExclusion(evidence)
        self.for_yes_NK: Floats = np.zeros(labels_NK.shape, np.float32)
        self.others: list[NDArray[np.int64]] = [
            np.zeros(0, np.int64)
        ] * num_labels  # labels that were looked at
        self.weights: list[Floats] = [np.zeros(0)] * num_labels  # and what each of them counts for

        def fit_label(one: tuple[int, Floats]) -> None:
            k, strength_K = one
            others = top_k_indices(strength_K, min(MAX_OTHER_LABELS, int((strength_K >= 0).sum())))
            target_N = labels_NK[:, k] == YES
            known_N = labels_NK[:, k] >= NO
            self.for_yes_NK[:, k], weight_K = cross_fit_logistic(
                yes_NK, target_N, known_N, evidence.fold_N, only_columns=others
            )
            self.others[k], self.weights[k] = others, weight_K[others]

        chance = ChanceMeetings(evidence.first_labels_NK)
        for block, both_LK, first_LK in _pair_counts(labels_NK, evidence.first_labels_NK):
            strength_LK = np.abs(_phi_coefficient(both_LK / len(labels_NK), block, share_K))
            never_LK = never_together(first_LK, chance.of(block))
            strength_LK[exclusive.of(block) | never_LK] = -1
            parallel_for(fit_label, zip(range(block.start, block.stop), strength_LK, strict=True))
        self.mean_K = self.for_yes_NK.mean(axis=0)

    def gain(self, before_K: Cells, after_K: Cells) -> Floats:
        """What ``for_yes_NK`` of an image gains (K) when its labels change, by the mean over the parts' weights."""
        change_K = (after_K == YES).astype(np.float64) - (before_K == YES)
        pairs = zip(self.others, self.weights, strict=True)
        return np.array([change_K[others] @ weights for others, weights in pairs])

    def weight_K(self, k: int) -> Floats:
        """What each label counts for where label k is judged, 0 for those that were not looked at."""
        weight_K = np.zeros(len(self.others))
        weight_K[self.others[k]] = self.weights[k]
        return weight_K

    def reason(self, row: int, k: int) -> str:
        labels_K = self.evidence.labels_NK[row]
        names = self.evidence.names
        present = np.flatnonzero(labels_K == YES)
        present = present[present != k]
        often = self.for_yes_NK[row, k] > self.mean_K[k]
        if not len(present):
            return f"Photos without any other label {'often' if often else 'rarely'} have `{names[k]}`"
        strongest = present[np.argsort(-np.abs(self.weight_K(k)[present]))][:2]
        listed = " and ".join(f"`{names[j]}`" for j in strongest)
        labels = "label" if len(strongest) == 1 else "labels"
        makes = "makes" if len(strongest) == 1 else "make"
        return f"The other {labels} {listed} {makes} `{names[k]}` {'more' if often else 'less'} likely"


def _pair_counts(labels_NK: Cells, first_NK: Cells) -> Iterator[tuple[slice, Floats, Floats]]:
    """(block of labels, images with both labels of each pair (L, K) now, and as first given).

    What excludes each other shows in the labels as given: where noise alone brings two labels together,
    corrections would make them look exclusive.
    """
    if first_NK is labels_NK:
        yield from ((block, both_LK, both_LK) for block, both_LK in cooccurrence_blocks(labels_NK))
        return
    pairs = zip(cooccurrence_blocks(labels_NK), cooccurrence_blocks(first_NK), strict=True)
    yield from ((block, both_LK, first_LK) for (block, both_LK), (_, first_LK) in pairs)


class MutualExclusion:
    """Labels of which an image has one at most, by a declared group or because no image has two."""

    def __init__(self, evidence: Evidence):
        self.alone = bool(((evidence.first_labels_NK == YES).sum(axis=1) <= 1).all())
        self.num_labels = len(evidence.names)
        place = {name: k for k, name in enumerate(evidence.names)}
        members = [group["labels"] for group in evidence.groups.values() if group["kind"] != "multi"]
        self.groups = [np.array([place[name] for name in names], np.int64) for names in members]

    def of(self, block: slice) -> NDArray[np.bool_]:
        """apart_LK: whether these labels exclude each of all; a label and itself count too."""
        apart_LK = np.full((block.stop - block.start, self.num_labels), self.alone)
        for group in self.groups:
            here = group[(group >= block.start) & (group < block.stop)] - block.start
            apart_LK[np.ix_(here, group)] = True
        apart_LK[np.arange(len(apart_LK)), np.arange(block.start, block.stop)] = True
        return apart_LK


def _phi_coefficient(both_LK: Floats, block: slice, share_K: Floats) -> Floats:
    """Correlation (phi) of *yes* between a block of labels and all, of the shares of images with both and with
    each.

    >>> _phi_coefficient(np.array([[0.5, 0.5]]), slice(0, 1), np.array([0.5, 0.5])).round(2).tolist()
    [[1.0, 1.0]]
    """
    scale_K = np.sqrt(share_K - share_K * share_K) + 1e-9
    return (both_LK - np.outer(share_K[block], share_K)) / scale_K / scale_K[block, None]
