"""Losses of each cell by itself: binary cross-entropy, weighted variants, and squared error."""

import torch
from timm.loss import BinaryCrossEntropy, compute_class_weights
from torch import Tensor
from torch.nn import functional as F

from tagger.losses.base import LabelStatsLike, Loss, check_option, counts_if_all_known, losses


@losses.register("bce")
class BceLoss(Loss):
    """Binary cross-entropy of each cell (timm's ``BinaryCrossEntropy``, without smoothing)."""

    def __init__(self, stats: LabelStatsLike):
        super().__init__(stats)
        self.bce = BinaryCrossEntropy(smoothing=0.0, reduction="none")

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        return self.bce(logits_BK, targets_BK)


@losses.register("weighted-bce")
class WeightedBceLoss(Loss):
    """Binary cross-entropy with the yes-cells of label k weighing (negatives_k / positives_k) ** power.

    Weights stay within 1/cap..cap. At power 0 it is binary cross-entropy. Weights by timm's
    ``compute_class_weights``.
    """

    def __init__(self, stats: LabelStatsLike, *, power: float = 0.5, cap: float = 10.0):
        super().__init__(stats)
        check_option("weighted-bce", "power", power, low=0)
        check_option("weighted-bce", "cap", cap, low=1)
        _, weights_K = compute_class_weights(
            *counts_if_all_known(stats), method="neg_pos", power=power, max_weight=cap
        )
        # The floor matters for a label that is always yes: weight 0 would leave it without any gradient.
        self.bce = BinaryCrossEntropy(
            smoothing=0.0, reduction="none", pos_weight=weights_K.clamp(min=1 / cap)
        )

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        return self.bce(logits_BK, targets_BK)


@losses.register("false-positive")
class FalsePositiveLoss(Loss):
    """Binary cross-entropy with the no-cells weighing ``penalty`` times: false alarms cost more. With ``power`` above 0
    those of frequent labels do.

    From the multi-label project report, section 7, where a penalty corrects "the effect of the people layer", which
    is on half of all photos. The penalty of label k is 1 + (penalty - 1) (share_k / largest share) ** power: the
    same for all labels at power 0, in proportion to how frequent a label is at 1. At penalty 1 it is binary
    cross-entropy.
    """

    penalty_K: Tensor

    def __init__(self, stats: LabelStatsLike, *, penalty: float = 2.0, power: float = 0.0):
        super().__init__(stats)
        check_option("false-positive", "penalty", penalty, low=0)
        check_option("false-positive", "power", power, low=0)
        share_K = torch.ones(1)
        if power:
            counts_K, num_images = counts_if_all_known(stats)
            share_K = (counts_K / num_images).clamp(min=0)
            share_K = (share_K / share_K.max().clamp(min=1e-12)) ** power
        self.register_buffer("penalty_K", 1.0 + (penalty - 1.0) * share_K, persistent=False)

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        yes_BK = targets_BK * F.softplus(-logits_BK)
        no_BK = (1.0 - targets_BK) * F.softplus(logits_BK)
        return yes_BK + self.penalty_K * no_BK


@losses.register("squared-error")
class SquaredErrorLoss(Loss):
    """Squared difference between probability and target (the Brier score), to compare with cross-entropy.

    From the multi-label project report (METHODS.md section 9). A wrong cell costs at most 1, so label
    errors pull less.
    """

    def __init__(self, stats: LabelStatsLike):
        super().__init__(stats)

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        return (torch.sigmoid(logits_BK) - targets_BK) ** 2
