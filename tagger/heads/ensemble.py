"""Several heads as one: their logits' mean."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class HeadEnsemble(nn.Module):
    """The mean of the logits (B, K) of several heads on the same features (B, D)."""

    def __init__(self, members: Iterable[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K), float32."""
        return torch.stack([head(features_BD) for head in self.members]).mean(0)
