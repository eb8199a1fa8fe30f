"""The landmarks of photos, and how the photos are aligned by them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Bools, Indices
from tagger.data.images.alignment import Alignment
from tagger.data.landmarks.procrustes import has_shape

NO_LANDMARKS = "no landmarks are known of it (align.missing = skip)"


@dataclass(frozen=True, eq=False)
class AlignedPhotos:
    """points_NP2 (float32) of photos, NaN where absent. ``skips``: photos without landmarks are not read."""

    alignment: Alignment
    points_NP2: NDArray[np.float32]
    skips: bool = False

    def points(self, row: int) -> NDArray[np.float64] | None:
        """The landmarks (P, 2) of a photo; None if it cannot be aligned by them."""
        points_P2 = self.points_NP2[row].astype(np.float64)
        return points_P2 if has_shape(points_P2[None])[0] else None

    def known_N(self) -> Bools:
        """Which photos can be aligned."""
        return has_shape(self.points_NP2)

    def take(self, rows: Indices) -> "AlignedPhotos":
        """Those of some rows."""
        return replace(self, points_NP2=self.points_NP2[rows])
