"""Linear head behind dropout; several linear heads average into one exactly.

Heads of this kind average into a single one, so that an ensemble costs nothing."""

import torch
from torch import Tensor, nn

from tagger.heads.base import Head, heads
from tagger.heads.dropout import FastDropout


@heads.register("linear")
class LinearHead(Head):
    """Dropout, then one linear layer (D -> K)."""

    def __init__(self, num_features: int, num_labels: int, *, dropout: float = 0.5):
        super().__init__(num_features, num_labels)
        self.dropout = FastDropout(dropout)
        self.fc = nn.Linear(num_features, num_labels)

    def prepare_inputs(self, features_BD: Tensor) -> Tensor:
        """Standardised features behind dropout."""
        return self.dropout(self.standardised(features_BD))

    def classify(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K)."""
        return self.fc(features_BD)

    def output_layer(self) -> nn.Linear:
        """The linear layer."""
        return self.fc

    def classifier_weights(self) -> Tensor:
        """The layer's weights (K, D), without the standardisation."""
        return self.fc.weight / self.std


def merge_linear_heads(members: list[LinearHead]) -> LinearHead:
    """One linear head that gives the mean of the members' logits, exactly: linear layers average into one.

    Each member's standardisation is folded into its weights first.
    """
    first = members[0]
    merged = LinearHead(first.num_features, first.num_labels, dropout=first.dropout.p)
    with torch.no_grad():
        weights = [head.fc.weight / head.std for head in members]
        biases = [head.fc.bias - weight @ head.mean for head, weight in zip(members, weights, strict=True)]
        weight = torch.stack(weights).mean(0)
        bias = torch.stack(biases).mean(0)
        merged.set_groups(first.group_K, first.none_K)
        merged.mean.copy_(first.mean)
        merged.std.copy_(first.std)
        merged.fc.weight.copy_(weight * first.std)
        merged.fc.bias.copy_(bias + weight @ first.mean)
    return merged
