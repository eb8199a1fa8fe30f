"""Tensors to logits: the backbone behind one interface, and the model that a run keeps."""

from tagger.model.backbone import Backbone, make_backbone
from tagger.model.tagmodel import TagModel, load_model, new_backbone, new_head, save_model

__all__ = ["Backbone", "TagModel", "load_model", "make_backbone", "new_backbone", "new_head", "save_model"]
