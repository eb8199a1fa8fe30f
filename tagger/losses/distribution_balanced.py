"""Distribution-balanced loss, for long-tailed labels that occur together."""

from timm.loss import DistributionBalancedLoss as TimmDistributionBalanced
from torch import Tensor

from tagger.losses.base import LabelStatsLike, Loss, check_gamma, check_option, counts_if_all_known, losses


@losses.register("distribution-balanced")
class DistributionBalancedLoss(Loss):
    """Rebalanced weights and tolerance for the many no-cells. Wu et al. 2020, arXiv 2007.09654, sections 3.1
    and 3.2.

    A cell's weight is ``alpha + sigmoid(beta * (r - mu))``, where r compares how often its label alone
    would be sampled with how often its image is, through all its labels. ``neg_scale`` (the paper's lambda)
    bounds the pull of easy no-cells, ``init_bias`` (kappa) shifts logits by the label's prior, ``gamma``
    adds the focal term. At alpha 0.5, beta 0, neg_scale 1, init_bias 0, gamma 0 it is binary cross-entropy.
    timm's ``DistributionBalancedLoss`` with its defaults; unknown cells count as no-cells where an image's
    labels are summed.
    """

    def __init__(
        self,
        stats: LabelStatsLike,
        *,
        alpha: float = 0.1,
        beta: float = 10.0,
        mu: float = 0.2,
        neg_scale: float = 2.0,
        init_bias: float = 0.05,
        gamma: float = 2.0,
    ):
        super().__init__(stats)
        check_gamma("distribution-balanced", "gamma", gamma)
        check_option("distribution-balanced", "alpha", alpha, low=0)
        check_option("distribution-balanced", "neg_scale", neg_scale, low=1e-3)
        self.balanced = TimmDistributionBalanced(
            *counts_if_all_known(stats),
            map_alpha=alpha,
            map_beta=beta,
            map_mu=mu,
            neg_scale=neg_scale,
            init_bias=init_bias,
            focal_gamma=gamma,
            reduction="none",
        )

    def formula(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        return self.balanced(logits_BK, targets_BK)
