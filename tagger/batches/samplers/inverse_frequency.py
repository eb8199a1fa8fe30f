"""Inverse-frequency sampling: draw an image in proportion to how rare its rarest label is."""

import numpy as np

from tagger.arrays import Cells, Floats, Indices
from tagger.batches.samplers.base import Sampler, check_option, max_over_labels, samplers


@samplers.register("inverse-frequency")
class InverseFrequencySampler(Sampler):
    """Images weigh (1 / share of their rarest label) ** power; those without a label count as one more label.

    Epoch length: N. Draws are systematic: an image expected c times comes floor(c) or ceil(c) times, so at
    power 0 every image comes exactly once.
    """

    def __init__(self, labels_NK: Cells, *, power: float = 1.0):
        super().__init__(labels_NK)
        check_option("inverse-frequency", "power", power, low=0)
        rarity_K = np.divide(1.0, self.shares_K, out=np.ones_like(self.shares_K), where=self.shares_K > 0)
        bare = 1.0 - self.labelled_N.mean() if self.num_images else 0.0
        self.weights_N = max_over_labels(rarity_K, self.yes_NK, default=1.0 / bare if bare else 1.0) ** power

    def draw_epoch(self, rng: np.random.Generator) -> Indices:
        return rng.permutation(systematic_sample(self.weights_N, self.num_images, rng))


def systematic_sample(weights_N: Floats, num_draws: int, rng: np.random.Generator) -> Indices:
    """``num_draws`` rows, sorted, drawn with replacement in proportion to weights, as evenly as possible.

    One random offset and equal steps along the cumulated weights: the least noisy way to reach the expected
    counts.

    >>> systematic_sample(np.array([1.0, 2.0, 1.0]), 4, np.random.default_rng(0)).tolist()
    [0, 1, 1, 2]
    """
    if num_draws == 0:
        return np.zeros(0, dtype=np.int64)
    ends_N = np.cumsum(weights_N / weights_N.sum()) * num_draws
    # The offset keeps off the cell borders, where rounding of the sums would decide; the last end is
    # num_draws exactly.
    steps = np.arange(num_draws) + rng.uniform(1e-6, 1.0 - 1e-6)
    rows = np.searchsorted(ends_N, steps, side="right")
    return np.minimum(rows, len(weights_N) - 1).astype(np.int64)
