"""Rule consistency: penalise a premise that is more probable than what it implies.

For each rule of labels.toml ("baby" implies "people") and each image the loss is p(premise) * (1 -
p(implied)): the probability, were the two independent, that the rule is broken. It needs no label, so it
also acts on unknown cells. The multi-label project report (METHODS.md section 9) asks for rules; the
loss is ours (a product t-norm, as in semantic and logical losses: Xu et al. 2018, arXiv 1711.11157).
"""

import torch
from torch import Tensor

from tagger.errors import TaggerError
from tagger.regularisers.base import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers


@regularisers.register("rule-consistency")
class RuleConsistency(Regulariser):
    """``weight`` times p(premise) * (1 - p(implied)), the mean over images and rules."""

    supports_cached_features = True

    def __init__(self, context: RegulariserContext, *, weight: float = 0.5):
        super().__init__(context)
        if not weight >= 0:
            raise TaggerError(f"regularisers.rule-consistency.weight = {weight}: it must not be negative.")
        index_of = {name: k for k, name in enumerate(context.names)}
        self.pairs = [(index_of[rule.premise], index_of[rule.implied]) for rule in context.rules]
        if not self.pairs:
            raise TaggerError(
                "regularisers.rule-consistency: the data has no rule. Declare some in labels.toml"
                ' ([[rules]] if = "baby", then = "people"), or leave the method out.'
            )
        self.weight = weight

    def loss(self, outputs: ModelOutputs, step: StepContext) -> Tensor | None:
        """The mean probability of a broken rule, weighted; float32."""
        if not self.weight:
            return None
        premises, implied = (list(side) for side in zip(*self.pairs, strict=True))
        return self.weight * violation_rate(outputs.logits_BK[:, premises], outputs.logits_BK[:, implied])


def violation_rate(premise_BR: Tensor, implied_BR: Tensor) -> Tensor:
    """The mean of p(premise) * (1 - p(implied)), from logits.

    >>> violation_rate(torch.tensor([[0.0]]), torch.tensor([[0.0]]))
    tensor(0.2500)
    """
    return (torch.sigmoid(premise_BR.float()) * torch.sigmoid(-implied_BR.float())).mean()
