"""Checks of the settings that need the registered parts: before hours pass, and before an image is read."""

import torch

from tagger.batches import samplers
from tagger.config import Settings
from tagger.data import Dataset
from tagger.errors import TaggerError
from tagger.heads import heads
from tagger.losses import losses
from tagger.model import needs_fixed_size, new_head
from tagger.training.network.optimiser import make_optimiser
from tagger.training.objective import check_regularisers, make_regularisers, regulariser_context


def check_parts(settings: Settings) -> None:
    """TaggerError if a head, loss, sampler or optimiser, or an option of theirs, does not exist: before hours pass."""
    for family, part in ((heads, settings.head), (losses, settings.loss), (samplers, settings.sampler)):
        family.check(part.name, part.options)
    check_regularisers(settings)
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


def check_fits_labels(settings: Settings, num_features: int, dataset: Dataset) -> None:
    """TaggerError if the head cannot have so many labels, or a regulariser not such groups and rules."""
    new_head(num_features, len(dataset.labels), settings)
    make_regularisers(settings, regulariser_context(num_features, dataset))


def begins_with_features(settings: Settings) -> bool:
    """Whether heads are trained on the backbone's features first."""
    if settings.head_stage.enabled == "auto":
        return settings.backbone.weights != "none" or settings.train.epochs == 0
    return settings.head_stage.enabled
