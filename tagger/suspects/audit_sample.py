"""Stratified random sample of cells that are checked blindly, to estimate the number of errors.

A stratified sample: cells are grouped by doubt, and a group gets checks in proportion to its size times the
standard deviation its doubt suggests (Neyman 1934), so that few checks say much. Within a group the cells
are drawn at random.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats

STRATUM_EDGES = (0.0005, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)


def stratum_of(doubt: Floats) -> NDArray[np.int16]:
    """The stratum (0 ... 9) of each doubt.

    >>> stratum_of(np.array([0.0001, 0.3, 0.9])).tolist()
    [0, 8, 9]
    """
    stratum = np.zeros(np.shape(doubt), np.int16)
    for edge in STRATUM_EDGES:
        stratum += doubt >= edge
    return stratum


def draw_audit_sample(doubt_C: Floats, rng: np.random.Generator, *, size: int) -> NDArray[np.int64]:
    """The places of ``size`` random cells, strata mixed, in the order in which they are to be asked.

    Any beginning of the sequence holds the strata in about the same shares.
    """
    stratum_C = stratum_of(doubt_C)
    counts_S = np.bincount(stratum_C, minlength=len(STRATUM_EDGES) + 1)
    sums_S = np.bincount(stratum_C, weights=doubt_C, minlength=len(STRATUM_EDGES) + 1)
    mean_S = np.clip(sums_S / np.maximum(counts_S, 1), 1e-3, 0.5)
    wanted_S = counts_S * np.sqrt(mean_S * (1 - mean_S))
    wanted_S = np.minimum(
        np.maximum(size * wanted_S / max(wanted_S.sum(), 1e-9), 3 * (counts_S > 0)), counts_S
    )
    drawn = []
    when = []
    for stratum, share in enumerate(np.round(wanted_S).astype(int)):
        if share:
            places = rng.choice(np.flatnonzero(stratum_C == stratum), share, replace=False)
            drawn.append(places)
            when.append((np.arange(share) + rng.random(share)) / share)
    if not drawn:
        return np.zeros(0, np.int64)
    return np.concatenate(drawn)[np.argsort(np.concatenate(when))]
