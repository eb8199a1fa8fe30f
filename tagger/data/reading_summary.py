"""Summary of what was read, for a person to check in ten seconds: photos with labels, usual and odd labels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES
from tagger.data.dataset import Dataset
from tagger.data.formats.word_readings import is_word

NUM_PHOTOS = 5
NUM_FREQUENT = 10
NUM_ODD = 5
JOINED = re.compile(r"[|;,#\t\n\[\]{}\"]")
OTHER_THINGS = {
    "train",
    "val",
    "valid",
    "validation",
    "test",
    "images",
    "labels",
    "unknown",
    "none",
}


@dataclass(frozen=True)
class ReadingSummary:
    """What was read: the source, example photos with labels and unknown labels, labels with their photos, odd ones.

    ``odd`` has for each label the number of its photos and what is odd about it.
    """

    source: str
    num_images: int
    num_labels: int
    examples: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    frequent: tuple[tuple[str, int], ...]
    odd: tuple[tuple[str, int, str], ...]


def summarise_reading(dataset: Dataset) -> ReadingSummary:
    """The summary of a data set; the same one gives the same summary."""
    yes_K = (dataset.labels_NK == YES).sum(axis=0)
    files = dataset.images["file"].tolist()
    order = np.argsort(-yes_K, kind="stable")
    return ReadingSummary(
        source=dataset.source,
        num_images=len(files),
        num_labels=len(dataset.labels),
        examples=tuple(
            (files[n], _names(dataset, n, YES), _names(dataset, n, UNKNOWN)) for n in _examples(dataset)
        ),
        frequent=tuple((dataset.labels[k], int(yes_K[k])) for k in order[:NUM_FREQUENT].tolist()),
        odd=odd_labels(dataset.labels, yes_K, len(files)),
    )


def odd_labels(
    labels: Sequence[str], yes_K: NDArray[np.int64], num_images: int
) -> tuple[tuple[str, int, str], ...]:
    """(label, photos, what is odd) of the five oddest: names that look like something else, then rare ones.

    >>> odd_labels(["cat", "a, b", "1"], np.array([3, 1, 2]), 6)
    (('a, b', 1, 'looks like several labels'), ('1', 2, 'looks like yes, no or a number'))
    """
    doubts = [
        (_oddness(label, int(times), num_images), k)
        for k, (label, times) in enumerate(zip(labels, yes_K, strict=True))
    ]
    odd = sorted((rank, int(yes_K[k]), k, what) for (rank, what), k in doubts if what)
    return tuple((labels[k], times, what) for _, times, k, what in odd[:NUM_ODD])


def _oddness(label: str, times: int, num_images: int) -> tuple[int, str]:
    """(rank, what is odd): the lower the odder; ``""`` for a label like any other."""
    if JOINED.search(label):
        return 0, "looks like several labels"
    if is_word(label) or re.fullmatch(r"[-+]?\d+([.,]\d+)?", label):
        return 1, "looks like yes, no or a number"
    if label.lower() in OTHER_THINGS or re.search(r"\.\w{2,4}$", label):
        return 2, "looks like no label: a split, a folder, a file or a column"
    if len(label) > 40:
        return 3, "very long: a sentence?"
    if times == num_images and num_images > 1:
        return 4, "every photo has it"
    if times == 0:
        return 5, "no photo has it"
    return (6, "one photo has it") if times == 1 else (9, "")


def _examples(dataset: Dataset) -> list[int]:
    """Five photos from the first to the last, of those with a label if there are so many."""
    with_label_N = np.flatnonzero((dataset.labels_NK == YES).any(axis=1))
    rows_N = with_label_N if len(with_label_N) >= NUM_PHOTOS else np.arange(len(dataset.images))
    places = np.linspace(0, len(rows_N) - 1, min(NUM_PHOTOS, len(rows_N))).round().astype(int)
    return [int(rows_N[place]) for place in dict.fromkeys(places.tolist())]


def _names(dataset: Dataset, n: int, value: int) -> tuple[str, ...]:
    return tuple(dataset.labels[k] for k in np.flatnonzero(dataset.labels_NK[n] == value))
