"""Which images lie near each other, without comparing all? Regions of the space, and those nearest to each image.

An inverted file (Sivic and Zisserman 2003, "Video Google"; FAISS's IVF): k-means on the sphere makes regions, and an
image is compared with the members of the ``PROBED`` regions whose centres are nearest to it. With regions as large as
``region_size`` says, time grows by the power 1.5 of the number of images.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.suspects.threads import each

Rows = NDArray[np.int32]

PROBED = 16
LEAST_SIZE = 256
STEPS, LEARNT_FROM = 5, 20  # of k-means, which sees this many images of each region
MOST = 4  # times the wanted size: larger regions are cut, as one where all images are alike would cost its square
CHUNK = 2048


def region_size(num_images: int) -> int:
    """How many images a region should have: as much work to find the regions as to compare with their members.

    >>> region_size(100_000), region_size(16_000_000)
    (256, 1000)
    """
    return max(LEAST_SIZE, round((num_images / PROBED) ** 0.5))


def probe(unit_NC: Floats, num: int, *, size: int, probed: int = PROBED, seed: int = 0) -> tuple[Rows, Floats]:
    """(rows (N, num), cosines) of images like each one, itself among them, in any order; -1 where there are too few.

    >>> rows_NM, _ = probe(np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], 2, size=2, probed=1)
    >>> np.sort(rows_NM, axis=1).tolist()
    [[0, 2], [1, 3], [0, 2], [1, 3]]
    """
    members = regions(unit_NC, size, np.random.default_rng(seed))
    near_NP = nearest_regions(unit_NC, _unit(np.stack([unit_NC[rows].mean(axis=0) for rows in members])), probed)
    rows_NM, cosine_NM = np.full((len(unit_NC), num), -1, np.int32), np.full((len(unit_NC), num), -2, np.float32)
    for place in range(near_NP.shape[1]):  # in one turn an image meets one region, so that no two threads write a row
        asking = _members(near_NP[:, place], len(members))

        def meet(region: int, asking: list[Rows] = asking) -> None:
            asked, others = asking[region], members[region]
            if not len(asked):
                return
            cosine_AW = np.hstack([cosine_NM[asked], unit_NC[asked] @ unit_NC[others].T])
            best_AM = np.argpartition(cosine_AW, -num, axis=1)[:, -num:]
            known_AM = np.take_along_axis(rows_NM[asked], np.minimum(best_AM, num - 1), axis=1)
            rows_NM[asked] = np.where(best_AM < num, known_AM, others[np.maximum(best_AM - num, 0)])
            cosine_NM[asked] = np.take_along_axis(cosine_AW, best_AM, axis=1)

        each(meet, range(len(members)))
    return rows_NM, cosine_NM


def nearest_regions(unit_NC: Floats, centre_RC: Floats, probed: int) -> NDArray[np.int32]:
    """The numbers (N, at most ``probed``) of the regions nearest to each image, in any order."""
    probed = min(probed, len(centre_RC))
    near_NP = np.empty((len(unit_NC), probed), np.int32)

    def find(at: int) -> None:
        cosine_CR = unit_NC[at : at + CHUNK] @ centre_RC.T
        near_NP[at : at + CHUNK] = np.argpartition(cosine_CR, -probed, axis=1)[:, -probed:]

    each(find, range(0, len(unit_NC), CHUNK))
    return near_NP


def regions(unit_NC: Floats, size: int, rng: np.random.Generator) -> list[Rows]:
    """The rows of each region, about ``size`` and never more than ``MOST`` times that; every row is in one.

    >>> found = regions(np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], 2, np.random.default_rng(0))
    >>> sorted(rows.tolist() for rows in found)
    [[0, 2], [1, 3]]
    """
    whole = []
    for rows in _split(unit_NC, size, rng):
        parts = [rows]
        if len(rows) > MOST * size:  # a dense place: split once more, then cut, as its images are all alike
            parts = [rows[part] for part in _split(unit_NC[rows], size, rng)]
        whole += [part[at : at + MOST * size] for part in parts for at in range(0, len(part), MOST * size)]
    return whole


def _split(unit_NC: Floats, size: int, rng: np.random.Generator) -> list[Rows]:
    """k-means by cosine."""
    num = max(1, round(len(unit_NC) / size))
    sample_SC = unit_NC[rng.permutation(len(unit_NC))[: LEARNT_FROM * num]]
    centre_RC = sample_SC[:num].copy()
    for _ in range(STEPS):
        for region, rows in enumerate(_members(nearest_regions(sample_SC, centre_RC, 1)[:, 0], num)):
            if len(rows):  # a centre that nobody is closest to stays where it is
                centre_RC[region] = _unit(sample_SC[rows].mean(axis=0))
    return [rows for rows in _members(nearest_regions(unit_NC, centre_RC, 1)[:, 0], num) if len(rows)]


def _members(region_N: NDArray[np.int32], num: int) -> list[Rows]:
    """The rows of each of ``num`` regions."""
    order_N = np.argsort(region_N, kind="stable").astype(np.int32)
    return np.split(order_N, np.searchsorted(region_N[order_N], np.arange(1, num)))


def _unit(vectors_RC: Floats) -> Floats:
    return vectors_RC / (np.linalg.norm(vectors_RC, axis=-1, keepdims=True) + 1e-12)
