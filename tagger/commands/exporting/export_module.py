"""The exported ``nn.Module``: pixels to calibrated probabilities, chosen labels and logits.

``probabilities`` and ``chosen`` are what ``tagger predict`` gives: views averaged, calibrated, groups and
rules kept to. All after the network is float64, as in ``tagger.scoring``: a group's "none" is one minus a
sum near one.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tagger.arrays import Floats
from tagger.commands.exporting.sequence_module import network_of
from tagger.model import TagModel
from tagger.scoring import Calibration, LabelConstraints
from tagger.scoring.label_constraints import transitive_closure

MIN_PROB = 1e-15  # as in scoring/calibration.py
OUTPUT_NAMES = ("probabilities", "chosen", "logits")


class ExportOutputs(NamedTuple):
    """For each image (B) and label (K): calibrated probabilities (float32), whether chosen (bool), logits (float32)."""

    probs_BK: Tensor
    chosen_BK: Tensor
    logits_BK: Tensor


class CalibrationModule(nn.Module):
    """``Calibration.apply`` on logits (B, K), of which it gives the probabilities, float64."""

    scale: Tensor
    bias: Tensor

    def __init__(self, calibration: Calibration):
        super().__init__()
        self.groups = calibration.groups
        for name in ("scale", "bias"):
            values_K = [getattr(curve, name) for curve in calibration.params]
            self.register_buffer(name, torch.tensor(values_K, dtype=torch.float64))
        self.scales = [float(calibration.params[one.columns[0]].scale) for one in self.groups]
        self.order_K = _column_order(len(calibration.params), [one.columns for one in self.groups])

    def forward(self, logits_BK: Tensor) -> Tensor:
        """Probabilities (B, K), float64."""
        limit = float(np.log1p(-MIN_PROB) - np.log(MIN_PROB))
        logits_BK = logits_BK.double().clamp(-limit, limit)
        parts = [torch.sigmoid(logits_BK * self.scale + self.bias)]
        for one, scale in zip(self.groups, self.scales, strict=True):
            probs_BM = torch.sigmoid(logits_BK[:, list(one.columns)])
            if not one.always:
                probs_BM = torch.cat([probs_BM, 1 - probs_BM.sum(1, keepdim=True)], dim=1)
            softmax_BC = (scale * probs_BM.clamp(MIN_PROB, 1).log()).softmax(1)
            parts.append(softmax_BC[:, : len(one.columns)])
        return torch.cat(parts, dim=1)[:, self.order_K] if self.groups else parts[0]


class DecisionModule(nn.Module):
    """``decide`` on probabilities (B, K): the chosen labels as groups and rules have them, bool."""

    thresholds_K: Tensor
    implies_KK: Tensor

    def __init__(self, thresholds_K: Floats, constraints: LabelConstraints):
        super().__init__()
        self.constraints = constraints
        self.columns = [list(one.columns) for one in constraints.groups]
        self.order_K = _column_order(len(thresholds_K), [one.columns for one in constraints.groups])
        self.register_buffer("thresholds_K", torch.tensor(np.asarray(thresholds_K, dtype=np.float64)))
        implies_KK = transitive_closure(constraints.rules, len(thresholds_K)).astype(np.float32)
        self.register_buffer("implies_KK", torch.from_numpy(implies_KK))

    def forward(self, probs_BK: Tensor) -> Tensor:
        """Chosen labels (B, K), bool."""
        chosen_BK = probs_BK >= self.thresholds_K
        chosen_BK = self._one_per_group(probs_BK, chosen_BK, always=True)
        if not self.constraints.rules:
            return chosen_BK
        chosen_BK = chosen_BK | (chosen_BK.float() @ self.implies_KK > 0)
        margin_BK = _logit(probs_BK) - _logit(self.thresholds_K)
        for columns in self.columns:
            kept_BK = self._one_per_group(margin_BK, chosen_BK, always=False, only=columns)
            lost_BK = chosen_BK & ~kept_BK
            chosen_BK = chosen_BK & ~(lost_BK | (lost_BK.float() @ self.implies_KK.T > 0))
        return chosen_BK

    def _one_per_group(
        self, scores_BK: Tensor, chosen_BK: Tensor, *, always: bool, only: list[int] | None = None
    ) -> Tensor:
        """The chosen labels, of each group (or only of that with these columns) the one with the highest score."""
        if not self.columns:
            return chosen_BK
        parts = [chosen_BK]
        for one, columns in zip(self.constraints.groups, self.columns, strict=True):
            scores_BM = scores_BK[:, columns]
            open_BM = chosen_BK[:, columns]
            if only is not None and columns != only:
                parts.append(open_BM)
                continue
            if always and one.always:
                open_BM = torch.ones_like(open_BM) & (self.thresholds_K[columns] <= 1)
            best_B1 = scores_BM.masked_fill(~open_BM, -torch.inf).argmax(1, keepdim=True)
            parts.append(open_BM & (torch.arange(len(columns), device=best_B1.device) == best_B1))
        return torch.cat(parts, dim=1)[:, self.order_K]


class ExportModule(nn.Module):
    """``ExportOutputs`` for RGB images (B, 3, H, W), float 0..1, of the run's size and fit."""

    def __init__(
        self,
        model: TagModel,
        calibration: Calibration,
        thresholds_K: Floats,
        constraints: LabelConstraints,
        *,
        tta_hflip: bool,
    ):
        super().__init__()
        self.model = network_of(model)
        self.tta_hflip = tta_hflip
        self.calibrated = CalibrationModule(calibration)
        self.decided = DecisionModule(thresholds_K, constraints)
        self.eval()

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Probabilities, chosen labels and logits; the mirror image is averaged in where the run does that."""
        logits_BK = self.model(images_BCHW)
        if self.tta_hflip:
            logits_BK = (logits_BK + self.model(images_BCHW.flip(-1))) / 2
        probs_BK = self.calibrated(logits_BK)
        return tuple(
            ExportOutputs(probs_BK.float(), self.decided(probs_BK), logits_BK)
        )  # what torch.export can write down


def _column_order(num_labels: int, groups: list[tuple[int, ...]]) -> list[int]:
    """Where each label stands in (K labels, then one group after the other).

    >>> _column_order(4, [(2, 0)])
    [5, 1, 4, 3]
    """
    position = list(range(num_labels))
    at = num_labels
    for columns in groups:
        for k in columns:
            position[k], at = at, at + 1
    return position


def _logit(probs: Tensor) -> Tensor:
    probs = probs.clamp(MIN_PROB, 1 - MIN_PROB)
    return probs.log() - torch.log1p(-probs)
