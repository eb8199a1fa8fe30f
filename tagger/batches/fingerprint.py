"""Image fingerprints of 259 bytes, which find copies of an image that are not the same file.

The area means of 16 x 16 cells in grey, and the mean colour: what survives re-encoding and resizing. They
are taken from the batches of the one pass that ``tagger train`` makes over all images anyway. Grey bars
that ``image.fit = pad`` added are left out, for photos of one shape would be alike through them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.batches.dataset import ImageBatch, ImageFiles
from tagger.data.images.decoding import PAD_COLOUR
from tagger.runs import create_memmap, load_array

GRID_SIZE = 16
Fingerprints = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def fingerprint(images_BCHW: Tensor, *, padded: bool = False) -> Fingerprints:
    """(thumbnails (B, 16, 16) in grey, mean colours (B, 3)), uint8, of uint8 images of any size on the CPU.

    >>> thumbs, colours = fingerprint(torch.full((1, 3, 40, 40), 9, dtype=torch.uint8))
    >>> thumbs.shape, thumbs.min().item(), colours.tolist()
    ((1, 16, 16), 9, [[9, 9, 9]])
    """
    height, width = images_BCHW.shape[-2:]
    rows_B2 = torch.tensor([[0, height]])
    columns_B2 = torch.tensor([[0, width]])
    if padded:
        inside_BHW = (images_BCHW != torch.tensor(PAD_COLOUR, dtype=torch.uint8)[:, None, None]).any(1)
        rows_B2 = _nonzero_range(inside_BHW.any(2))
        columns_B2 = _nonzero_range(inside_BHW.any(1))
    down = _area_mean_matrix(rows_B2, height)
    across = _area_mean_matrix(columns_B2, width)
    cells = down[:, None] @ images_BCHW.float() @ across[:, None].mT
    return cells.mean(1).round().byte().numpy(), cells.mean((2, 3)).round().byte().numpy()


def write_fingerprints(batches: Iterable[ImageBatch], images: ImageFiles, path: Path) -> Iterator[ImageBatch]:
    """The batches as they are, the fingerprints of their images written to ``path`` on the way."""
    prints = create_memmap(path, np.uint8, (len(images), GRID_SIZE * GRID_SIZE + 3))
    for batch in batches:
        thumbs, colours = fingerprint(batch.images_BCHW, padded=images.fit == "pad")
        prints[batch.indices_B.numpy()] = np.concatenate([thumbs.reshape(len(thumbs), -1), colours], axis=1)
        yield batch
    prints.flush()


def load_fingerprints(path: Path) -> Fingerprints | None:
    """Thumbnails (N, 16, 16) and colours (N, 3) from ``write_fingerprints``, mapped; None without a file."""
    prints = load_fingerprint_rows(path)
    return None if prints is None else (prints[:, :-3].reshape(-1, GRID_SIZE, GRID_SIZE), prints[:, -3:])


def load_fingerprint_rows(path: Path) -> NDArray[np.uint8] | None:
    """Fingerprints (N, 259) from ``write_fingerprints``, mapped; None without a file."""
    return load_array(path, "Remove it, and go on with --resume") if path.is_file() else None


def _nonzero_range(inside_BL: Tensor) -> Tensor:
    """(B, 2): from the first to behind the last True of each row; all of it where there is none."""
    length = inside_BL.shape[1]
    first = inside_BL.byte().argmax(1)
    last = length - inside_BL.flip(1).byte().argmax(1)
    return torch.stack([first, last], 1)


def _area_mean_matrix(ends_B2: Tensor, size: int) -> Tensor:
    """(B, 16, size): the matrix that averages pixels ``ends_B2`` over 16 equal stretches."""
    start_B1, end_B1 = ends_B2.double().split(1, dim=1)
    edges = start_B1 + (end_B1 - start_B1) * torch.linspace(0, 1, GRID_SIZE + 1, dtype=torch.float64)
    pixels = torch.arange(size, dtype=torch.float64)
    overlap = torch.minimum(edges[:, 1:, None], pixels + 1) - torch.maximum(edges[:, :-1, None], pixels)
    return (overlap.clamp(min=0) / (edges[:, 1:] - edges[:, :-1])[:, :, None]).float()
