"""Focal and asymmetric loss: hard cells weigh more than easy ones."""

from timm.loss import AsymmetricLossMultiLabel
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from tagger.losses.base import LabelStatsLike, Loss, check_gamma, check_option, losses


@losses.register("focal")
class FocalLoss(Loss):
    """Weigh hard cells more: (1 - p_t) ** gamma times cross-entropy. Lin et al. 2017, arXiv 1708.02002, eq. 4.

    ``alpha`` in 0..1 weighs yes-cells alpha and no-cells 1 - alpha (eq. 5); -1 leaves it out. At gamma 0
    and alpha -1 it is binary cross-entropy. torchvision's ``sigmoid_focal_loss``.
    """

    def __init__(self, stats: LabelStatsLike, *, gamma: float = 2.0, alpha: float = -1.0):
        super().__init__(stats)
        check_gamma("focal", "gamma", gamma)
        if alpha != -1:
            check_option("focal", "alpha (-1 = off)", alpha, low=0, high=1)
        self.gamma = gamma
        self.alpha = alpha

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        return sigmoid_focal_loss(logits_BK, targets_BK, alpha=self.alpha, gamma=self.gamma, reduction="none")


@losses.register("asymmetric")
class AsymmetricLoss(Loss):
    """Focus no-cells more than yes-cells and forget the easiest. Ridnik et al. 2021, arXiv 2009.14119, eq. 7.

    ``clip`` is the probability below which a no-cell costs nothing. With both gammas and clip 0 it is binary
    cross-entropy (up to |logit| of about 16, where its probabilities round to 0 and 1).
    timm's ``AsymmetricLossMultiLabel``.
    """

    def __init__(
        self, stats: LabelStatsLike, *, gamma_neg: float = 4.0, gamma_pos: float = 1.0, clip: float = 0.05
    ):
        super().__init__(stats)
        check_gamma("asymmetric", "gamma_neg", gamma_neg)
        check_gamma("asymmetric", "gamma_pos", gamma_pos)
        check_option("asymmetric", "clip", clip, low=0, high=0.5)
        self.asymmetric = AsymmetricLossMultiLabel(gamma_neg, gamma_pos, clip, reduction="none")

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        return self.asymmetric(logits_BK, targets_BK)
