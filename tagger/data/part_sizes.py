"""Sizes of the parts of a split: as asked, or as near as photos that stay together allow.

Iterative stratification looks at labels first. With more labels than photos it gives 193, 3 and 4 photos of 200 where
160, 20 and 20 were asked. A split whose parts differ by a few photos only (``are_fine``) stays as it is, bit for bit.
"""

from collections.abc import Iterator

import numpy as np

from tagger.arrays import Bools, Floats, Indices

FEW = 2  # photos: a difference that is never too large
LARGE = 100  # photos; larger parts may differ by TOLERANCE, as stratification of ordinary labels makes them
TOLERANCE = 0.05
STEPS = 8  # an eighth of what is missing is moved at once


def even_out(targets_GK: Bools, sizes_G: Indices, part_G: Indices, shares_P: Floats) -> Indices:
    """The part of each group, some moved where parts are too large or too small; labels stay as even as they can.

    ``sizes_G`` are the numbers of images of the groups, which stay whole; no part becomes empty.

    >>> labels, sizes = np.ones((10, 1), bool), np.ones(10, dtype=np.int64)
    >>> np.bincount(even_out(labels, sizes, np.array([0] * 9 + [1]), np.array([0.5, 0.5]))).tolist()
    [5, 5]
    """
    wanted_P = sizes_G.sum() * shares_P / shares_P.sum()
    if are_fine(_part_sizes(sizes_G, part_G, len(shares_P)), wanted_P):
        return part_G
    part_G = part_G.copy()
    weights_GK = targets_GK / np.maximum(targets_GK.sum(axis=0), 1)
    while (moved := _next_move(targets_GK, weights_GK, sizes_G, part_G, wanted_P)) is not None:
        rows, to = moved
        part_G[rows] = to
    return part_G


def are_fine(sizes_P: Indices, wanted_P: Floats) -> bool:
    """Whether each part has about as many images as were asked.

    >>> are_fine(np.array([77, 23]), np.array([80.0, 20.0])), are_fine(np.array([806, 194]), np.array([800.0, 200.0]))
    (False, True)
    """
    most_P = np.where(wanted_P > LARGE, TOLERANCE * wanted_P, FEW)
    return bool((np.abs(sizes_P - wanted_P) <= most_P).all())


def size_note(sizes_G: Indices, part_G: Indices, shares_P: Floats, title: str) -> list[str]:
    """A sentence if parts are not as large as asked, which only groups can be the reason of."""
    sizes_P = _part_sizes(sizes_G, part_G, len(shares_P))
    wanted_P = sizes_G.sum() * shares_P / shares_P.sum()
    if are_fine(sizes_P, wanted_P):
        return []
    are, asked = (" + ".join(f"{number:,.0f}" for number in numbers) for numbers in (sizes_P, wanted_P))
    return [
        f"{title}: {are} photos, where {asked} were asked. Photos that belong together stay together"
        f" (up to {sizes_G.max():,}), and allow no nearer."
    ]


def _part_sizes(sizes_G: Indices, part_G: Indices, num_parts: int) -> Indices:
    return np.bincount(part_G, weights=sizes_G, minlength=num_parts).round().astype(np.int64)


def _next_move(
    targets_GK: Bools, weights_GK: Floats, sizes_G: Indices, part_G: Indices, wanted_P: Floats
) -> tuple[Indices, int] | None:
    """(groups, the part that they go to) of the next step; None when no step brings the sizes nearer."""
    off_P = _part_sizes(sizes_G, part_G, len(wanted_P)) - wanted_P
    if np.abs(off_P).max() < 1:
        return None
    for source, to in _pairs(off_P):
        rows = np.flatnonzero(part_G == source)
        sizes_R = sizes_G[rows]
        before = abs(off_P[source]) + abs(off_P[to])
        gain_R = before - np.abs(off_P[source] - sizes_R) - np.abs(off_P[to] + sizes_R)
        if len(rows) < 2 or gain_R.max() < 1e-6:
            continue
        best = np.flatnonzero(gain_R > gain_R.max() - 1e-6)
        cost_R = weights_GK[rows[best]] @ _label_costs(targets_GK, part_G, wanted_P, source, to)
        missing = min(off_P[source], -off_P[to])
        number = max(1, int(missing / STEPS / sizes_R[best].max()))
        return rows[best[np.argsort(cost_R, kind="stable")[:number]]], to
    return None


def _pairs(off_P: Floats) -> Iterator[tuple[int, int]]:
    """Pairs of a part that is too large and one that is too small, the largest differences first."""
    order = np.argsort(-off_P, kind="stable").tolist()
    for source in order:
        for to in reversed(order):
            if off_P[source] > 0 > off_P[to]:
                yield source, to


def _label_costs(targets_GK: Bools, part_G: Indices, wanted_P: Floats, source: int, to: int) -> Floats:
    """How much worse each label is spread (K) if one of its groups goes from one part to another."""
    share_P = wanted_P / wanted_P.sum()
    total_K = targets_GK.sum(axis=0)
    above_K, below_K = (
        targets_GK[part_G == part].sum(axis=0) - share_P[part] * total_K for part in (source, to)
    )
    return 2 * (below_K - above_K) + 2
