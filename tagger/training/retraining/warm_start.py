"""Warm start of a retraining: the last run's fold models, with a column for each current label.

A run keeps its fold models: the networks that were trained without one part each (``members/``). A
retraining trains each on without the same part, so that its probabilities stay out-of-fold. From the
averaged network they would not.

The columns of new labels are drawn from the run's seed alone. A resumed retraining begins with the same
weights as an uninterrupted one, and so do all fold models, which are averaged later.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from tagger.arrays import Floats
from tagger.config import Settings
from tagger.heads import Head, HeadEnsemble
from tagger.model import Backbone, TagModel, new_head
from tagger.training.seeds import seed_of

FINETUNE_DIVISOR = 3  # a warm start takes a third of the epochs, at a third of the rate


@dataclass(frozen=True)
class WarmStart:
    """Where a retraining starts.

    ``fold_model(stem)`` is the last run's network of that file stem, with a column for each current label, or
    None if the run kept none. ``backbone()`` is the pretrained backbone; TaggerError if its weights are gone.
    """

    fold_model: Callable[[str], TagModel | None]
    backbone: Callable[[], Backbone]


def finetune_settings(settings: Settings) -> Settings:
    """The settings of a warm-started training: fewer epochs, a lower rate, and no epochs for the head alone.

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
    old: Head | HeadEnsemble, old_columns: Sequence[int | None], priors_K: Floats, settings: Settings
) -> Head | HeadEnsemble:
    """The head ``old`` with other columns: ``old_columns[k]`` of the old head, or a new one where that is None.

    A new column starts at its prior, with weights that depend on ``settings.seed`` alone.
    """
    if isinstance(old, HeadEnsemble):
        members = enumerate(old.members)
        return HeadEnsemble(_remap_head(head, old_columns, priors_K, settings, n) for n, head in members)
    return _remap_head(old, old_columns, priors_K, settings, 0)


def _remap_head(
    old: Head, old_columns: Sequence[int | None], priors_K: Floats, settings: Settings, member: int
) -> Head:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(settings.seed, "new labels", member))
        new = new_head(old.num_features, len(old_columns), settings)
        new.match_size(old)
        new.init_from_priors(priors_K)
    kept = [k for k, column in enumerate(old_columns) if column is not None]
    from_old = [column for column in old_columns if column is not None]
    per_label_tensors = new.per_label_tensors()
    old_tensors = dict(old.named_parameters()) | dict(old.named_buffers())
    with torch.no_grad():
        for name, tensor in [*new.named_parameters(), *new.named_buffers()]:
            if name in ("group_K", "none_K"):
                continue  # labels and what is known of them may be others now: the training sets groups anew
            if name in per_label_tensors:
                tensor[kept] = old_tensors[name][from_old]
            else:
                tensor.copy_(old_tensors[name])
    return new
