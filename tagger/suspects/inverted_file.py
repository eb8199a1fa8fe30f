"""Approximate nearest neighbours by an inverted file: spherical k-means and a search of near regions.

An inverted file (Sivic and Zisserman 2003, "Video Google"; FAISS's IVF): k-means on the sphere makes
regions, and an image is compared with the members of the ``NUM_PROBES`` regions whose centres are nearest
to it. With regions as large as ``region_size`` says, time grows by the power 1.5 of the number of images.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.suspects.threads import parallel_for

RowIndices = NDArray[np.int32]

NUM_PROBES = 10
CANDIDATE_REGIONS = 64
MIN_REGION_SIZE = 512
KMEANS_STEPS = 5
KMEANS_IMAGES_PER_REGION = 20  # of k-means, which sees this many images of each region
MAX_OVERSIZE = 4  # times the wanted size: larger regions are cut, because a region costs its size squared
PACKING_RATIO = 8  # of so many cells one may be better for packing to pay
CHUNK = 2048


def region_size(num_images: int) -> int:
    """How many images a region should have: as much work to find the regions as to compare with their members.

    >>> region_size(100_000), region_size(10_000_000)
    (512, 1000)
    """
    return max(MIN_REGION_SIZE, round((num_images / NUM_PROBES) ** 0.5))


def ivf_search(
    unit_NC: Floats, num: int, *, size: int, probed: int = NUM_PROBES, seed: int = 0
) -> tuple[RowIndices, Floats]:
    """(rows (N, num), cosines) of images like each one, itself among them, in any order; -1 where there are
    too few.

    >>> rows_NM, _ = ivf_search(np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], 2, size=2, probed=1)
    >>> np.sort(rows_NM, axis=1).tolist()
    [[0, 2], [1, 3], [0, 2], [1, 3]]
    """
    members = regions(unit_NC, size, np.random.default_rng(seed))
    order_N = np.concatenate(members)
    near_NP = nearest_regions(unit_NC, members, probed)[order_N]
    unit_NC = unit_NC[
        order_N
    ]  # from here on rows are in the order of regions: a region is a slice, its like are near
    ends = np.cumsum([len(rows) for rows in members]).tolist()
    rows_NM = np.full((len(unit_NC), num), -1, np.int32)
    cosine_NM = np.full((len(unit_NC), num), -2, np.float32)
    for place in range(
        near_NP.shape[1]
    ):  # in one turn an image meets one region, so that no two threads write a row
        asking = _rows_by_region(near_NP[:, place], len(members))

        def meet(region: int, asking: list[RowIndices] = asking) -> None:
            others = slice(ends[region] - len(members[region]), ends[region])
            if len(asking[region]):
                _merge_region(unit_NC, asking[region], others, rows_NM, cosine_NM)

        parallel_for(meet, range(len(members)))
    back_N = np.argsort(order_N)
    return np.where(rows_NM >= 0, order_N[rows_NM], -1)[back_N], cosine_NM[back_N]


def _merge_region(
    unit_NC: Floats, asked_A: RowIndices, others: slice, rows_NM: RowIndices, cosine_NM: Floats
) -> None:
    """Better ones among ``others`` take their places in the rows ``asked_A`` of the last two."""
    num = rows_NM.shape[1]
    row_W = np.arange(others.start, others.stop, dtype=np.int32)
    cosine_AW = unit_NC[asked_A] @ unit_NC[others].T
    had_AM = cosine_NM[asked_A]
    better_AW = cosine_AW > had_AM.min(axis=1, keepdims=True)
    num_better = np.count_nonzero(better_AW)
    if not num_better:
        return
    if num_better * PACKING_RATIO > better_AW.size:
        like_AX = np.hstack([rows_NM[asked_A], np.broadcast_to(row_W, better_AW.shape)])
        cosine_AX = np.hstack([had_AM, cosine_AW])
    else:  # after the first regions few are better: they are packed to the left
        row_E, column_E = np.divmod(np.flatnonzero(better_AW).astype(np.int32), len(row_W))
        count_A = np.bincount(row_E, minlength=len(asked_A))
        place_E = num + np.arange(len(row_E)) - np.repeat(np.cumsum(count_A) - count_A, count_A)
        like_AX = np.full((len(asked_A), num + count_A.max()), -1, np.int32)
        cosine_AX = np.full(like_AX.shape, -2, np.float32)
        like_AX[:, :num], cosine_AX[:, :num] = rows_NM[asked_A], had_AM
        like_AX[row_E, place_E], cosine_AX[row_E, place_E] = row_W[column_E], cosine_AW[row_E, column_E]
    best_AM = np.argpartition(cosine_AX, -num, axis=1)[:, -num:]
    rows_NM[asked_A] = np.take_along_axis(like_AX, best_AM, axis=1)
    cosine_NM[asked_A] = np.take_along_axis(cosine_AX, best_AM, axis=1)


def nearest_regions(unit_NC: Floats, members: list[RowIndices], probed: int) -> NDArray[np.int32]:
    """The numbers (N, at most ``probed``) of the regions nearest to each image, nearest first.

    They are looked for among the ``CANDIDATE_REGIONS`` regions nearest to the image's own.
    """
    centre_RC = _normalise(np.stack([unit_NC[rows].mean(axis=0) for rows in members]))
    around = min(CANDIDATE_REGIONS, len(members))
    probed = min(probed, len(members))
    near_NP = np.empty((len(unit_NC), probed), np.int32)

    def find(region: int) -> None:
        rows = members[region]
        around_H = np.argpartition(centre_RC @ centre_RC[region], -around)[-around:]
        cosine_SH = unit_NC[rows] @ centre_RC[around_H].T
        near_NP[rows] = around_H[np.argsort(-cosine_SH, axis=1)[:, :probed]]

    parallel_for(find, range(len(members)))
    return near_NP


def regions(unit_NC: Floats, size: int, rng: np.random.Generator) -> list[RowIndices]:
    """The rows of each region, about ``size`` and never more than ``MAX_OVERSIZE`` times that; every row is in
    one.

    >>> found = regions(np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], 2, np.random.default_rng(0))
    >>> sorted(rows.tolist() for rows in found)
    [[0, 2], [1, 3]]
    """
    whole = []
    for rows in _spherical_kmeans(unit_NC, size, rng):
        parts = [rows]
        if (
            len(rows) > MAX_OVERSIZE * size
        ):  # a dense place: split once more, then cut, as its images are all alike
            parts = [rows[part] for part in _spherical_kmeans(unit_NC[rows], size, rng)]
        whole += [
            part[at : at + MAX_OVERSIZE * size]
            for part in parts
            for at in range(0, len(part), MAX_OVERSIZE * size)
        ]
    return whole


def _spherical_kmeans(unit_NC: Floats, size: int, rng: np.random.Generator) -> list[RowIndices]:
    """k-means by cosine."""
    num = max(1, round(len(unit_NC) / size))
    sample_SC = unit_NC[rng.permutation(len(unit_NC))[: KMEANS_IMAGES_PER_REGION * num]]
    centre_RC = sample_SC[:num].copy()
    for _ in range(KMEANS_STEPS):
        for region, rows in enumerate(_rows_by_region(_nearest_centre(sample_SC, centre_RC), num)):
            if len(rows):  # a centre that nobody is closest to stays where it is
                centre_RC[region] = _normalise(sample_SC[rows].mean(axis=0))
    return [rows for rows in _rows_by_region(_nearest_centre(unit_NC, centre_RC), num) if len(rows)]


def _nearest_centre(unit_NC: Floats, centre_RC: Floats) -> NDArray[np.int32]:
    """The number of the nearest centre."""
    closest_N = np.empty(len(unit_NC), np.int32)

    def find(at: int) -> None:
        closest_N[at : at + CHUNK] = (unit_NC[at : at + CHUNK] @ centre_RC.T).argmax(axis=1)

    parallel_for(find, range(0, len(unit_NC), CHUNK))
    return closest_N


def _rows_by_region(region_N: NDArray[np.int32], num: int) -> list[RowIndices]:
    """The rows of each of ``num`` regions."""
    order_N = np.argsort(region_N, kind="stable").astype(np.int32)
    return np.split(order_N, np.searchsorted(region_N[order_N], np.arange(1, num)))


def _normalise(vectors_RC: Floats) -> Floats:
    return vectors_RC / (np.linalg.norm(vectors_RC, axis=-1, keepdims=True) + 1e-12)
