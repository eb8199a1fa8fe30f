"""Uniform sampling: every image once an epoch, in random order."""

import numpy as np

from tagger.arrays import Cells, Indices
from tagger.batches.samplers.base import Sampler, samplers


@samplers.register("none")
class UniformSampler(Sampler):
    """Every image once an epoch, in random order. Epoch length: N."""

    def __init__(self, labels_NK: Cells):
        super().__init__(labels_NK)

    def draw_epoch(self, rng: np.random.Generator) -> Indices:
        return rng.permutation(self.num_images).astype(np.int64)
