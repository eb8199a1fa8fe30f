"""Prepare a training batch: augmentation, progressive resizing, mixup or cutmix, smoothed targets."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tagger.batches import (
    Augment,
    CachedImages,
    ImageBatch,
    ImageFiles,
    LandmarkJitter,
    check_readable,
    mixup_cutmix,
    progressive_size,
    resize_images,
)
from tagger.config import Settings
from tagger.regularisers import StepContext
from tagger.training.head.cross_fit import smooth_targets
from tagger.training.inference import to_float
from tagger.training.network.fit_task import FitTask
from tagger.training.objective import make_step_context
from tagger.training.targets import TrainingTargets, split_targets


class TrainingBatch(NamedTuple):
    """What one step trains on; ``files`` and ``where`` (network, epoch, batch) are for errors."""

    images_BCHW: Tensor
    targets_BK: Tensor
    weights_BK: Tensor | None
    step: StepContext
    files: list[str]
    where: str


@dataclass(frozen=True)
class BatchPreparation:
    """Makes training batches of decoded ones, on the device."""

    task: FitTask
    targets: TrainingTargets
    augment: Augment
    settings: Settings
    device: torch.device
    jitter: LandmarkJitter | None = None

    def prepare(
        self, batch: ImageBatch, generator: torch.Generator, *, epoch: int, progress: float, where: str
    ) -> TrainingBatch:
        """The batch of an epoch, ``progress`` (0..1) of the training being done; random numbers from ``generator``."""
        s = self.settings
        images = to_float(check_readable(batch, self.task.images.files).images_BCHW, self.device)
        if self.jitter is not None:
            images = self.jitter(images, batch.indices_B, generator)
        images = self.augment(images, generator)
        targets = self.targets.batch(batch.indices_B).to(self.device)
        images = resize_images(images, progressive_size(epoch, s.train.epochs, s.image))
        images, targets = mixup_cutmix(
            images, targets, generator, mixup_alpha=s.mix.mixup, cutmix_alpha=s.mix.cutmix, prob=s.mix.prob
        )
        targets_BK, weights_BK = split_targets(targets, self.task.labels_NK.shape[1])
        step = make_step_context(targets_BK, progress, generator)
        smoothed_BK = smooth_targets(targets_BK, s.loss.smoothing)
        return TrainingBatch(
            images, smoothed_BK, weights_BK, step, self.task.files(batch.indices_B.tolist()), where
        )


def make_jitter(images: ImageFiles | CachedImages, settings: Settings) -> LandmarkJitter | None:
    """The jitter of aligned images by the settings; None where there is none."""
    if not settings.align.jitter or images.aligned is None:
        return None
    return LandmarkJitter(images.aligned, settings.image.size, settings.align.jitter)
