"""From files and label tables to batches of tensors.

``decode.load_image`` reads any image; ``dataset.ImageFiles`` and ``loader.make_loader`` make uint8 batches
in the order that one of ``samplers.samplers`` draws; ``augment.Augment`` and ``mixing.mixup_cutmix`` change
them, on the device. ``fingerprint.write_fingerprints`` keeps what copies of images are known by.
"""

from tagger.batches.aligned_photos import AlignedPhotos
from tagger.batches.augment import Augment
from tagger.batches.dataset import ImageBatch, ImageFiles, check_readable
from tagger.batches.fingerprint import (
    fingerprint,
    load_fingerprint_rows,
    load_fingerprints,
    write_fingerprints,
)
from tagger.batches.image_cache import CachedImages, fits_cache, open_cache, write_cache
from tagger.batches.landmark_jitter import LandmarkJitter
from tagger.batches.loader import BatchSequence, default_num_workers, make_loader
from tagger.batches.mixup import mix_targets, mixup_cutmix
from tagger.batches.progressive_resize import progressive_size, resize_images
from tagger.batches.samplers import samplers
from tagger.data.images.decoding import UnreadableImage, load_image

__all__ = [
    "AlignedPhotos",
    "Augment",
    "BatchSequence",
    "CachedImages",
    "ImageBatch",
    "ImageFiles",
    "LandmarkJitter",
    "UnreadableImage",
    "check_readable",
    "default_num_workers",
    "fingerprint",
    "fits_cache",
    "load_fingerprint_rows",
    "load_fingerprints",
    "load_image",
    "make_loader",
    "mix_targets",
    "mixup_cutmix",
    "open_cache",
    "progressive_size",
    "resize_images",
    "samplers",
    "write_cache",
    "write_fingerprints",
]
