"""Files and label tables to batches of tensors.

``decode.load_image`` reads any image; ``dataset.ImageFiles`` and ``loader.make_loader`` make uint8 batches in the order
that one of ``samplers.samplers`` draws; ``augment.Augment`` and ``mixing.mix`` change them, on the device.
``fingerprint.keep_fingerprints`` keeps what copies of images are known by.
"""

from tagger.batches.augment import Augment
from tagger.batches.cache import CachedImages, cached, fill, fits
from tagger.batches.dataset import Batch, ImageFiles, check_readable
from tagger.batches.fingerprint import fingerprint, keep_fingerprints, load_fingerprints
from tagger.batches.growing import grown, size_at
from tagger.batches.loader import Batches, default_workers, make_loader
from tagger.batches.mixing import mix, mix_targets
from tagger.batches.samplers import samplers
from tagger.data.decode import UnreadableImage, load_image

__all__ = [
    "Augment",
    "Batch",
    "Batches",
    "CachedImages",
    "ImageFiles",
    "UnreadableImage",
    "cached",
    "check_readable",
    "default_workers",
    "fill",
    "fingerprint",
    "fits",
    "grown",
    "keep_fingerprints",
    "load_fingerprints",
    "load_image",
    "make_loader",
    "mix",
    "mix_targets",
    "samplers",
    "size_at",
]
