"""Nearest images by cosine of standardised, PCA-reduced features; near-duplicates are left out.

Up to ``EXACT_UP_TO`` images all pairs are compared, beyond only those of near regions of the space. Of
24,000 crops of photos, by mobilenetv2's features, 95 % of the 25 images so found are those of all pairs,
and the mean cosine is .614 instead of .616; of 1,000,000 drawn ones see ``benchmarks/speed_suspects.py``.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.suspects.feature_reduction import reduce_features
from tagger.suspects.inverted_file import ivf_search, region_size
from tagger.suspects.threads import parallel_for

EXACT_UP_TO = 20_000
EXTRA_NEIGHBOURS = 8  # more neighbours than asked for are fetched, because near-duplicates are left out
BLOCK = 256
CHUNK = 8192


def nearest_images(
    features_ND: Floats,
    group_N: NDArray[np.integer],
    feature_source_N: NDArray[np.integer] | pd.Series | None = None,
    *,
    num: int = 25,
    seed: int = 0,
    exact: int = EXACT_UP_TO,
) -> tuple[NDArray[np.int32], Floats]:
    """(rows (N, num), cosines (N, num)) of the images most like each one, nearest first; -1 and 0 where there
    is none.

    Images of the same group (near-duplicates, and the image itself) are left out: a copy with the same
    wrong label would confirm it. Only images whose features come from the same network
    (``feature_source_N``) are compared. Of more than ``exact`` images some of the nearest may be missing,
    and the next nearest are there instead.

    >>> features_ND = np.array([[0.0, 1.0], [0.1, 1.0], [5.0, 0.0], [5.0, 0.1]])
    >>> rows_NM, _ = nearest_images(features_ND, np.array([0, 1, 2, 3]), num=1)
    >>> rows_NM.ravel().tolist()
    [1, 0, 3, 2]
    """
    rows_NM = np.full((len(features_ND), num), -1, np.int32)
    cosine_NM = np.zeros((len(features_ND), num), np.float32)
    space_N = np.zeros(len(features_ND), int) if feature_source_N is None else np.asarray(feature_source_N)
    for space in np.unique(space_N):
        own = np.flatnonzero(space_N == space)
        some_ND = features_ND if len(own) == len(features_ND) else features_ND[own]
        found_SM, cosine_SM = _nearest_outside_group(
            reduce_features(some_ND, seed=seed), group_N[own], num, exact, seed
        )
        rows_NM[own], cosine_NM[own] = np.where(found_SM >= 0, own[found_SM], -1), cosine_SM
    return rows_NM, cosine_NM


def _nearest_outside_group(
    unit_NC: Floats, group_N: NDArray[np.integer], num: int, exact: int, seed: int
) -> tuple[NDArray[np.int32], Floats]:
    fetched = min(len(unit_NC), num + 1 + EXTRA_NEIGHBOURS)
    if len(unit_NC) <= exact:
        like_NF, cosine_NF = exact_neighbours(unit_NC, fetched)
    else:
        like_NF, cosine_NF = ivf_search(unit_NC, fetched, size=region_size(len(unit_NC)), seed=seed)
    rows_NM = np.full((len(unit_NC), num), -1, np.int32)
    cosine_NM = np.zeros((len(unit_NC), num), np.float32)

    def choose(at: int) -> None:
        like_CF = like_NF[at : at + CHUNK]
        cosine_CF = cosine_NF[at : at + CHUNK]
        order_CF = np.argsort(-cosine_CF, axis=1, kind="stable")
        like_CF = np.take_along_axis(like_CF, order_CF, 1)
        cosine_CF = np.take_along_axis(cosine_CF, order_CF, 1)
        other_CF = (group_N[like_CF] != group_N[at : at + CHUNK, None]) & (like_CF >= 0)
        place_CF = np.cumsum(other_CF, axis=1) - 1
        kept_CF = other_CF & (place_CF < num)
        at_E = at + np.nonzero(kept_CF)[0]
        place_E = place_CF[kept_CF]
        rows_NM[at_E, place_E], cosine_NM[at_E, place_E] = like_CF[kept_CF], cosine_CF[kept_CF]

    parallel_for(choose, range(0, len(unit_NC), CHUNK))
    return rows_NM, cosine_NM


def exact_neighbours(unit_NC: Floats, num: int) -> tuple[NDArray[np.int32], Floats]:
    """(rows (N, num), cosines) of the images most like each one, itself among them, in any order."""
    rows_NM = np.empty((len(unit_NC), num), np.int32)
    cosine_NM = np.empty((len(unit_NC), num), np.float32)

    def compare(at: int) -> None:
        cosine_BN = unit_NC[at : at + BLOCK] @ unit_NC.T
        rows_NM[at : at + BLOCK] = np.argpartition(cosine_BN, -num, axis=1)[:, -num:]
        cosine_NM[at : at + BLOCK] = np.take_along_axis(cosine_BN, rows_NM[at : at + BLOCK], axis=1)

    parallel_for(compare, range(0, len(unit_NC), BLOCK))
    return rows_NM, cosine_NM
