"""Data set of image files as tensors of one size; an unreadable file gives a black image and a reason."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from tagger.batches.aligned_photos import NO_LANDMARKS, AlignedPhotos
from tagger.batches.packed_strings import pack_strings
from tagger.data.images.alignment import load_aligned
from tagger.data.images.decoding import Fit, UnreadableImage, load_image
from tagger.data.io_watchdog import watch_read
from tagger.errors import TaggerError

ImageItem = tuple[Tensor, int, str | None]


class ImageBatch(NamedTuple):
    """images_BCHW (uint8), indices_B (int64, rows of the dataset) and, per image, why it could not be read or None."""

    images_BCHW: Tensor
    indices_B: Tensor
    reasons: list[str | None]


class ImageFiles(Dataset[ImageItem]):
    """Item i is ``(image_CHW uint8, i, reason or None)`` of ``root / files[i]``, size x size pixels, in memory
    as it was decoded: a pixel's three values side by side.

    ``aligned``: the landmarks by which they are aligned; photos without landmarks are read whole, as ``fit`` says.
    All that reads pixels for a network reads them here. Unreadable images are all black with a reason, so that the
    caller can count and list them and leave them out.
    """

    def __init__(
        self,
        root: str | Path,
        files: Sequence[str],
        *,
        size: int,
        fit: Fit = "squash",
        aligned: AlignedPhotos | None = None,
    ):
        if size < 1:
            raise ValueError(f"size is {size}; it must be at least 1")
        self.root = Path(root)
        self.files = pack_strings(files)
        self.size = size
        self.fit = fit
        self.aligned = aligned

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> ImageItem:
        index = int(index)
        path = os.path.join(self.root, self.files[index])  # a path of pathlib takes ten times as long
        try:
            with watch_read(path):
                pixels_HWC = self._load(path, index)
        except UnreadableImage as error:
            return (
                torch.zeros(self.size, self.size, 3, dtype=torch.uint8).permute(2, 0, 1),
                index,
                error.reason,
            )
        return torch.from_numpy(pixels_HWC).permute(2, 0, 1), index, None

    def take(self, rows: NDArray[np.int64]) -> "ImageFiles":
        """Some of the images."""
        aligned = self.aligned.take(rows) if self.aligned else None
        return ImageFiles(self.root, self.files.take(rows), size=self.size, fit=self.fit, aligned=aligned)

    def with_alignment(self, aligned: AlignedPhotos | None) -> "ImageFiles":
        """The same images, aligned so; whole ones for None."""
        return ImageFiles(self.root, self.files, size=self.size, fit=self.fit, aligned=aligned)

    def _load(self, path: str, index: int) -> NDArray[np.uint8]:
        points_P2 = self.aligned.points(index) if self.aligned else None
        if self.aligned is None or (points_P2 is None and not self.aligned.skips):
            return load_image(path, size=self.size, fit=self.fit)
        if points_P2 is None:
            raise UnreadableImage(NO_LANDMARKS)
        return load_aligned(path, points_P2, self.aligned.alignment, self.size)


def check_readable(batch: ImageBatch, files: Sequence[str]) -> ImageBatch:
    """The batch as it is; TaggerError, naming them, if it has images that can no longer be read.

    For trainings, where each image was read once already and those that cannot be were left out.
    """
    bad = [
        f"{files[n]} ({why})" for n, why in zip(batch.indices_B.tolist(), batch.reasons, strict=True) if why
    ]
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise TaggerError(
            f"Images can no longer be read: {', '.join(bad[:3])}{more}. Put them back and go on with --resume,"
            " or train anew without them."
        )
    return batch


def collate(items: Sequence[ImageItem]) -> ImageBatch:
    """One Batch of items, in their order, and in memory as they are: colours side by side (channels-last) or
    not.

    >>> batch = collate([(torch.zeros(3, 2, 2, dtype=torch.uint8), 5, None)])
    >>> tuple(batch.images_BCHW.shape), batch.indices_B.tolist(), batch.reasons
    ((1, 3, 2, 2), [5], [None])
    """
    images, indices, reasons = zip(*items, strict=True)
    if all(image_CHW.stride(0) == 1 for image_CHW in images):  # torch would turn each round
        images_BCHW = torch.stack([image_CHW.permute(1, 2, 0) for image_CHW in images]).permute(0, 3, 1, 2)
    else:
        images_BCHW = torch.stack(images)
    return ImageBatch(images_BCHW, torch.tensor(indices, dtype=torch.int64), list(reasons))
