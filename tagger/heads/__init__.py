"""Features to logits. A head is built as ``heads.build(name, num_features, num_labels, **options)``."""

from tagger.heads.code_report import report_of
from tagger.heads.ecoc import ECOCHead
from tagger.heads.ensemble import HeadEnsemble
from tagger.heads.family import Head, heads
from tagger.heads.grouping import group_head
from tagger.heads.linear import LinearHead, merge
from tagger.heads.mlp import MLPHead

__all__ = ["ECOCHead", "Head", "HeadEnsemble", "LinearHead", "MLPHead", "group_head", "heads", "merge", "report_of"]
