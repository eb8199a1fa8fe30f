"""Training targets and weights of each cell, apart from the labels that metrics count.

By default the target of each known cell is its label, with weight 1. A retraining gives cells that a person
verified more weight, and may leave out or soften doubted ones.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.arrays import Cells, Floats


@dataclass(frozen=True)
class TrainingTargets:
    """targets_NK (0..1; negative: unknown, without loss; in as small a type as holds them) and weights_NK
    (0 or more; None: all 1).
    """

    targets_NK: Tensor
    weights_NK: Tensor | None

    @classmethod
    def from_labels(
        cls, labels_NK: Cells, targets_NK: Floats | None = None, weights_NK: Floats | None = None
    ) -> "TrainingTargets":
        """Targets are by default the labels. Weights that are all 1 become None, which changes no bit.

        >>> targets = TrainingTargets.from_labels(np.array([[1, -1]], np.int8), weights_NK=np.ones((1, 2)))
        >>> targets.targets_NK.tolist(), targets.weights_NK
        ([[1, -1]], None)
        """
        targets = labels_NK if targets_NK is None else np.asarray(targets_NK, dtype=np.float32)
        if weights_NK is None or (np.asarray(weights_NK) == 1).all():
            return cls(torch.from_numpy(targets), None)
        return cls(torch.from_numpy(targets), torch.from_numpy(np.asarray(weights_NK, dtype=np.float32)))

    def batch(self, rows: NDArray[np.int64] | Tensor) -> Tensor:
        """float32 targets of some rows, with their weights (if any) as further columns: mixup treats both alike."""
        targets_BK = self.targets_NK[rows].float()
        return (
            targets_BK if self.weights_NK is None else torch.cat([targets_BK, self.weights_NK[rows]], dim=1)
        )


def split_targets(batch: Tensor, num_labels: int) -> tuple[Tensor, Tensor | None]:
    """(targets_BK, weights_BK or None) of what ``TrainingTargets.batch`` gave.

    >>> split_targets(torch.tensor([[1.0, 2.0]]), 1)
    (tensor([[1.]]), tensor([[2.]]))
    """
    weights_BK = batch[:, num_labels:]
    return batch[:, :num_labels], weights_BK if weights_BK.shape[1] else None
