"""Heads: from features to logits. Built as ``heads.build(name, num_features, num_labels, **options)``."""

from tagger.heads.base import Head, heads
from tagger.heads.ecoc import ECOCHead
from tagger.heads.ecoc_report import head_code_report
from tagger.heads.ensemble import HeadEnsemble
from tagger.heads.grouping import set_head_groups
from tagger.heads.linear import LinearHead, merge_linear_heads
from tagger.heads.mlp import MLPHead

__all__ = [
    "ECOCHead",
    "Head",
    "HeadEnsemble",
    "LinearHead",
    "MLPHead",
    "head_code_report",
    "heads",
    "merge_linear_heads",
    "set_head_groups",
]
