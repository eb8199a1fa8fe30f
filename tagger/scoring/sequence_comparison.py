"""Scores of single frames beside those of frames with the ones before them, label by label.

Skew-normalised average precision is that of a set in which the label is as frequent as its absence: images without
it weigh as much together as those with it (Jeni et al. 2013, on which chapter 2 of the thesis goes). It can be
compared between labels, and sets, of other shares.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tagger.arrays import UNKNOWN, YES, Cells, Floats
from tagger.scoring.ranking_metrics import RankedLabel

Score = Callable[[Cells, Floats], float | None]


def compare_with_frames(
    labels_NK: Cells, frame_NK: Floats, sequence_NK: Floats, names: Sequence[str]
) -> dict[str, Any]:
    """``map``, ``skew_normalised_map`` and ``per_label``, each with the score of a ``frame`` and of a ``sequence``.

    None where a label has not both sides. The two arrays hold scores or probabilities of the same images.
    """
    found: dict[str, Any] = {"num_images": len(labels_NK)}
    per_label: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, score in _SCORES.items():
        values = {
            which: [score(labels_NK[:, k], of_NK[:, k]) for k in range(len(names))]
            for which, of_NK in (("frame", frame_NK), ("sequence", sequence_NK))
        }
        for k, name in enumerate(names):
            per_label[name][key] = {which: column[k] for which, column in values.items()}
        found["map" if key == "average_precision" else "skew_normalised_map"] = {
            which: _mean(column) for which, column in values.items()
        }
    return found | {"per_label": per_label}


def average_precision(labels_N: Cells, scores_N: Floats) -> float | None:
    """Average precision of one label; None without both sides.

    >>> average_precision(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))
    0.8333333333333333
    """
    return _weighted(labels_N, scores_N, 1.0)


def skew_normalised_average_precision(labels_N: Cells, scores_N: Floats) -> float | None:
    """Average precision with as much weight without the label as with it; None without both sides.

    >>> skew_normalised_average_precision(np.array([1, 0, 0, 0]), np.array([0.8, 0.9, 0.7, 0.1]))
    0.75
    """
    num_no = (labels_N >= 0).sum() - (labels_N == YES).sum()
    return _weighted(labels_N, scores_N, float((labels_N == YES).sum() / max(num_no, 1)))


_SCORES: dict[str, Score] = {
    "average_precision": average_precision,
    "skew_normalised": skew_normalised_average_precision,
}


def _weighted(labels_N: Cells, scores_N: Floats, weight_of_no: float) -> float | None:
    known_N = labels_N != UNKNOWN
    labels_N, scores_N = labels_N[known_N], scores_N[known_N]
    if not 0 < (labels_N == YES).sum() < len(labels_N):
        return None
    weights_N = np.where(labels_N == YES, 1.0, weight_of_no)
    return float(RankedLabel.of(labels_N, scores_N).average_precision(weights_N[:, None])[0])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
