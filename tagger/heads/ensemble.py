"""Ensemble of heads: the mean of their logits."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tagger.heads.base import Head


class HeadEnsemble(nn.Module):
    """The mean of the logits (B, K) of several heads on the same features (B, D)."""

    def __init__(self, members: Iterable[Head]):
        super().__init__()
        self.members: list[Head] = nn.ModuleList(members)  # type: ignore[assignment]

    @property
    def num_features(self) -> int:
        """What each member reads."""
        return self.members[0].num_features

    def forward(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K), float32."""
        return self.to_logits(self.raw_scores(features_BD))

    def raw_scores(self, features_BD: Tensor) -> Tensor:
        """The mean of the members' scores (B, K), float32."""
        return torch.stack([head.raw_scores(features_BD) for head in self.members]).mean(0)

    def to_logits(self, raw_BK: Tensor) -> Tensor:
        """Scores to logits, as the members do it: all have the same groups."""
        return self.members[0].to_logits(raw_BK)

    def classifier_weights(self) -> Tensor:
        """The mean of the members' weights (K, D)."""
        return torch.stack([head.classifier_weights() for head in self.members]).mean(0)
