"""The model: any timm backbone, a head, optional attention and glimpses; images to logits."""

from tagger.model.attention import GatedAttention
from tagger.model.backbone import Backbone, make_backbone, needs_fixed_size
from tagger.model.fuse_batchnorm import example_images, fuse_batchnorm
from tagger.model.glimpses import Glimpses
from tagger.model.grid_features import GridBackbone, num_pooled_features, with_grid
from tagger.model.new_glimpses import new_glimpses
from tagger.model.sequence_lstm import SequenceLstm
from tagger.model.sequence_model import SequenceModel, new_sequences
from tagger.model.tag_model import (
    FrameOutputs,
    TagModel,
    load_model,
    new_attention,
    new_backbone,
    new_head,
    save_model,
)

__all__ = [
    "Backbone",
    "FrameOutputs",
    "GatedAttention",
    "Glimpses",
    "GridBackbone",
    "SequenceLstm",
    "SequenceModel",
    "TagModel",
    "example_images",
    "fuse_batchnorm",
    "load_model",
    "make_backbone",
    "needs_fixed_size",
    "new_attention",
    "new_backbone",
    "new_glimpses",
    "new_head",
    "new_sequences",
    "num_pooled_features",
    "save_model",
    "with_grid",
]
