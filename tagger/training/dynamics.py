"""Training dynamics: mean and standard deviation of held-out probabilities over the epochs.

After Swayamdipta et al. 2020, "Dataset Cartography", arXiv 2009.10795 (section 2: confidence and
variability), but on held-out images: a wrong label that is learnt by heart looks like a right one in the
paper's setting, not in this one. The first tenth of the epochs is passed over, as a network that has hardly
begun doubts everything.
"""

import numpy as np
import torch
from torch import Tensor

from tagger.arrays import Floats, Indices, sigmoid


class TrainingDynamics:
    """Mean and standard deviation of held-out probabilities, taken in epoch by epoch (Welford 1962), as (N, K).

    >>> dynamics = TrainingDynamics(2, 1)
    >>> for logit in (-50.0, 50.0):
    ...     dynamics.add(np.array([1]), np.array([[logit]], dtype=np.float32))
    >>> dynamics.mean_NK.ravel().tolist(), dynamics.std_NK.ravel().tolist()
    ([nan, 0.5], [nan, 0.5])
    """

    def __init__(self, num_images: int, num_labels: int):
        self._count_N = np.zeros(num_images, dtype=np.int64)
        self._mean_NK = np.zeros((num_images, num_labels), dtype=np.float32)
        self._squared_deviations_NK = np.zeros((num_images, num_labels), dtype=np.float32)

    @property
    def mean_NK(self) -> Floats:
        """Mean probability of each cell over the epochs; NaN for images that were never held out."""
        return np.where(self._count_N[:, None] > 0, self._mean_NK, np.float32(np.nan))

    @property
    def std_NK(self) -> Floats:
        """Standard deviation over the epochs; 0 after a single one; NaN for images that were never held out."""
        variance_NK = self._squared_deviations_NK / np.maximum(self._count_N, 1)[:, None].astype(np.float32)
        return np.where(self._count_N[:, None] > 0, np.sqrt(variance_NK), np.float32(np.nan))

    def add(self, rows: Indices, logits_RK: Floats) -> None:
        """Take in what a network says of some images, R different rows, which it has not learnt from."""
        probs_RK = sigmoid(logits_RK).astype(np.float32)
        self._count_N[rows] += 1
        delta_RK = probs_RK - self._mean_NK[rows]
        self._mean_NK[rows] += np.divide(delta_RK, self._count_N[rows][:, None], dtype=np.float32)
        self._squared_deviations_NK[rows] += delta_RK * (probs_RK - self._mean_NK[rows])

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint has to hold: the rows seen so far and theirs alone."""
        rows = np.flatnonzero(self._count_N)
        return {
            "rows": torch.from_numpy(rows),
            "count": torch.from_numpy(self._count_N[rows]),
            "mean": torch.from_numpy(self._mean_NK[rows]),
            "squares": torch.from_numpy(self._squared_deviations_NK[rows]),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from ``state`` of another, whose rows replace those here."""
        rows = state["rows"].numpy()
        self._count_N[rows], self._mean_NK[rows] = state["count"].numpy(), state["mean"].numpy()
        self._squared_deviations_NK[rows] = state["squares"].numpy()


def first_counted_epoch(epochs: int) -> int:
    """The first epoch (from 0) of ``epochs`` that counts.

    >>> [first_counted_epoch(epochs) for epochs in (1, 9, 30)]
    [0, 0, 3]
    """
    return epochs // 10
