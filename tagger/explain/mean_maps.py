"""Mean maps over a set of images: figure 2.5 of the thesis, saliency "averaged over a set".

The maps are added as they come, before each is scaled to its own largest value: an image to which the score is not
sensitive says little. The images should have their things in the same places (aligned faces); else the mean
shows where photographers put them.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats


class MeanMaps:
    """Sums of maps (h, w) and probabilities by title, and of the images (H, W, 3) that they belong to.

    >>> mean = MeanMaps()
    >>> mean.add("sea", np.array([[0.0, 2.0]]), 0.5)
    >>> mean.add("sea", np.array([[4.0, 4.0]]), 0.7)
    >>> mean.of("sea").tolist(), round(mean.prob("sea"), 3), mean.counts["sea"]
    ([[2.0, 3.0]], 0.6, 2)
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._maps: dict[str, Floats] = {}
        self._probs: dict[str, float] = {}
        self._images_HWC: Floats | None = None
        self.num_images = 0

    def add(self, title: str, evidence_HW: Floats, prob: float) -> None:
        """Add one image's map; negative parts count as nothing."""
        positive_HW = np.maximum(np.asarray(evidence_HW, dtype=np.float64), 0.0)
        self._maps[title] = self._maps.get(title, 0.0) + positive_HW
        self._probs[title] = self._probs.get(title, 0.0) + prob
        self.counts[title] = self.counts.get(title, 0) + 1

    def add_image(self, image_HWC: NDArray[np.uint8]) -> None:
        """Add an image as the network sees it."""
        wide_HWC = image_HWC.astype(np.float64)
        self._images_HWC = wide_HWC if self._images_HWC is None else self._images_HWC + wide_HWC
        self.num_images += 1

    def of(self, title: str) -> Floats:
        """The mean map of a title."""
        mean_HW: Floats = self._maps[title] / self.counts[title]
        return mean_HW

    def prob(self, title: str) -> float:
        """The mean probability."""
        return self._probs[title] / self.counts[title]

    def image(self) -> NDArray[np.uint8]:
        """The mean image."""
        assert self._images_HWC is not None
        return (self._images_HWC / self.num_images).round().astype(np.uint8)
