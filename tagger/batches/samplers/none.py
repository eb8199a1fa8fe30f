"""Every image once."""

import numpy as np

from tagger.arrays import Cells
from tagger.batches.samplers.base import Order, Sampler, samplers


@samplers.register("none")
class NoSampler(Sampler):
    """Every image once an epoch, in random order. Epoch length: N."""

    def __init__(self, labels_NK: Cells):
        super().__init__(labels_NK)

    def draw(self, rng: np.random.Generator) -> Order:
        return rng.permutation(self.num_images).astype(np.int64)
