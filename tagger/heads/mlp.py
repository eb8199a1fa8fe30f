"""MLP head: one hidden layer."""

from torch import Tensor, nn

from tagger.errors import TaggerError
from tagger.heads.base import Head, heads
from tagger.heads.dropout import FastDropout


@heads.register("mlp")
class MLPHead(Head):
    """Linear (D -> hidden), ReLU, dropout, linear (hidden -> K)."""

    def __init__(self, num_features: int, num_labels: int, *, hidden: int = 512, dropout: float = 0.5):
        super().__init__(num_features, num_labels)
        self.body = nn.Sequential(nn.Linear(num_features, hidden), nn.ReLU(), FastDropout(dropout))
        self.fc = nn.Linear(hidden, num_labels)

    def classify(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K)."""
        return self.fc(self.body(features_BD))

    def output_layer(self) -> nn.Linear:
        """The last linear layer."""
        return self.fc

    def classifier_weights(self) -> Tensor:
        """TaggerError: with a hidden layer the weights depend on the image."""
        raise TaggerError(
            "This needs a linear head, and the run has head 'mlp'. Train with --set head.name=linear"
        )
