"""Base class and registry of losses: unknown cells, float32, and the mean over known cells.

A loss is written as ``formula``: one number a cell, for targets that are all known. This base keeps unknown
cells away from it, so no loss has to think of them. A new loss lies in a
module of its own, which ``losses/__init__.py`` imports.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from tagger.arrays import Floats
from tagger.errors import TaggerError
from tagger.registry import Registry

losses = Registry("loss")


class LabelStatsLike(Protocol):
    """What a loss may know of the training labels (``tagger.data.LabelStats``)."""

    @property
    def positives_K(self) -> Floats: ...
    @property
    def negatives_K(self) -> Floats: ...
    @property
    def priors_K(self) -> Floats: ...
    @property
    def num_images(self) -> int: ...


class Loss(nn.Module):
    """Base of losses: ``forward`` gives a scalar, ``cell_losses`` one value a cell. Subclasses define ``formula``."""

    def __init__(self, stats: LabelStatsLike):
        super().__init__()

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        """losses_BK of float32 logits and targets in 0..1; no unknown cells get here (they come as 0, 0)."""
        raise NotImplementedError

    def cell_losses(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        """losses_BK (float32, also under autocast): the loss of each cell, 0 where the target is unknown.

        Targets are 0..1, soft ones included; a negative (or NaN) target is unknown: it passes no gradient,
        whatever its logit is.
        """
        known_BK = targets_BK >= 0
        # Logits are replaced as well as targets: inf * 0 would be NaN in the backward pass.
        logits_BK = torch.where(known_BK, logits_BK, 0.0).float()
        targets_BK = torch.where(known_BK, targets_BK, 0.0).float()
        with torch.autocast(logits_BK.device.type, enabled=False):
            return torch.where(known_BK, self.formula(logits_BK, targets_BK), 0.0)

    def forward(self, logits_BK: Tensor, targets_BK: Tensor, weights_BK: Tensor | None = None) -> Tensor:
        """The mean loss over known cells, a float32 scalar; with ``weights_BK`` (0 or more) their weighted mean.

        Weights may be anything that broadcasts to (B, K). With nothing known the result is 0 with zero
        gradient.

        >>> from tagger.losses import losses
        >>> loss = losses.build("bce", None)
        >>> round(loss(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, -1.0]])).item(), 4)
        0.6931
        """
        losses_BK = self.cell_losses(logits_BK, targets_BK)
        weights = (targets_BK >= 0).float()
        if weights_BK is not None:
            weights = weights * weights_BK.float()
        total = weights.sum()
        return (losses_BK * weights).sum() / torch.where(total > 0, total, 1.0)


def counts_if_all_known(stats: LabelStatsLike) -> tuple[Tensor, int]:
    """counts_K (float32) and a number of images: the positives there would be, were no cell unknown.

    timm's weights know one number of images for all labels; a label known on half the images with 10
    positives counts as 20. A label with nothing known counts 0, which timm reads as 1.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> stats = SimpleNamespace(positives_K=np.array([10.0, 0.0]), negatives_K=np.array([40.0, 0.0]), num_images=100)
    >>> counts_if_all_known(stats)
    (tensor([20.,  0.]), 100)
    """
    positives_K = torch.as_tensor(stats.positives_K, dtype=torch.float64)
    known_K = positives_K + torch.as_tensor(stats.negatives_K, dtype=torch.float64)
    num_images = max(int(stats.num_images), 2)  # timm's prior needs two images
    return (positives_K / known_K.clamp(min=1) * num_images).clamp(0, num_images).float(), num_images


def check_option(loss: str, option: str, value: float, *, low: float, high: float = float("inf")) -> None:
    """Raise TaggerError unless ``low <= value <= high``.

    >>> check_option("focal", "gamma", 2.0, low=0)
    """
    if not low <= value <= high:
        wanted = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        raise TaggerError(f"Loss {loss!r}: {option} is {value:g}; it must be {wanted}.")


def check_gamma(loss: str, option: str, value: float) -> None:
    """Raise TaggerError unless a focusing exponent is 0 or 1 and more.

    Between 0 and 1 the slope of ``x ** gamma`` is infinite at 0, which a sigmoid reaches in float32: NaN
    gradients.

    >>> check_gamma("focal", "gamma", 0.0)
    """
    if not (value == 0 or 1 <= value < float("inf")):
        raise TaggerError(f"Loss {loss!r}: {option} is {value:g}; it must be 0 (off) or at least 1.")
