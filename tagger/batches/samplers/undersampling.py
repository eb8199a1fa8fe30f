"""Undersampling: leave out a share of the images whose labels are all frequent."""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Cells, Indices
from tagger.batches.samplers.base import Sampler, check_option, samplers
from tagger.batches.samplers.uniform import UniformSampler


@samplers.register("undersampling")
class UndersamplingSampler(Sampler):
    """Drop a share of the images whose only labels are frequent ones, others each epoch (METHODS.md section 9).

    A label is frequent when its share is at least ``frequent``. ``drop`` is the share left out of images
    that have labels, all of them frequent; ``drop_unlabelled`` that of images without a label. Epoch
    length: N - round(drop * those) - round(drop_unlabelled * these), but never 0: where all would go, one
    image stays.

    ``until`` makes two stages of it: from that share of the training on every image is used.
    """

    def __init__(
        self,
        labels_NK: Cells,
        *,
        drop: float = 0.5,
        frequent: float = 0.1,
        drop_unlabelled: float = 0.0,
        until: float = 1.0,
    ):
        super().__init__(labels_NK)
        check_option("undersampling", "drop", drop, low=0, high=1)
        check_option("undersampling", "frequent", frequent, low=0, high=1)
        check_option("undersampling", "drop_unlabelled", drop_unlabelled, low=0, high=1)
        check_option("undersampling", "until", until, low=0, high=1)
        rare_N = self.yes_NK[:, self.shares_K < frequent].any(axis=1)
        self.only_frequent = np.flatnonzero(self.labelled_N & ~rare_N)
        self.unlabelled = np.flatnonzero(~self.labelled_N)
        self.drop = drop
        self.drop_unlabelled = drop_unlabelled
        self.until = until
        self.labels_NK = labels_NK

    def at_progress(self, progress: float) -> Sampler:
        """Itself in the first stage, every image in the second."""
        return self if progress < self.until else UniformSampler(self.labels_NK)

    def draw_epoch(self, rng: np.random.Generator) -> Indices:
        kept_N = np.ones(self.num_images, dtype=bool)
        kept_N[random_share(self.only_frequent, self.drop, rng)] = False
        kept_N[random_share(self.unlabelled, self.drop_unlabelled, rng)] = False
        if self.num_images and not kept_N.any():
            kept_N[rng.integers(self.num_images)] = True
        return rng.permutation(np.flatnonzero(kept_N)).astype(np.int64)


def random_share(rows: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random ``share`` of the rows, their number rounded.

    >>> len(random_share(np.arange(10), 0.3, np.random.default_rng(0)))
    3
    """
    return rng.permutation(rows)[: round(share * len(rows))]
