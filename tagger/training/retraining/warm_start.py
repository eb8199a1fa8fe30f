"""Warm start of a retraining: the last run's fold models, with a column for each current label.

With the networks of the last run, each to be taught without the part it never saw.

A run keeps the networks that were trained without one part (``members/``). Going on with each on the same
parts keeps out-of-fold probabilities honest, which going on from the one averaged network would not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from tagger.config import Settings
from tagger.heads import Head, HeadEnsemble
from tagger.model import Backbone, TagModel, new_head

FINETUNE_DIVISOR = 3  # a retraining goes on for a third of the epochs at a third of the rate


@dataclass(frozen=True)
class WarmStart:
    """``member(name)`` is the last run's network of that name with a column for each label of now, or None if
    it kept none; ``backbone()`` is the pretrained backbone (TaggerError if it cannot be had any more).
    """

    fold_model: Callable[[str], TagModel | None]
    backbone: Callable[[], Backbone]


def finetune_settings(settings: Settings) -> Settings:
    """The settings of a training that goes on: fewer epochs, a lower rate, nothing frozen for a while first.

    >>> train = finetune_settings(Settings()).train
    >>> train.epochs, round(train.lr, 6)
    (0, 0.0001)
    """
    train = settings.train
    chosen = {
        "epochs": math.ceil(train.epochs / FINETUNE_DIVISOR),
        "lr": train.lr / FINETUNE_DIVISOR,
        "freeze_epochs": 0,
    }
    return settings.model_copy(update={"train": train.model_copy(update=chosen)})


def remap_head_labels(
    old: Head | HeadEnsemble,
    before: Sequence[str],
    after: Sequence[str],
    priors_K: object,
    settings: Settings,
) -> Head | HeadEnsemble:
    """The head ``old`` for the labels ``after``: columns go by name, labels that are new start at ``priors_K``."""
    if isinstance(old, HeadEnsemble):
        return HeadEnsemble(_remap_head(head, before, after, priors_K, settings) for head in old.members)
    return _remap_head(old, before, after, priors_K, settings)


def _remap_head(
    old: Head, before: Sequence[str], after: Sequence[str], priors_K: object, settings: Settings
) -> Head:
    new = new_head(old.num_features, len(after), settings)
    new.match_size(old)
    new.init_from_priors(priors_K)  # type: ignore[arg-type]
    index_of = {name: k for k, name in enumerate(before)}
    known = [k for k, name in enumerate(after) if name in index_of]
    from_old = [index_of[after[k]] for k in known]
    per_label_tensors = new.per_label_tensors()
    theirs = dict(old.named_parameters()) | dict(old.named_buffers())
    with torch.no_grad():
        for name, tensor in [*new.named_parameters(), *new.named_buffers()]:
            if name in ("group_K", "none_K"):
                continue  # labels and what is known of them may be others now: the training sets groups anew
            if name in per_label_tensors:
                tensor[known] = theirs[name][from_old]
            else:
                tensor.copy_(theirs[name])
    return new
