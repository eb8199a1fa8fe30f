"""Class-aware sampling: each label is drawn as often as any other."""

import numpy as np

from tagger.arrays import Cells, Indices
from tagger.batches.samplers.base import Sampler, samplers


@samplers.register("class-aware")
class ClassAwareSampler(Sampler):
    """Labels take turns, and each brings the next of its images. Shen et al. 2016, arXiv 1512.05830.

    Epoch length: N. A label's images are walked through before any comes again. ``unlabelled``: images
    without a label take turns like one more label; without it they are never drawn (unless no image has a
    label). A label without images has no turn.
    """

    def __init__(self, labels_NK: Cells, *, unlabelled: bool = True):
        super().__init__(labels_NK)
        groups = [np.flatnonzero(yes_N) for yes_N in self.yes_NK.T]
        if unlabelled or not self.labelled_N.any():
            groups.append(np.flatnonzero(~self.labelled_N))
        self.groups = [rows for rows in groups if len(rows)]

    def draw_epoch(self, rng: np.random.Generator) -> Indices:
        if self.num_images == 0:
            return np.zeros(0, dtype=np.int64)
        # N turns over G groups: N // G each, and the rest to groups by lot.
        turns_G = np.full(len(self.groups), self.num_images // len(self.groups))
        turns_G[rng.permutation(len(self.groups))[: self.num_images % len(self.groups)]] += 1
        walks = [shuffled_rounds(rows, turns, rng) for rows, turns in zip(self.groups, turns_G, strict=True)]
        return rng.permutation(np.concatenate(walks)).astype(np.int64)


def shuffled_rounds(rows: Indices, turns: int, rng: np.random.Generator) -> Indices:
    """``turns`` of the rows: whole shuffled rounds, then part of one.

    >>> sorted(shuffled_rounds(np.array([7, 8]), 4, np.random.default_rng(0)).tolist())
    [7, 7, 8, 8]
    """
    rounds = -(-int(turns) // len(rows))
    return np.concatenate([rows[:0], *(rng.permutation(rows) for _ in range(rounds))])[:turns]
