"""Losses, by name: ``losses.build("focal", stats, gamma=2.0)``.

One file a family; the base keeps unknown cells out."""

from tagger.losses.base import Loss, losses
from tagger.losses.bce import BceLoss, FalsePositiveLoss, SquaredErrorLoss, WeightedBceLoss
from tagger.losses.distribution_balanced import DistributionBalancedLoss
from tagger.losses.focal import AsymmetricLoss, FocalLoss
from tagger.losses.grouped_loss import GroupedLoss, grouped_loss
from tagger.losses.number_loss import NumberLoss, number_loss

__all__ = [
    "AsymmetricLoss",
    "BceLoss",
    "DistributionBalancedLoss",
    "FalsePositiveLoss",
    "FocalLoss",
    "GroupedLoss",
    "Loss",
    "NumberLoss",
    "SquaredErrorLoss",
    "WeightedBceLoss",
    "grouped_loss",
    "losses",
    "number_loss",
]
