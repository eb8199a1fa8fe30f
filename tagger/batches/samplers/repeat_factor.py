"""Repeat-factor sampling: repeat the images of rare labels."""

import numpy as np

from tagger.arrays import Cells, Indices
from tagger.batches.samplers.base import Sampler, check_option, max_over_labels, samplers


@samplers.register("repeat-factor")
class RepeatFactorSampler(Sampler):
    """An image comes max over its labels of max(1, sqrt(threshold / share)) times. Gupta et al. 2019, arXiv
    1908.03195.

    In the LVIS paper the threshold is 0.001, for 1,200 labels; a dozen labels want more. Epoch length: the
    sum of the factors, each rounded up or down at random, so N or more and a little different each epoch.
    At threshold 0 every image comes once.
    """

    def __init__(self, labels_NK: Cells, *, threshold: float = 0.1):
        super().__init__(labels_NK)
        check_option("repeat-factor", "threshold", threshold, low=0, high=1)
        # A label without images repeats none, whatever its factor.
        factors_K = np.maximum(1.0, np.sqrt(threshold / np.where(self.shares_K > 0, self.shares_K, 1.0)))
        self.factors_N = max_over_labels(factors_K, self.yes_NK, default=1.0)

    def draw_epoch(self, rng: np.random.Generator) -> Indices:
        whole_N = np.floor(self.factors_N).astype(np.int64)
        times_N = whole_N + (rng.random(self.num_images) < self.factors_N - whole_N)
        return rng.permutation(np.repeat(np.arange(self.num_images, dtype=np.int64), times_N))
