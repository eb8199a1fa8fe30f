"""Similarity of labels, pair by pair: by what occurs together, by what looks alike, or by the order of a group.

Two labels that exclude each other never occur together, and co-occurrence says nothing of them: such a pair is
compared by the mean features of its images, or, where there are no features, by the order of its ordinal
group. Numpy only.
"""

from collections.abc import Callable

import numpy as np

from tagger.arrays import UNKNOWN, YES, Bools, Cells, Floats
from tagger.errors import TaggerError

ROWS_AT_ONCE = 16_384  # of features, as float64
SURELY_TOGETHER = 3.0  # images with both that chance would give; without one the two exclude each other


def similarity_by_pair(
    labels_NK: Cells,
    group_K: np.ndarray,
    *,
    order_KK: Floats,
    features: Callable[[], Floats] | None,
    prefer_order: bool = False,
    all_by_features: bool = False,
) -> Floats:
    """The similarity (K, K) of labels: co-occurrence, but of pairs that exclude each other by features, or by order.

    ``group_K`` is each label's exclusive group (-1: none), ``order_KK`` the similarity by order (NaN where a
    pair has none), ``features`` gives the images' features (N, D). Order is taken where there are no features,
    or with ``prefer_order``. TaggerError where nothing can compare a pair.
    """
    together_KK = label_similarity(labels_NK)
    apart_KK = exclusive_pairs(labels_NK, group_K)
    if all_by_features:
        apart_KK = ~np.eye(len(group_K), dtype=bool)
    if not apart_KK.any():
        return together_KK
    ordered_KK = ~np.isnan(order_KK) & apart_KK & (prefer_order or features is None) & (not all_by_features)
    seen_KK = apart_KK & ~ordered_KK
    other_KK = np.where(ordered_KK, order_KK, 0.0)
    if seen_KK.any():
        other_KK = np.where(seen_KK, _look(labels_NK, features), other_KK)
    return np.where(apart_KK, other_KK * _common_scale(together_KK, other_KK, apart_KK), together_KK)


def _look(labels_NK: Cells, features: Callable[[], Floats] | None) -> Floats:
    if features is None:
        raise TaggerError(
            "head.code = 'data': labels that exclude each other are compared by the features of their photos, and there"
            " are none here. Give pretrained weights, or another code (head.code=dense-random)."
        )
    return feature_similarity(labels_NK, np.asarray(features()))


def exclusive_pairs(labels_NK: Cells, group_K: np.ndarray) -> Bools:
    """Which pairs (K, K) exclude each other: of one group, or never together where chance would have them so.

    Where no two labels occur together at all, every pair does.

    >>> exclusive_pairs(np.array([[1, 0, 1], [0, 1, 1]], np.int8), np.array([0, 0, -1])).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """
    yes = (labels_NK == YES).astype(np.float64)
    both_KK = yes.T @ yes
    np.fill_diagonal(both_KK, 0.0)
    expected_KK = np.outer(yes.sum(0), yes.sum(0)) / max(len(yes), 1)
    same_group = (group_K[:, None] == group_K) & (group_K >= 0)
    apart_KK = same_group | ((both_KK == 0) & (expected_KK >= SURELY_TOGETHER))
    if not both_KK.any():
        apart_KK = np.ones_like(apart_KK)
    return apart_KK & ~np.eye(len(group_K), dtype=bool)


def order_similarity(position_K: Floats, group_K: np.ndarray) -> Floats:
    """How near labels are in the order of their group (K, K): exp(-steps / mean steps); NaN across groups.

    ``position_K`` is the place in an ordinal group, NaN for labels of none.

    >>> order_similarity(np.array([0.0, 1.0, np.nan]), np.array([0, 0, -1])).round(3).tolist()
    [[1.0, 0.368, nan], [0.368, 1.0, nan], [nan, nan, nan]]
    """
    steps_KK = np.abs(position_K[:, None] - position_K)
    steps_KK[group_K[:, None] != group_K] = np.nan
    between = steps_KK[steps_KK > 0]
    return np.exp(-steps_KK / (between.mean() if len(between) else 1.0))


def label_similarity(labels_NK: Cells) -> Floats:
    """How often labels occur together (K, K), 0..1: images with both / sqrt(images with one x images with the
    other).

    Only images whose two cells are both known count; labels that never occur have 0.

    >>> label_similarity(np.array([[1, 1], [1, 0], [-1, 1]], dtype=np.int8)).round(3).tolist()
    [[1.0, 0.707], [0.707, 1.0]]
    """
    yes_NK = labels_NK == YES
    known_NK = labels_NK != UNKNOWN
    yes = yes_NK.astype(np.float64)
    known = known_NK.astype(np.float64)
    both_KK = yes.T @ yes
    one_KK = yes.T @ known
    return both_KK / np.sqrt(np.maximum(one_KK * one_KK.T, 1))


def feature_similarity(labels_NK: Cells, features_ND: Floats) -> Floats:
    """How much alike labels look (K, K), 0..1: exp(-squared distance / median squared distance) of the mean
    features of their images. A label without images has NaN.

    >>> cells = np.array([[1, 0], [0, 1]], dtype=np.int8)
    >>> feature_similarity(cells, np.array([[0.0, 1.0], [1.0, 0.0]])).round(3).tolist()
    [[1.0, 0.368], [0.368, 1.0]]
    """
    yes_NK = labels_NK == YES
    num_features = features_ND.shape[1]
    sum_D = np.zeros(num_features)
    squares_D = np.zeros(num_features)
    sum_KD = np.zeros((labels_NK.shape[1], num_features))
    for at in range(0, len(features_ND), ROWS_AT_ONCE):
        rows_ND = np.asarray(features_ND[at : at + ROWS_AT_ONCE], dtype=np.float64)
        sum_D = sum_D + rows_ND.sum(0)
        squares_D = squares_D + (rows_ND**2).sum(0)
        sum_KD += yes_NK[at : at + ROWS_AT_ONCE].T.astype(np.float64) @ rows_ND
    average_D = sum_D / len(features_ND)
    std_D = np.sqrt(np.maximum(squares_D / len(features_ND) - average_D**2, 1e-6))
    with np.errstate(invalid="ignore"):
        mean_KD = (sum_KD / yes_NK.sum(0)[:, None] - average_D) / std_D
    norm_K = (mean_KD**2).sum(1)
    distance_KK = np.maximum(norm_K[:, None] + norm_K - 2 * mean_KD @ mean_KD.T, 0)
    np.fill_diagonal(distance_KK, np.where(np.isnan(norm_K), np.nan, 0.0))
    between = distance_KK[~np.eye(len(norm_K), dtype=bool)]
    between = between[np.isfinite(between)]
    return np.exp(-distance_KK / max(float(np.median(between)) if len(between) else 1.0, 1e-12))


def _common_scale(together_KK: Floats, other_KK: Floats, apart_KK: Bools) -> float:
    """The factor that gives pairs that exclude each other the mean similarity of the other pairs; 1 without others."""
    free_KK = ~apart_KK & ~np.eye(len(apart_KK), dtype=bool)
    if not together_KK[free_KK].any():
        return 1.0
    return float(together_KK[free_KK].mean() / max(np.nanmean(other_KK[apart_KK]), 1e-12))
