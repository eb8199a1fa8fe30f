"""Cache of decoded images at training size, in one memory-mapped file.

Every epoch after the first pass costs a copy instead of a decode and needs no worker processes. The file is
bounded: ``fits_cache`` says whether a data set is small enough to be cached.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from tagger.batches.aligned_photos import AlignedPhotos
from tagger.batches.dataset import ImageBatch, ImageFiles, ImageItem
from tagger.batches.packed_strings import pack_strings
from tagger.runs import create_memmap, load_array


class CachedImages(Dataset[ImageItem]):
    """The items of ``ImageFiles``, from a file of decoded pixels (N, 3, size, size) uint8; all of them readable."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        files: Sequence[str],
        rows: NDArray[np.int64],
        aligned: AlignedPhotos | None = None,
    ):
        self.aligned = aligned
        self.pixels = pixels
        self.files = pack_strings(files)
        self.rows = rows

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> ImageItem:
        return torch.from_numpy(self.pixels[self.rows[int(index)]].copy()), int(index), None


def fits_cache(images: ImageFiles, most_gigabytes: float) -> bool:
    """Whether the decoded images take no more than so many gigabytes (10^9 bytes).

    >>> [fits_cache(ImageFiles(".", ["a.jpg"] * num, size=100), 0.03) for num in (1000, 1001)]
    [True, False]
    """
    return len(images) * 3 * images.size**2 <= most_gigabytes * 1e9


def write_cache(batches: Iterable[ImageBatch], images: ImageFiles, path: Path) -> Iterator[ImageBatch]:
    """The batches as they are, their pixels written to ``path`` on the way."""
    shape = (len(images), 3, images.size, images.size)
    pixels = create_memmap(path, np.uint8, shape)
    for batch in batches:
        pixels[batch.indices_B.numpy()] = batch.images_BCHW.numpy()
        yield batch
    pixels.flush()


def open_cache(images: ImageFiles, rows: NDArray[np.int64], path: Path) -> CachedImages | ImageFiles:
    """Some rows of the images, from the cache at ``path`` if there is one."""
    taken = images.take(rows)
    if not path.is_file():
        return taken
    pixels = load_array(path, "Remove it, and go on with --resume: images are read from their files")
    return CachedImages(pixels, taken.files, rows, taken.aligned)
