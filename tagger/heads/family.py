"""The registry of heads, and what all share: standardised features and a bias that starts at the log-odds."""

import numpy as np
import torch
from torch import Tensor, nn

from tagger.arrays import Floats, logit
from tagger.registry import Registry

heads = Registry("head")


class Head(nn.Module):
    """Logits (B, K) of pooled features (B, D): ``classify(standardised features)``.

    The features' mean and deviation are buffers: 0 and 1 until ``standardise`` sets them from training
    features, which lets one learning rate suit every level of every backbone.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_features: int, num_labels: int):
        super().__init__()
        self.num_features, self.num_labels = num_features, num_labels
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))

    def forward(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K), float32, also under autocast: a head costs nothing and thresholds are close to ties."""
        with torch.autocast(features_BD.device.type, enabled=False):
            return self.classify((features_BD.float() - self.mean) / self.std)

    def classify(self, features_BD: Tensor) -> Tensor:
        """Logits of standardised features; each head's own."""
        raise NotImplementedError

    def output(self) -> nn.Linear:
        """The layer whose bias is the logits' bias."""
        raise NotImplementedError

    def standardise(self, features_ND: Tensor) -> None:
        """Take the mean and deviation of these features for the standardisation."""
        self.mean.copy_(features_ND.float().mean(0))
        self.std.copy_(features_ND.float().std(0, correction=0).clamp(min=1e-3))

    def start_at(self, priors_K: Floats) -> None:
        """Start near the labels' shares, so that the first epoch is not spent on learning the imbalance.

        The weights shrink to a tenth, the bias becomes the log-odds of ``priors_K``.
        """
        layer = self.output()
        with torch.no_grad():
            layer.weight.mul_(0.1)
            layer.bias.copy_(torch.from_numpy(logit(np.clip(priors_K, 1e-4, 1 - 1e-4)).astype(np.float32)))
