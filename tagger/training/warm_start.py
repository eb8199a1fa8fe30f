"""Where does a retraining begin? With the networks of the last run, each to be taught without the part it never saw.

A run keeps the networks that were trained without one part (``members/``). Going on with each on the same parts keeps
out-of-fold probabilities honest, which going on from the one averaged network would not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from tagger.config import Settings
from tagger.heads import Head, HeadEnsemble
from tagger.model import Backbone, TagModel, new_head

GENTLER = 3  # a retraining goes on for a third of the epochs at a third of the rate


@dataclass(frozen=True)
class WarmStart:
    """``member(name)`` is the last run's network of that name with a column for each label of now, or None if it kept
    none; ``backbone()`` is the pretrained backbone (TaggerError if it cannot be had any more)."""

    member: Callable[[str], TagModel | None]
    backbone: Callable[[], Backbone]


def gentler(settings: Settings) -> Settings:
    """The settings of a training that goes on: fewer epochs, a lower rate, nothing frozen for a while first.

    >>> train = gentler(Settings()).train
    >>> train.epochs, round(train.lr, 6)
    (0, 0.0001)
    """
    train = settings.train
    chosen = {"epochs": math.ceil(train.epochs / GENTLER), "lr": train.lr / GENTLER, "freeze_epochs": 0}
    return settings.model_copy(update={"train": train.model_copy(update=chosen)})


def match_columns(
    old: Head | HeadEnsemble, before: Sequence[str], after: Sequence[str], priors_K: object, settings: Settings
) -> Head | HeadEnsemble:
    """The head ``old`` for the labels ``after``: columns go by name, labels that are new start at ``priors_K``."""
    if isinstance(old, HeadEnsemble):
        return HeadEnsemble(_matched(head, before, after, priors_K, settings) for head in old.members)
    return _matched(old, before, after, priors_K, settings)


def _matched(old: Head, before: Sequence[str], after: Sequence[str], priors_K: object, settings: Settings) -> Head:
    new = new_head(old.num_features, len(after), settings)
    new.size_as(old)
    new.start_at(priors_K)  # type: ignore[arg-type]
    place = {name: k for k, name in enumerate(before)}
    known = [k for k, name in enumerate(after) if name in place]
    from_old = [place[after[k]] for k in known]
    by_label = new.by_label()
    theirs = dict(old.named_parameters()) | dict(old.named_buffers())
    with torch.no_grad():
        for name, tensor in [*new.named_parameters(), *new.named_buffers()]:
            if name in ("group_K", "none_K"):
                continue  # labels and what is known of them may be others now: the training sets groups anew
            if name in by_label:
                tensor[known] = theirs[name][from_old]
            else:
                tensor.copy_(theirs[name])
    return new
