"""Checks of the settings that need the registered parts: before hours pass, and before an image is read."""

import torch

from tagger.arrays import NO, YES
from tagger.batches import samplers
from tagger.config import Settings
from tagger.data import Dataset
from tagger.errors import TaggerError, did_you_mean
from tagger.heads import heads
from tagger.losses import losses
from tagger.model import needs_fixed_size, new_head
from tagger.setting_sections import TrainSettings
from tagger.text import shortlist
from tagger.training.check_glimpses import check_glimpses
from tagger.training.network.optimiser import make_optimiser
from tagger.training.objective import check_regularisers, make_regularisers, regulariser_context


def check_parts(settings: Settings) -> None:
    """TaggerError if a head, loss, sampler or optimiser, or an option of theirs, does not exist: before hours pass."""
    for family, part in ((heads, settings.head), (losses, settings.loss), (samplers, settings.sampler)):
        family.check(part.name, part.options)
    check_regularisers(settings)
    _check_schedule(settings.train)
    check_glimpses(settings)
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
    check_sequence(settings)
    if settings.data.numbers and settings.loss.smoothing:
        raise TaggerError(
            f"loss.smoothing = {settings.loss.smoothing:g} softens yes and no, but"
            f" {next(iter(settings.data.numbers))!r} is a number. Leave it at 0."
        )
    _check_jitter(settings)
    networks_have_parts = begins_with_features(settings) and settings.train.fold_models > 1
    if not settings.data.val and settings.train.epochs and not networks_have_parts:
        raise TaggerError(
            "data.val = 0: one network is compared with others on validation images. Give e.g. data.val=0.1."
        )


def _check_jitter(settings: Settings) -> None:
    """TaggerError if landmarks are to be jittered where none are read, or where no image is read anew."""
    if settings.align.jitter and not (settings.align.landmarks and settings.train.epochs):
        fixed = "train.epochs = 0, so features are fixed"
        lacks = "align.landmarks is not set" if settings.train.epochs else fixed
        raise TaggerError(
            f"align.jitter = {settings.align.jitter:g}, but {lacks}. Leave it out, or set both."
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


def check_sequence(settings: Settings) -> None:
    """TaggerError if ``sequence.length`` is set where nothing says what a sequence is, or a network is trained."""
    if not settings.sequence.length:
        return
    if not settings.data.has_sequences:
        raise TaggerError(
            f"sequence.length = {settings.sequence.length}, but nothing says which photos are frames of one sequence."
            " Give data.sequences=name (or folder, or time), or data.sequence_column=COLUMN."
        )
    if settings.train.epochs or not begins_with_features(settings):
        raise TaggerError(
            f"sequence.length = {settings.sequence.length} goes by the features of a frozen backbone, but"
            f" train.epochs = {settings.train.epochs} changes it. Use --preset quick, or --set train.epochs=0."
        )


def check_dataset(settings: Settings, num_features: int, dataset: Dataset) -> None:
    """TaggerError if no label can be learnt, or the head or a regulariser cannot have these labels."""
    check_learnable(dataset)
    named = settings.sequence.undersample
    if settings.sequence.length and named and named not in dataset.labels:
        raise TaggerError(
            f"sequence.undersample = {named!r} is no label.{did_you_mean(named, dataset.labels)}"
            f" The labels are {shortlist([repr(name) for name in dataset.labels])}."
        )
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
