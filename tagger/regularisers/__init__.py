"""Regularisers, by name: ``[regularisers]`` in the settings. One file each.

They share one interface (``family.Regulariser``): a method changes the batch, a feature map, the loss or
the gradients, and leaves the network that is kept exactly as it would be without it.
"""

from tagger.regularisers.attention_drop import AttentionDrop
from tagger.regularisers.base import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers
from tagger.regularisers.camdrop import CamDrop
from tagger.regularisers.dropblock import DropBlock
from tagger.regularisers.grid_dropout import GridDropout
from tagger.regularisers.ordinal_regression import OrdinalRegression
from tagger.regularisers.orthoreg import OrthoReg
from tagger.regularisers.rule_consistency import RuleConsistency

__all__ = [
    "AttentionDrop",
    "CamDrop",
    "DropBlock",
    "GridDropout",
    "ModelOutputs",
    "OrdinalRegression",
    "OrthoReg",
    "Regulariser",
    "RegulariserContext",
    "RuleConsistency",
    "StepContext",
    "regularisers",
]
