"""Parameter groups, optimiser and learning-rate schedule of a network, by timm."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from timm.optim import create_optimizer_v2, get_optimizer_class
from timm.scheduler import CosineLRScheduler, StepLRScheduler
from timm.scheduler.scheduler import Scheduler
from torch import nn

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.model import Backbone, TagModel
from tagger.setting_sections import TrainSettings

DEFAULT_NUM_DECAYS = 5  # of a stepped or exponential rate, where the steps between are not said
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def parameter_groups(
    model: TagModel,
    settings: TrainSettings,
    attention_lr_factor: float = 10.0,
    extra_parameters: Sequence[nn.Parameter] = (),
) -> list[dict[str, Any]]:
    """Groups with an ``lr_scale`` each: backbone stages at 1 (times ``layer_decay`` for each stage further
    from the head), attention at its own factor, everything else at ``head_lr_factor``; no weight decay on
    biases and normalisation.

    ``extra_parameters`` are parameters outside the model: those of regularisers. Frozen stages are in no group and stop
    taking gradients.
    """
    stages = model.backbone.stages()
    named = dict(model.backbone.net.named_parameters())
    for name in frozen_parameters(model.backbone, settings.freeze_share):
        named[name].requires_grad_(False)
    scale_of = {
        id(named[name]): settings.layer_decay ** (len(stages) - 1 - depth)
        for depth, stage in enumerate(stages)
        for name in stage
    }
    attention = getattr(model, "attention", None)
    scale_of |= {
        id(parameter): attention_lr_factor for parameter in (attention.parameters() if attention else ())
    }
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter in [*model.parameters(), *extra_parameters]:
        if parameter.requires_grad:
            key = (scale_of.get(id(parameter), settings.head_lr_factor), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    if not groups:
        raise TaggerError(
            "train.freeze_share leaves nothing to train: lower it, or train only a head (train.epochs=0)."
        )
    return [
        {"params": group, "lr_scale": scale, "weight_decay": settings.weight_decay if decays else 0.0}
        for (scale, decays), group in groups.items()
    ]


def frozen_parameters(backbone: Backbone, share: float) -> list[str]:
    """Names (in ``backbone.net``) of the parameters in the first ``share`` of its stages."""
    stages = backbone.stages()
    return [name for stage in stages[: int(share * len(stages))] for name in stage]


def batch_norms_to_freeze(
    model: TagModel, settings: Settings, *, single_image_batches: bool
) -> list[nn.Module]:
    """Batch normalisations whose running statistics stay: all (``freeze_norm``; batches of a single
    image have no statistics), or those of frozen stages.
    """
    keep_all = settings.train.freeze_norm
    if keep_all == "auto":
        keep_all = settings.backbone.weights != "none"
    frozen = {
        name.rpartition(".")[0] for name in frozen_parameters(model.backbone, settings.train.freeze_share)
    }
    return [
        module
        for name, module in model.backbone.net.named_modules()
        if isinstance(module, BATCH_NORMS) and (single_image_batches or keep_all or name in frozen)
    ]


def make_optimiser(groups: list[dict[str, Any]], settings: TrainSettings) -> torch.optim.Optimizer:
    """timm's optimiser of that name over the groups; as one kernel where torch has that, in a quarter of the time."""
    try:
        fused = (
            "fused"
            in inspect.signature(get_optimizer_class(settings.optimiser, bind_defaults=False)).parameters
        )
        fused_option: dict[str, Any] = {"fused": True} if fused else {}
        return create_optimizer_v2(
            groups, opt=settings.optimiser, lr=settings.lr, weight_decay=settings.weight_decay, **fused_option
        )
    except ValueError as error:
        raise TaggerError(
            f"train.optimiser = {settings.optimiser!r}: {error}. timm.optim.list_optimizers() names all."
        ) from None


def make_schedule(optimiser: torch.optim.Optimizer, steps: int, settings: TrainSettings) -> Scheduler:
    """Linear warm-up, then ``settings.schedule``, by step: call ``step_update(number of steps done)`` after each.

    ``cosine``: half a cosine to 0. ``step``: times ``decay_rate`` every ``decay_steps`` steps. ``exponential``: as much
    in as many steps, a little in each.
    """
    warmup = int(steps * settings.warmup)
    common: dict[str, Any] = {
        "warmup_t": warmup,
        "warmup_lr_init": 0.0,
        "warmup_prefix": True,
        "t_in_epochs": False,
    }
    if settings.schedule == "cosine":  # of 1 step timm warns; with 2 it is the same
        return CosineLRScheduler(optimiser, t_initial=max(steps - warmup, 2), **common)
    decay_steps = settings.decay_steps or max(1, math.ceil((steps - warmup) / DEFAULT_NUM_DECAYS))
    if settings.schedule == "step":
        return StepLRScheduler(optimiser, decay_t=decay_steps, decay_rate=settings.decay_rate, **common)
    rate = settings.decay_rate ** (1 / decay_steps)
    return StepLRScheduler(optimiser, decay_t=1, decay_rate=rate, **common)
