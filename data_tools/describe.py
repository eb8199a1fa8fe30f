"""Summary of a data set: counts, imbalance, co-occurrence, image sizes and rules."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_tools.checking import map_in_threads
from tagger.arrays import UNKNOWN, YES, Cells
from tagger.data import Dataset, MinedRule, cooccurring_pairs, label_stats, mine_rules
from tagger.data.images.decoding import UnreadableImage, image_size
from tagger.errors import Problem
from tagger.progress import Track, no_track


@dataclass(frozen=True)
class Description:
    """The summary of a data set.

    ``labels`` has a row per label: yes, no, unknown (images), share (of *yes* among known).
    ``labels_per_image[n]`` is the number of images with n labels. ``pairs`` are pairs of labels with their
    ``lift``, highest first. ``imbalance`` is the most frequent label's count over the rarest's. ``width_N``
    and ``height_N`` are in pixels, 0 for images in ``unreadable``.
    """

    num_images: int
    num_unlisted: int
    num_unlabelled: int
    share_unknown: float
    labels: pd.DataFrame
    labels_per_image: NDArray[np.int64]
    imbalance: float
    pairs: pd.DataFrame
    rules: tuple[MinedRule, ...]
    num_bytes: int
    width_N: NDArray[np.int64]
    height_N: NDArray[np.int64]
    unreadable: tuple[Problem, ...]


def describe(dataset: Dataset, *, track: Track = no_track) -> Description:
    """The summary of a data set. Of the images only the headers are read, for their sizes as stored."""
    labels_NK = dataset.labels_NK
    stats = label_stats(labels_NK)
    unknown_K = len(labels_NK) - stats.positives_K - stats.negatives_K
    known_K = np.maximum(stats.positives_K + stats.negatives_K, 1)
    table = pd.DataFrame(
        {
            "label": list(dataset.labels),
            "yes": stats.positives_K.astype(int),
            "no": stats.negatives_K.astype(int),
            "unknown": unknown_K.astype(int),
            "share": stats.positives_K / known_K,
        }
    )
    used_K = stats.positives_K[stats.positives_K > 0]
    num_N = (labels_NK == YES).sum(axis=1)
    width_N, height_N, problems = image_sizes(dataset.root, dataset.images["file"].tolist(), track=track)
    return Description(
        num_images=len(labels_NK),
        num_unlisted=len(dataset.unlisted),
        num_unlabelled=int((num_N == 0).sum()),
        share_unknown=float((labels_NK == UNKNOWN).mean()),
        labels=table.sort_values(["yes", "label"], ascending=[False, True], ignore_index=True),
        labels_per_image=np.bincount(num_N),
        imbalance=float(used_K.max() / used_K.min()) if len(used_K) else 1.0,
        pairs=pairs_above_chance(labels_NK, dataset.labels),
        rules=mine_rules(labels_NK, dataset.labels),
        num_bytes=int(dataset.images["size"].sum()),
        width_N=width_N,
        height_N=height_N,
        unreadable=tuple(problems),
    )


def pairs_above_chance(labels_NK: Cells, names: tuple[str, ...], *, min_images: int = 5) -> pd.DataFrame:
    """Pairs of labels that at least ``min_images`` images have both, by falling lift.

    Columns: ``label``, ``other``, ``images``, ``lift``: how many times as often the two occur together as
    if they were independent.

    >>> labels_NK = np.array([[1, 1]] * 8 + [[1, 0]] * 2 + [[0, 0]] * 10, np.int8)
    >>> pairs_above_chance(labels_NK, ("sea", "beach")).values.tolist()
    [['sea', 'beach', 8, 2.0]]
    """
    first, second, both = cooccurring_pairs(labels_NK, min_images=min_images)
    yes_K = (labels_NK == YES).sum(axis=0).astype(np.float64)
    lift = both * len(labels_NK) / (yes_K[first] * yes_K[second])
    table = pd.DataFrame(
        {
            "label": [names[k] for k in first],
            "other": [names[k] for k in second],
            "images": both,
            "lift": lift,
        }
    )
    return table.sort_values(["lift", "images"], ascending=False, kind="stable", ignore_index=True)


def image_sizes(
    root: str | Path, files: list[str], *, track: Track = no_track
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Problem]]:
    """(widths_N, heights_N, problems) from the headers; 0 and a problem for an unreadable image."""
    sizes_N2 = np.zeros((len(files), 2), dtype=np.int64)
    problems = []
    found = map_in_threads(lambda file: header_size(Path(root, file)), files)
    for n, (size, reason) in zip(track(range(len(files)), "Reading sizes"), found, strict=True):
        sizes_N2[n] = size
        problems += [Problem(files[n], None, reason)] if reason else []
    return sizes_N2[:, 0], sizes_N2[:, 1], problems


def header_size(path: Path) -> tuple[tuple[int, int], str]:
    """((width, height) in pixels as stored, ""), or ((0, 0), reason). Nothing is decoded."""
    try:
        return image_size(path), ""
    except UnreadableImage as error:
        return (0, 0), error.reason
