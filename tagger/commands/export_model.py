"""What leaves the house: one module from pixels to decisions, so that no other program has to do a run's arithmetic.

``probabilities`` and ``chosen`` are what ``tagger predict`` gives: views averaged, calibrated, groups and rules kept
to. All after the network is float64, as in ``tagger.scoring``: a group's "none" is one minus a sum near one.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tagger.arrays import Floats
from tagger.model import TagModel
from tagger.scoring import Calibration, Structure
from tagger.scoring.decide import reach

LOWEST = 1e-15  # as in scoring/calibration.py
OUTPUTS = ("probabilities", "chosen", "logits")


class Answers(NamedTuple):
    """For each image (B) and label (K): calibrated probabilities (float32), whether chosen (bool), logits (float32)."""

    probs_BK: Tensor
    chosen_BK: Tensor
    logits_BK: Tensor


class Calibrated(nn.Module):
    """``Calibration.apply`` on logits (B, K), of which it gives the probabilities, float64."""

    scale: Tensor
    bias: Tensor

    def __init__(self, calibration: Calibration):
        super().__init__()
        self.groups = calibration.groups
        for name in ("scale", "bias"):
            values_K = [getattr(curve, name) for curve in calibration.curves]
            self.register_buffer(name, torch.tensor(values_K, dtype=torch.float64))
        self.scales = [float(calibration.curves[one.columns[0]].scale) for one in self.groups]
        self.order_K = _order(len(calibration.curves), [one.columns for one in self.groups])

    def forward(self, logits_BK: Tensor) -> Tensor:
        """Probabilities (B, K), float64."""
        limit = float(np.log1p(-LOWEST) - np.log(LOWEST))
        logits_BK = logits_BK.double().clamp(-limit, limit)
        parts = [torch.sigmoid(logits_BK * self.scale + self.bias)]
        for one, scale in zip(self.groups, self.scales, strict=True):
            probs_BM = torch.sigmoid(logits_BK[:, list(one.columns)])
            if not one.always:
                probs_BM = torch.cat([probs_BM, 1 - probs_BM.sum(1, keepdim=True)], dim=1)
            softmax_BC = (scale * probs_BM.clamp(LOWEST, 1).log()).softmax(1)
            parts.append(softmax_BC[:, : len(one.columns)])
        return torch.cat(parts, dim=1)[:, self.order_K] if self.groups else parts[0]


class Decided(nn.Module):
    """``decide`` on probabilities (B, K): the chosen labels as groups and rules have them, bool."""

    thresholds_K: Tensor
    implies_KK: Tensor

    def __init__(self, thresholds_K: Floats, structure: Structure):
        super().__init__()
        self.structure = structure
        self.columns = [list(one.columns) for one in structure.groups]
        self.order_K = _order(len(thresholds_K), [one.columns for one in structure.groups])
        self.register_buffer("thresholds_K", torch.tensor(np.asarray(thresholds_K, dtype=np.float64)))
        implies_KK = reach(structure.rules, len(thresholds_K)).astype(np.float32)
        self.register_buffer("implies_KK", torch.from_numpy(implies_KK))

    def forward(self, probs_BK: Tensor) -> Tensor:
        """Chosen labels (B, K), bool."""
        chosen_BK = probs_BK >= self.thresholds_K
        chosen_BK = self._one_each(probs_BK, chosen_BK, always=True)
        if not self.structure.rules:
            return chosen_BK
        chosen_BK = chosen_BK | (chosen_BK.float() @ self.implies_KK > 0)
        margin_BK = _logit(probs_BK) - _logit(self.thresholds_K)
        for columns in self.columns:
            kept_BK = self._one_each(margin_BK, chosen_BK, always=False, only=columns)
            lost_BK = chosen_BK & ~kept_BK
            chosen_BK = chosen_BK & ~(lost_BK | (lost_BK.float() @ self.implies_KK.T > 0))
        return chosen_BK

    def _one_each(self, scores_BK: Tensor, chosen_BK: Tensor, *, always: bool, only: list[int] | None = None) -> Tensor:
        """The chosen labels, of each group (or only of that with these columns) the one with the highest score."""
        if not self.columns:
            return chosen_BK
        parts = [chosen_BK]
        for one, columns in zip(self.structure.groups, self.columns, strict=True):
            scores_BM, open_BM = scores_BK[:, columns], chosen_BK[:, columns]
            if only is not None and columns != only:
                parts.append(open_BM)
                continue
            if always and one.always:
                open_BM = torch.ones_like(open_BM)
            best_B1 = scores_BM.masked_fill(~open_BM, -torch.inf).argmax(1, keepdim=True)
            parts.append(open_BM & (torch.arange(len(columns), device=best_B1.device) == best_B1))
        return torch.cat(parts, dim=1)[:, self.order_K]


class Exported(nn.Module):
    """``Answers`` for RGB images (B, 3, H, W), float 0..1, of the run's size and fit."""

    def __init__(
        self,
        model: TagModel,
        calibration: Calibration,
        thresholds_K: Floats,
        structure: Structure,
        *,
        flip_views: bool,
    ):
        super().__init__()
        self.model, self.flip_views = model, flip_views
        self.calibrated, self.decided = Calibrated(calibration), Decided(thresholds_K, structure)
        self.eval()

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Probabilities, chosen labels and logits; the mirror image is averaged in where the run does that."""
        logits_BK = self.model(images_BCHW)
        if self.flip_views:
            logits_BK = (logits_BK + self.model(images_BCHW.flip(-1))) / 2
        probs_BK = self.calibrated(logits_BK)
        return tuple(Answers(probs_BK.float(), self.decided(probs_BK), logits_BK))  # what torch.export can write down


def _order(num_labels: int, groups: list[tuple[int, ...]]) -> list[int]:
    """Where each label stands in (K labels, then one group after the other).

    >>> _order(4, [(2, 0)])
    [5, 1, 4, 3]
    """
    place, at = list(range(num_labels)), num_labels
    for columns in groups:
        for k in columns:
            place[k], at = at, at + 1
    return place


def _logit(probs: Tensor) -> Tensor:
    probs = probs.clamp(LOWEST, 1 - LOWEST)
    return probs.log() - torch.log1p(-probs)
