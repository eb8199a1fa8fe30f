"""Targets of labels that are numbers: standardised, and less ``yes_from``, so that a score of 0 is the threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from tagger.arrays import NO, YES, Cells, Floats
from tagger.data.numbers import COLUMN
from tagger.training.targets import TrainingTargets

CORRECTED = (
    0.5  # target, in deviations either side of ``yes_from``, of a cell that says other than its number
)


@dataclass(frozen=True)
class NumberTargets:
    """The numbers (N, M; NaN unknown) of some columns of the labels, with ``yes_from`` and deviation of each."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    values_NM: Floats
    yes_from_M: Floats
    std_M: Floats

    @classmethod
    def of(
        cls, images: pd.DataFrame, labels: Sequence[str], numbers: Mapping[str, float], learnt_N: np.ndarray
    ) -> "NumberTargets | None":
        """The numbers in a table of images, on the scale of the rows that are learnt; None without numbers."""
        names = tuple(name for name in labels if name in numbers and COLUMN.format(name) in images)
        if not names:
            return None
        values_NM = np.stack([images[COLUMN.format(name)].to_numpy(np.float64) for name in names], axis=1)
        std_M = np.nanstd(values_NM[learnt_N], axis=0)
        columns = tuple(labels.index(name) for name in names)
        yes_from_M = np.array([numbers[name] for name in names])
        return cls(names, columns, values_NM, yes_from_M, np.where(std_M > 0, std_M, 1.0))

    @property
    def targets_NM(self) -> Floats:
        """Numbers less ``yes_from``, in deviations."""
        return (self.values_NM - self.yes_from_M) / self.std_M

    @property
    def lows(self) -> dict[str, float]:
        """What is taken from each label's targets, so that none is negative, which would mean unknown."""
        low_M = np.minimum(np.nanmin(self.targets_NM, axis=0), -CORRECTED)
        return dict(zip(self.names, low_M.tolist(), strict=True))

    def predicted(self, logits_NK: Floats) -> Floats:
        """The numbers (N, M) that scores stand for."""
        return logits_NK[:, list(self.columns)] * self.std_M + self.yes_from_M

    def apply(self, targets: TrainingTargets, labels_NK: Cells) -> TrainingTargets:
        """The targets with those of numbers in their columns; a cell that is left out stays so.

        Where the cell says other than the number (a person corrected it) the target is just beyond ``yes_from``.
        """
        out_NK = targets.targets_NK.float().clone()
        for m, (name, k) in enumerate(zip(self.names, self.columns, strict=True)):
            says_N = np.where(labels_NK[:, k] == YES, CORRECTED, -CORRECTED)
            agrees_N = (self.values_NM[:, m] >= self.yes_from_M[m]) == (labels_NK[:, k] == YES)
            agrees_N &= np.isfinite(self.values_NM[:, m])
            target_N = np.where(agrees_N, self.targets_NM[:, m], says_N) - self.lows[name]
            known_N = (labels_NK[:, k] >= NO) & (out_NK[:, k].numpy() >= 0)
            out_NK[:, k] = torch.from_numpy(np.where(known_N, target_N, -1.0).astype(np.float32))
        return TrainingTargets(out_NK, targets.weights_NK)
