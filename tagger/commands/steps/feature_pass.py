"""The pass of a training's backbone over its images: features of all of them, kept in the checkpoint."""

from collections.abc import Iterable

import torch

from tagger.batches import ImageBatch, ImageFiles
from tagger.commands.steps.training_steps import LoadedImages
from tagger.model import example_images, fuse_batchnorm, with_grid
from tagger.training.device import pick_precision
from tagger.training.features import Features, extract_features


def compute_features(read: LoadedImages, files: ImageFiles, batches: Iterable[ImageBatch]) -> Features:
    """The features of all files, computed from their batches, or read from the checkpoint if they are there."""
    settings = read.job.settings
    assert read.backbone is not None, "a training that begins with features has one"
    device = read.job.accelerator.device
    backbone = with_grid(read.backbone, settings).to(device).to(memory_format=torch.channels_last)
    return extract_features(
        fuse_batchnorm(backbone, example_images(files.size, device)),
        batches,
        len(files),
        device=device,
        precision=pick_precision(settings),
        tta_hflip=settings.image.tta_hflip,
        checkpoint=read.job.run.checkpoint,
        files=files.files,
    )
