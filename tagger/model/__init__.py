"""Tensors to logits: the backbone behind one interface, and the model that a run keeps."""

from tagger.model.attention import GatedAttention
from tagger.model.backbone import Backbone, make_backbone, needs_fixed_size
from tagger.model.folded import example, folded
from tagger.model.tagmodel import TagModel, load_model, new_attention, new_backbone, new_head, save_model

__all__ = [
    "Backbone",
    "GatedAttention",
    "TagModel",
    "example",
    "folded",
    "load_model",
    "make_backbone",
    "needs_fixed_size",
    "new_attention",
    "new_backbone",
    "new_head",
    "save_model",
]
