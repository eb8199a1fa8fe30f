"""Near-duplicate images: re-encoded, resized, brightened, mirrored or slightly cropped copies.

Two images are near duplicates if their thumbnails correlate by 0.96 or more after the smooth part (light from
one side, a vignette) has been subtracted: the best quadratic surface. Measured on 8,000 photos and 1,955
faces: 15 pairs lie above 0.97 and show the same picture, recoloured in one case; different pictures stay
below 0.90 (2,000 photos of the demo: 0.96). With the smooth part, 20 wrong pairs of photos and 2,000 of the
demo reach 0.96. Found are all photos encoded at quality 40, halved and enlarged, 15 % brighter or darker, or
mirrored; 99 % of those cut by 2 % about the middle; half of those cut by 4 %, or by 2 % on one side.

Candidates come from locality-sensitive hashing: 256 signs of differences between neighbouring cells are
sorted by their bytes in a random order, sixteen times, so that copies become neighbours (Charikar 2002,
"Similarity estimation techniques from rounding algorithms"). Unlike buckets of a fixed number of bits, this
needs no tuning to the number of images, and a thousand similar images cost no more than others. Mirror images
are hashed as well.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Indices

Bytes = NDArray[np.uint8]
Standardised = NDArray[np.int8]

NUM_ORDERS = 16
WINDOW = 4
MAX_DIFFERING_BITS = 64
MIN_DETAIL = 2.0  # grey levels; images with less detail are compared by colour and brightness only
INT8_SCALE = 32  # a standard deviation as int8: four of them fit
COLOUR_STEP = 4  # grey levels; step in which colours and brightness must be equal
CHUNK = 8192


def near_duplicate_groups(
    thumbs_NTT: Bytes,
    colours_N3: Bytes,
    *,
    hashes: Sequence[str] | NDArray[np.str_] | None = None,
    min_similarity: float = 0.96,
    seed: int = 0,
) -> Indices:
    """The group of each image: the smallest row among its near duplicates and theirs; its own row without any.

    ``batches.fingerprint`` makes the grey thumbnails (N, 16, 16) and mean colours (N, 3). Images with equal
    ``hashes`` are always in one group. Images without detail (a wall, the night sky) are near duplicates
    only if brightness and colour are equal within 4 levels, so that they form no chains. 100,000 images take
    1 s, a million 17 s, on one core.

    >>> thumbs = np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8)
    >>> thumbs[2] = thumbs[0, :, ::-1]
    >>> near_duplicate_groups(thumbs, np.zeros((3, 3), dtype=np.uint8)).tolist()
    [0, 1, 0]
    """
    num_images = len(thumbs_NTT)
    shapes_NS, detail_N = _standardise(thumbs_NTT)
    detailed = np.flatnonzero(detail_N >= MIN_DETAIL)
    pairs = []
    for left_E, right_E, mirrored_E in _candidates(shapes_NS[detailed], np.random.default_rng(seed)):
        left_E = detailed[left_E]
        right_E = detailed[right_E]
        alike_E = _correlation(shapes_NS, left_E, right_E, mirrored_E) >= min_similarity
        pairs.append((left_E[alike_E], right_E[alike_E]))
    flat = np.flatnonzero(detail_N < MIN_DETAIL)
    pairs.append((flat, flat[_first_occurrence(_light_and_colour(thumbs_NTT[flat], colours_N3[flat]))]))
    if hashes is not None:
        pairs.append((np.arange(num_images), _first_occurrence(np.asarray(hashes, dtype=str))))
    return connected_groups(num_images, *(np.concatenate(ends) for ends in zip(*pairs, strict=True)))


def connected_groups(num: int, left_E: Indices, right_E: Indices) -> Indices:
    """Connected components of the graph on 0..num-1 with these edges: the smallest number in each one's component.

    >>> connected_groups(5, np.array([4, 3]), np.array([3, 1])).tolist()
    [0, 1, 2, 1, 1]
    """
    root_N = np.arange(num)
    while True:
        one_E = root_N[left_E]
        other_E = root_N[right_E]
        apart = one_E != other_E
        if not apart.any():
            return root_N
        left_E = left_E[apart]
        right_E = right_E[apart]
        lower_E = np.minimum(one_E, other_E)[apart]
        upper_E = np.maximum(one_E, other_E)[apart]
        np.minimum.at(root_N, upper_E, lower_E)
        while not np.array_equal(root_N, above_N := root_N[root_N]):
            root_N = above_N


def _standardise(thumbs_NTT: Bytes) -> tuple[Standardised, NDArray[np.float32]]:
    """(shapes_NS, detail_N): thumbnails without smooth part, standardised and times ``INT8_SCALE``; deviations."""
    num = len(thumbs_NTT)
    side = thumbs_NTT.shape[1]
    x, y = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-1, 1, side)] * 2))
    smooth_S6 = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], 1))[0].astype(np.float32)
    shapes_NS = np.empty((num, side * side), dtype=np.int8)
    detail_N = np.empty(num, dtype=np.float32)
    for at in range(0, num, CHUNK):
        rest = thumbs_NTT[at : at + CHUNK].reshape(-1, side * side).astype(np.float32)
        rest -= (rest @ smooth_S6) @ smooth_S6.T
        detail = np.sqrt(np.mean(rest * rest, axis=1))
        rest *= (INT8_SCALE / np.maximum(detail, 1e-3))[:, None]
        shapes_NS[at : at + CHUNK] = np.clip(np.rint(rest), -127, 127)
        detail_N[at : at + CHUNK] = detail
    return shapes_NS, detail_N


def _gradient_signs(shapes_NS: Standardised, shuffle: Indices) -> NDArray[np.uint64]:
    """240 signs of differences to the right and downwards, and 16 zeros, shuffled, as four words (4, N)."""
    side = round(shapes_NS.shape[1] ** 0.5)
    half = side // 2
    words_4N = np.empty((4, len(shapes_NS)), dtype=np.uint64)
    for at in range(0, len(shapes_NS), CHUNK):
        cells = shapes_NS[at : at + CHUNK].reshape(-1, side, side).astype(np.int16)
        rows = cells[:, ::2] + cells[:, 1::2]
        columns = cells[:, :, ::2] + cells[:, :, 1::2]
        bits = np.zeros((len(cells), 256), dtype=bool)
        bits[:, : half * (side - 1)] = (rows[:, :, 1:] > rows[:, :, :-1]).reshape(len(cells), -1)
        bits[:, 128 : 128 + half * (side - 1)] = (columns[:, 1:] > columns[:, :-1]).reshape(len(cells), -1)
        words_4N[:, at : at + CHUNK] = (
            np.ascontiguousarray(np.packbits(bits[:, shuffle], axis=1)).view(np.uint64).T
        )
    return words_4N


def _candidates(
    shapes_NS: Standardised, rng: np.random.Generator
) -> Iterator[tuple[Indices, Indices, NDArray[np.bool_]]]:
    """Pairs of rows whose signs differ in few bits, and whether one of the two is mirrored."""
    num = len(shapes_NS)
    side = round(shapes_NS.shape[1] ** 0.5)
    shuffle = rng.permutation(256)
    mirrored_NS = shapes_NS.reshape(-1, side, side)[:, :, ::-1].reshape(shapes_NS.shape)
    words_4M = np.concatenate(
        [_gradient_signs(shapes_NS, shuffle), _gradient_signs(mirrored_NS, shuffle)], axis=1
    )  # M = 2 N
    bytes_M32 = np.ascontiguousarray(words_4M.T).view(np.uint8)
    seen = np.empty(0, dtype=np.int64)
    for _ in range(NUM_ORDERS if num > 1 else 0):
        order_M = np.argsort(
            bytes_M32[:, rng.permutation(32)[:8]].copy().view(">u8").ravel().astype(np.uint64)
        )
        sorted_4M = words_4M[:, order_M]
        found = []
        for step in range(1, WINDOW + 1):
            differ = sum(np.bitwise_count(word[step:] ^ word[:-step]).astype(np.int16) for word in sorted_4M)
            at = np.flatnonzero(differ <= MAX_DIFFERING_BITS)
            found.append(_pair_code(order_M[at], order_M[at + step], num))
        new = np.sort(np.concatenate(found))  # np.unique hashes so many integers, ten times slower
        new = new[(np.diff(new, prepend=-1) > 0) & ~_contains(seen, new)]
        seen = np.sort(np.concatenate([seen, new]))
        pair, mirrored = np.divmod(new, 2)
        yield *np.divmod(pair, num), mirrored.astype(bool)


def _contains(sorted_S: Indices, sought_E: Indices) -> NDArray[np.bool_]:
    if not len(sorted_S):
        return np.zeros(len(sought_E), dtype=bool)
    return sorted_S[np.minimum(np.searchsorted(sorted_S, sought_E), len(sorted_S) - 1)] == sought_E


def _pair_code(one_E: Indices, other_E: Indices, num: int) -> Indices:
    """A number for each pair of images and whether one is mirrored; -1 for an image with itself."""
    low_E = np.minimum(one_E % num, other_E % num)
    high_E = np.maximum(one_E % num, other_E % num)
    return np.where(low_E == high_E, -1, 2 * (low_E * num + high_E) + ((one_E >= num) != (other_E >= num)))


def _correlation(
    shapes_NS: Standardised, left_E: Indices, right_E: Indices, mirrored_E: NDArray[np.bool_]
) -> NDArray[np.float32]:
    side = round(shapes_NS.shape[1] ** 0.5)
    result_E = np.empty(len(left_E), dtype=np.float32)
    for at in range(0, len(left_E), CHUNK):
        part = slice(at, at + CHUNK)
        left, right = (
            shapes_NS[rows[part]].reshape(-1, side, side).astype(np.float32) for rows in (left_E, right_E)
        )
        right = np.where(mirrored_E[part, None, None], right[:, :, ::-1], right)
        norms = np.sqrt(np.einsum("eij,eij->e", left, left) * np.einsum("eij,eij->e", right, right))
        result_E[part] = np.einsum("eij,eij->e", left, right) / np.maximum(norms, 1)
    return result_E


def _light_and_colour(thumbs_NTT: Bytes, colours_N3: Bytes) -> NDArray[np.float64]:
    """Keys of images without detail: the means of their quarters and their colours, in steps of 4 levels."""
    half = thumbs_NTT.shape[1] // 2
    quarters_N4 = thumbs_NTT.reshape(-1, 2, half, 2, half).mean((2, 4)).reshape(-1, 4)
    return np.rint(np.concatenate([quarters_N4, colours_N3], axis=1) / COLOUR_STEP)


def _first_occurrence(keys: NDArray[np.generic]) -> Indices:
    """The row where each key (or row of keys) occurs first."""
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()]
