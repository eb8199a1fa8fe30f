"""Ordinal regression: a regression output for each ordered group, beside its softmax.

Zhang et al., "Image ordinal classification and understanding: grid dropout with masking label", section 3
and eq. 2: loss = loss_cls + alpha * loss_reg (eq. 3 is Grad-CAM's weight). loss_reg is the squared error between
one regression output on the pooled features and the index of the class, without the 1/2 that "Euclidean loss"
often carries and that would halve alpha; alpha is 0.5. The softmax takes all mistakes alike, this one does not.
The output is never used to predict and no part of the model that is kept, and it acts through the features: on
a frozen backbone it would change nothing.
"""

import torch
from torch import Tensor, nn

from tagger.errors import TaggerError
from tagger.regularisers.base import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers
from tagger.scoring.label_constraints import exclusive_groups

SUM_TOLERANCE = 1e-3  # how far from 1 an image's targets may sum up to for its class to count as known


@regularisers.register("ordinal-regression")
class OrdinalRegression(Regulariser):
    """``alpha`` times the squared error of each ordinal group's regression output, the mean over groups and
    images whose class is known. The index of the class counts from 0; of mixed images it is the mixture of
    theirs.
    """

    def __init__(self, context: RegulariserContext, *, alpha: float = 0.5):
        super().__init__(context)
        if not alpha >= 0:
            raise TaggerError(f"regularisers.ordinal-regression.alpha = {alpha}: it must not be negative.")
        groups = [one.columns for one in exclusive_groups(context.names, context.groups) if one.ordinal]
        if not groups:
            raise TaggerError(
                "regularisers.ordinal-regression: the data has no ordinal group. Declare one in labels.toml"
                ' ([groups.age] kind = "ordinal", labels = [...] in their order), or leave the method out.'
            )
        self.alpha = alpha
        self.groups = tuple(groups)
        self.head = nn.Linear(context.num_features, len(groups)) if alpha else None
        if self.head is not None:
            middle_G = torch.tensor([(len(columns) - 1) / 2 for columns in groups])
            self.head.bias.data.copy_(middle_G)

    def loss(self, outputs: ModelOutputs, step: StepContext) -> Tensor | None:
        """The squared error, weighted; 0 (with zero gradient) where no image's class is known."""
        if self.head is None:
            return None
        with torch.autocast(outputs.features_BD.device.type, enabled=False):
            guesses_BG = self.head(outputs.features_BD.float())
        pairs = [target_class_index(step.targets_BK[:, list(columns)]) for columns in self.groups]
        index_BG, known_BG = (torch.stack(parts, 1) for parts in zip(*pairs, strict=True))
        errors_BG = torch.where(known_BG, guesses_BG - index_BG, 0.0).square()
        return self.alpha * errors_BG.sum() / known_BG.sum().clamp(min=1)


def target_class_index(targets_BM: Tensor) -> tuple[Tensor, Tensor]:
    """(index_B, known_B): the place in the group's order, and whether the targets say one class (or a mixture
    of some).

    >>> index_B, known_B = target_class_index(torch.tensor([[0.0, 1.0, -1.0], [0.25, 0.0, 0.75], [0.0, 0.0, 0.0]]))
    >>> index_B.tolist(), known_B.tolist()
    ([1.0, 1.5, 0.0], [True, True, False])
    """
    shares_BM = targets_BM.float().clamp(min=0.0)
    positions_M = torch.arange(targets_BM.shape[1], device=targets_BM.device, dtype=torch.float32)
    return shares_BM @ positions_M, (shares_BM.sum(1) - 1).abs() < SUM_TOLERANCE
