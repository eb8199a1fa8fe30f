"""Checks of the settings that need the registered parts: before hours pass, and before an image is read."""

import torch

from tagger.arrays import NO, YES
from tagger.batches import samplers
from tagger.config import Settings
from tagger.data import Dataset
from tagger.errors import TaggerError
from tagger.heads import heads
from tagger.losses import losses
from tagger.model import needs_fixed_size, new_head
from tagger.setting_sections import TrainSettings
from tagger.text import shortlist
from tagger.training.network.optimiser import make_optimiser
from tagger.training.objective import check_regularisers, make_regularisers, regulariser_context


def check_parts(settings: Settings) -> None:
    """TaggerError if a head, loss, sampler or optimiser, or an option of theirs, does not exist: before hours pass."""
    for family, part in ((heads, settings.head), (losses, settings.loss), (samplers, settings.sampler)):
        family.check(part.name, part.options)
    check_regularisers(settings)
    _check_schedule(settings.train)
    make_optimiser([{"params": [torch.nn.Parameter(torch.zeros(1))]}], settings.train)
    if (
        settings.image.progressive_start
        and settings.train.epochs
        and needs_fixed_size(settings.backbone.name)
    ):
        raise TaggerError(
            f"image.progressive_start = {settings.image.progressive_start}, but {settings.backbone.name} takes"
            " images of one size only."
            " Leave it at 0, or take a convolutional backbone."
        )
    networks_have_parts = begins_with_features(settings) and settings.train.fold_models > 1
    if not settings.data.val and settings.train.epochs and not networks_have_parts:
        raise TaggerError(
            "data.val = 0: one network is compared with others on validation images. Give e.g. data.val=0.1."
        )


def _check_schedule(train: TrainSettings) -> None:
    """TaggerError if the decay is set where no schedule would use it."""
    default = TrainSettings()
    unused = [
        name for name in ("decay_rate", "decay_steps") if getattr(train, name) != getattr(default, name)
    ]
    if train.schedule == "cosine" and unused:
        raise TaggerError(
            f"train.{unused[0]} = {getattr(train, unused[0])}, but a cosine has no decay."
            " Set train.schedule=step or train.schedule=exponential, or leave it out."
        )


def check_dataset(settings: Settings, num_features: int, dataset: Dataset) -> None:
    """TaggerError if no label can be learnt, or the head or a regulariser cannot have these labels."""
    check_learnable(dataset)
    new_head(num_features, len(dataset.labels), settings).check_labels(dataset.labels)
    make_regularisers(settings, regulariser_context(num_features, dataset))


def check_learnable(dataset: Dataset) -> None:
    """TaggerError if no label has both an image that shows it and one that does not."""
    cells_NK = dataset.labels_NK
    if not ((cells_NK == YES).any(axis=0) & (cells_NK == NO).any(axis=0)).any():
        raise TaggerError(
            f"{dataset.root}: no label has both a photo with it and one without, so there is nothing to learn"
            f" ({shortlist([repr(name) for name in dataset.labels], 3)}). Add photos of the other kind."
        )


def begins_with_features(settings: Settings) -> bool:
    """Whether heads are trained on the backbone's features first."""
    if settings.head_stage.enabled == "auto":
        return settings.backbone.weights != "none" or settings.train.epochs == 0
    return settings.head_stage.enabled
