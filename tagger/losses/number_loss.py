"""Squared error for labels that are numbers, beside the loss of all others (thesis, equation 2.3).

A number y is learnt as y' = (y - mean) / deviation, and its label is *yes* iff the prediction reaches ``yes_from``. The
score is that prediction less the standardised ``yes_from``: the mean moves into its bias, and 0 is the threshold.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def number_loss(loss: nn.Module, names: Sequence[str], lows: Mapping[str, float]) -> nn.Module:
    """``loss`` itself where no label is a number. ``lows``: what was taken from a label's targets, so that none is
    negative.
    """
    columns = [k for k, name in enumerate(names) if name in lows]
    return NumberLoss(loss, columns, [lows[names[k]] for k in columns]) if columns else loss


class NumberLoss(nn.Module):
    """The mean over known cells of ``loss``, and of (score - target) squared for the labels in ``columns``.

    In evaluation mode, where targets are labels, these are left out.
    """

    columns_M: Tensor
    low_M: Tensor

    def __init__(self, loss: nn.Module, columns: Sequence[int], lows: Sequence[float]):
        super().__init__()
        self.loss = loss
        self.register_buffer("columns_M", torch.tensor(columns), persistent=False)
        self.register_buffer("low_M", torch.tensor(lows), persistent=False)

    def forward(self, logits_BK: Tensor, targets_BK: Tensor, weights_BK: Tensor | None = None) -> Tensor:
        """A float32 scalar; targets and weights as in ``Loss.forward``, numbers less their lowest."""
        weights = torch.ones_like(targets_BK) if weights_BK is None else weights_BK.expand_as(targets_BK)
        others_BK = targets_BK.clone()
        others_BK[:, self.columns_M] = -1.0
        base = self.loss(logits_BK, others_BK, weights_BK)
        if not self.training:
            return base
        numbers_BM = targets_BK[:, self.columns_M]
        known_BM = weights[:, self.columns_M] * (numbers_BM >= 0)
        scores_BM = logits_BK[:, self.columns_M].float()
        squares = (known_BM * (scores_BM - numbers_BM - self.low_M) ** 2).sum()
        rest = (weights * (others_BK >= 0)).sum()
        return (base * rest + squares) / (rest + known_BM.sum()).clamp(min=1e-6)
