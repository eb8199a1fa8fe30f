"""Features to logits. A head is built as ``heads.build(name, num_features, num_labels, **options)``."""

from tagger.heads.ensemble import HeadEnsemble
from tagger.heads.family import Head, heads
from tagger.heads.linear import LinearHead, merge
from tagger.heads.mlp import MLPHead

__all__ = ["Head", "HeadEnsemble", "LinearHead", "MLPHead", "heads", "merge"]
