"""Initial model of a training: backbone weights, a head at the label priors, attention, glimpses."""

import copy

import numpy as np
import torch

from tagger.arrays import Floats
from tagger.config import Settings
from tagger.data import label_stats
from tagger.heads import Head, HeadEnsemble, set_head_groups
from tagger.model import Backbone, TagModel, new_attention, new_backbone, new_glimpses, new_head
from tagger.training.network.fit_task import FitTask
from tagger.training.network.initial_features import initial_features
from tagger.training.seeds import seed_of


def init_model(
    task: FitTask, settings: Settings, head: Head | HeadEnsemble | None, start: TagModel | None = None
) -> TagModel:
    """The network before its first step; without a head to start from, a new one at the labels' shares.

    ``start`` has learnt elsewhere: its head is taken where none is given, and its attention and glimpses.
    """
    priors_K = label_stats(task.labels_NK[task.rows]).priors_K
    if start is not None:
        model = init_model(task, settings, start.head if head is None else head)
        if start.attention is not None and model.attention is not None:
            model.attention = copy.deepcopy(start.attention)
        if start.glimpses is not None and model.glimpses is not None:
            model.glimpses = copy.deepcopy(start.glimpses)
        return model
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(settings.seed, task.key.seed_name, "weights"))
        backbone = new_backbone(settings, use_global_rng=head is None)
        if head is not None:
            return _with_parts(backbone, copy.deepcopy(head), priors_K, settings)
        new = new_head(backbone.num_features, task.labels_NK.shape[1], settings)
    set_task_groups(new, task)
    pretrained = settings.backbone.weights != "none"
    labels_RK = task.labels_NK[task.rows]
    new.prepare(labels_RK, lambda: initial_features(backbone, task, settings), pretrained=pretrained)
    new.init_from_priors(priors_K)
    return _with_parts(backbone, new, priors_K, settings)


def set_task_groups(head: Head | HeadEnsemble, task: FitTask) -> None:
    """Set a head's groups of exclusive labels by all training images of the run, so that its heads agree."""
    learnable = np.concatenate([task.rows, task.held_out])
    set_head_groups(head, task.vocabulary.labels, task.vocabulary.groups, task.labels_NK[learnable])


def _with_parts(
    backbone: Backbone, head: Head | HeadEnsemble, priors_K: Floats, settings: Settings
) -> TagModel:
    """The model, with attention that starts where its head is, and glimpses, if the settings ask for them."""
    attention = new_attention(backbone, len(priors_K), settings)
    if attention is not None:
        attention.init_from_priors(head, priors_K)
    glimpses = new_glimpses(backbone, len(priors_K), settings)
    return TagModel(backbone, head, attention, glimpses=glimpses)
