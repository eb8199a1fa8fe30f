"""Copies among the photos of a run: an answer about one concerns the cards of all of them."""

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class PhotoCopies:
    """Groups of near-duplicates of a run, by row; of equal files in a run that knows no groups.

    >>> copies = PhotoCopies(pd.DataFrame({"hash": ["a", "b", "a"]}))
    >>> copies.group_N.tolist(), copies.hashes(0)
    ([0, 1, 0], ('a',))
    """

    def __init__(self, images: pd.DataFrame):
        self._hashes = images["hash"].to_numpy(object)
        self.group_N: NDArray[np.int64] = (
            images["group"].to_numpy(np.int64)
            if "group" in images
            else pd.factorize(self._hashes)[0].astype(np.int64)
        )

    @cached_property
    def _hashes_of(self) -> dict[int, tuple[str, ...]]:
        found: dict[int, dict[str, None]] = {}
        for group, hash in zip(self.group_N.tolist(), self._hashes.tolist(), strict=True):
            found.setdefault(group, {})[hash] = None
        return {group: tuple(hashes) for group, hashes in found.items()}

    def hashes(self, row: int) -> tuple[str, ...]:
        """The hashes of the photos in a row's group, its own among them."""
        return self._hashes_of[int(self.group_N[row])]
