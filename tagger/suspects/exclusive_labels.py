"""Labels that exclude each other, as the given labels show, and what a verified label says about the others.

The label context leaves them out: an error among them is an exchange. A label that a person has verified is
no error, and does speak about those it excludes.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats, logit, sigmoid
from tagger.suspects.evidence import Evidence

EXCLUSIVE_SHARE = (
    0.002  # of the images that would have both labels by chance: so few, and they exclude each other
)
RARE_SHARE = 0.1  # likewise: so few, and a label rarely meets another one
MOST_RARE = 0.9  # of the labels that it rarely meets, those that it must never meet
MIN_WITHOUT = 0.15  # share of photos that chance would leave without a label: fewer than two a photo
FEW_WITHOUT = 0.002  # of those: so few, and every photo was given one
MIN_BY_CHANCE = 3  # such images, for their absence to say anything


class ChanceMeetings:
    """How many images would have two labels if these fell independently, of those whose both cells are known."""

    def __init__(self, labels_NK: Cells):
        self._num_images = len(labels_NK)
        self._known_K = (labels_NK >= NO).sum(axis=0)
        self._share_K = (labels_NK == YES).sum(axis=0) / np.maximum(self._known_K, 1)

    def of(self, block: NDArray[np.integer] | slice) -> Floats:
        """For each label of a block and all (L, K); at least: cells may be unknown in different images.

        >>> ChanceMeetings(np.array([[1, 1], [1, 0], [0, 1], [0, -1]])).of(slice(0, 1)).round(2).tolist()
        [[1.0, 1.0]]
        """
        both_known_LK = np.add.outer(self._known_K[block], self._known_K) - self._num_images
        return np.outer(self._share_K[block], self._share_K) * np.maximum(both_known_LK, 0)


def never_together(both_LK: Floats, by_chance_LK: Floats) -> NDArray[np.bool_]:
    """Pairs of labels that no image has together, where chance would bring some together.

    Of the labels that a label rarely meets it must meet hardly any: few wrong labels among exclusive ones
    bring some pairs together and leave others, and the former are what shows the errors.

    >>> never_together(np.array([[9.0, 0.0, 5.0]]), np.array([[9.0, 9.0, 9.0]])).tolist()
    [[False, True, False]]
    """
    enough_LK = by_chance_LK >= MIN_BY_CHANCE
    never_LK = enough_LK & (both_LK <= EXCLUSIVE_SHARE * by_chance_LK)
    rarely_LK = enough_LK & (both_LK <= RARE_SHARE * by_chance_LK)
    met_L = never_LK.sum(axis=1) < MOST_RARE * rarely_LK.sum(axis=1)
    return never_LK & ~met_L[:, None]


def no_photo_without_label(labels_NK: Cells) -> bool:
    """Tell whether no photo is without a label where chance would leave many.

    Then labels seem to stand in for each other: the fewer others a photo has, the likelier is this one. A photo that
    lacks it has others for certain, and what they say about it is mostly that.

    >>> no_photo_without_label(np.tile(np.eye(3, dtype=np.int8), (50, 1)))
    True
    >>> no_photo_without_label(np.zeros((50, 3), np.int8))
    False
    """
    share_K = (labels_NK == YES).sum(axis=0) / np.maximum((labels_NK >= NO).sum(axis=0), 1)
    by_chance = float(np.prod(1 - share_K))
    without = float(((labels_NK != YES).all(axis=1)).mean()) if len(labels_NK) else 0.0
    return by_chance >= MIN_WITHOUT and without <= FEW_WITHOUT * by_chance


class Exclusions:
    """What a label's being *yes* says against all others that it excludes; counted when it is first asked for."""

    def __init__(self, evidence: Evidence):
        self._first_NK = evidence.first_labels_NK
        self._chance = ChanceMeetings(self._first_NK)
        self._known: dict[int, Floats] = {}

    def nats_K(self, label: int) -> Floats:
        """In nats, 0 for labels that may go with it."""
        if label not in self._known:
            both_K = (self._first_NK[self._first_NK[:, label] == YES] == YES).sum(axis=0)
            by_chance_K = self._chance.of(np.array([label]))[0]
            apart_K = never_together(both_K[None], by_chance_K[None])[0]
            self._known[label] = np.where(apart_K, np.log((both_K + 0.5) / (by_chance_K + 0.5)), 0.0)
        return self._known[label]


def condition_on_verified(doubt_NK: Floats, evidence: Evidence) -> Floats:
    """The doubts, given what verified labels exclude.

    Where every image has exactly one label, one that lost its label has another.
    """
    if evidence.verified_NK is None:
        return doubt_NK
    doubt_NK = doubt_NK.copy()
    told_yes_NK = evidence.verified_NK & (evidence.labels_NK == YES)
    exclusions = Exclusions(evidence)
    for row in np.flatnonzero(told_yes_NK.any(axis=1)):
        nats_K = np.min([exclusions.nats_K(k) for k in np.flatnonzero(told_yes_NK[row]).tolist()], axis=0)
        doubt_NK[row] = shifted_doubts(doubt_NK[row], evidence.labels_NK[row] == YES, nats_K)
    if bool(((evidence.first_labels_NK == YES).sum(axis=1) == 1).all()):
        _find_lost_label(doubt_NK, evidence)
    return doubt_NK


def shifted_doubts(doubt_C: Floats, yes_C: NDArray[np.bool_], for_yes_C: Floats) -> Floats:
    """Doubts of given values after more evidence for *yes*, in nats.

    >>> shifted_doubts(np.array([0.5, 0.5]), np.array([True, False]), np.array([1.0, 1.0])).round(2).tolist()
    [0.27, 0.73]
    """
    against_C = np.where(yes_C, -for_yes_C, for_yes_C)
    return sigmoid(logit(np.asarray(doubt_C, np.float64), 1e-5) + against_C)


def _find_lost_label(doubt_NK: Floats, evidence: Evidence) -> None:
    assert evidence.verified_NK is not None
    lost_N = (evidence.labels_NK != YES).all(axis=1) & evidence.verified_NK.any(axis=1)
    for row in np.flatnonzero(lost_N):
        open_K = (evidence.labels_NK[row] == NO) & ~evidence.verified_NK[row] & np.isfinite(doubt_NK[row])
        total = float(doubt_NK[row, open_K].sum())
        if 0 < total < 1:
            doubt_NK[row, open_K] /= total
