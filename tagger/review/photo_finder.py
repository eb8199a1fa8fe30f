"""Photos found by name and by the labels that they have now, in an order of choice."""

from dataclasses import dataclass

import numpy as np

from tagger.arrays import YES, Indices
from tagger.review.card_builder import ROWS_PER_BLOCK, CardBuilder
from tagger.review.decision_index import DecisionIndex

ORDERS = ("run", "name", "doubt", "probability")


@dataclass(frozen=True)
class PhotoFilter:
    """Which photos: a part of the name, labels that all must be there, labels of which none may be, no label at all.

    ``order``: that of the run, by name, by the largest doubt of a label, or by the probability of the first
    label of ``having`` or ``lacking``; the largest come first.
    """

    text: str = ""
    having: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    unlabelled: bool = False
    order: str = "run"

    @property
    def asks_for_labels(self) -> bool:
        """Whether it depends on the labels."""
        return bool(self.having or self.lacking or self.unlabelled)


def find_photos(
    builder: CardBuilder, index: DecisionIndex, filter: PhotoFilter, doubt_N: np.ndarray
) -> Indices:
    """The rows of the photos, in order. Labels that do not exist any more are at no photo."""
    rows_R = np.arange(len(builder.files))
    if filter.text:
        wanted = filter.text.casefold()
        rows_R = np.flatnonzero([wanted in file.casefold() for file in builder.files])
        rows_R = rows_R[
            np.argsort(builder.files[rows_R] != filter.text, kind="stable")
        ]  # first the one called so
    if filter.asks_for_labels:
        blocks = [rows_R[at : at + ROWS_PER_BLOCK] for at in range(0, len(rows_R), ROWS_PER_BLOCK)]
        fits = [block[_fits(builder, index, filter, block)] for block in blocks]
        rows_R = np.concatenate(fits) if fits else rows_R
    return _in_order(builder, index, filter, rows_R, doubt_N)


def _fits(builder: CardBuilder, index: DecisionIndex, filter: PhotoFilter, rows_R: Indices) -> np.ndarray:
    log = [row for hash in {*builder.hashes[rows_R].tolist()} for row in index.history(hash)]
    yes_RK = builder.current_cells(rows_R.tolist(), log, index).values_NK == YES
    names = index.vocabulary.names

    def has(label: str) -> np.ndarray:
        return yes_RK[:, names.index(label)] if label in names else np.zeros(len(rows_R), bool)

    fits_R = np.ones(len(rows_R), bool)
    for label in filter.having:
        fits_R &= has(label)
    for label in filter.lacking:
        fits_R &= ~has(label)
    return fits_R & ~yes_RK.any(1) if filter.unlabelled else fits_R


def _in_order(
    builder: CardBuilder, index: DecisionIndex, filter: PhotoFilter, rows_R: Indices, doubt_N: np.ndarray
) -> Indices:
    if filter.order == "name":
        return rows_R[np.argsort(builder.files[rows_R].astype(str), kind="stable")]
    if filter.order == "doubt":
        return rows_R[np.argsort(-doubt_N[rows_R], kind="stable")]
    label = next(iter(filter.having + filter.lacking), None)
    if filter.order == "probability" and label is not None:
        prob_R = builder.probabilities(rows_R.tolist(), label, index)
        return rows_R[np.argsort(-np.nan_to_num(prob_R, nan=-1.0), kind="stable")]
    return rows_R
