"""Maps of the network's square input, placed over the whole photo (squash, crop or pad)."""

import numpy as np
from PIL import Image

from tagger.arrays import Floats
from tagger.data.images.decoding import Fit
from tagger.explain.heat_concentration import cell_means

FRAME_SIDE = 56
"""Side of a map that had to be cut or padded to cover its photo, or was finer than is of use on one."""


def map_to_photo(map_HW: Floats, width: int, height: int, fit: Fit) -> Floats:
    """The network's square map as one over the whole photo: nothing where ``crop`` cut off, without ``pad``'s
    frame.

    >>> map_to_photo(np.ones((2, 2)), 200, 100, "crop").mean(axis=0).round()[[0, 28, 55]].tolist()
    [0.0, 1.0, 0.0]
    >>> map_to_photo(np.ones((2, 2)), 200, 100, "squash").shape
    (2, 2)
    """
    if fit == "squash" or width == height:
        return map_HW
    square = _resized(Image.fromarray(map_HW.astype(np.float32)), FRAME_SIDE, FRAME_SIDE)
    inner = max(1, round(FRAME_SIDE * min(width, height) / max(width, height)))
    low = (FRAME_SIDE - inner) // 2
    across = width > height
    if fit == "crop":  # the middle of the longer side was seen
        frame = Image.new("F", (FRAME_SIDE, FRAME_SIDE))
        seen = _resized(square, inner, FRAME_SIDE) if across else _resized(square, FRAME_SIDE, inner)
        frame.paste(seen, (low, 0) if across else (0, low))
        return np.asarray(frame, dtype=np.float64)
    box = (0, low, FRAME_SIDE, low + inner) if across else (low, 0, low + inner, FRAME_SIDE)
    return np.asarray(square.crop(box), dtype=np.float64)


def downsample_map(map_HW: Floats) -> Floats:
    """A map to look at: one finer than ``FRAME_SIDE``, as of saliency, is averaged to it and becomes 1 at its
    largest.

    >>> fine_HW = np.zeros((112, 112))
    >>> fine_HW[:2, 0] = 0.5
    >>> coarse_HW = downsample_map(fine_HW)
    >>> coarse_HW.shape, float(coarse_HW[0, 0]), float(coarse_HW.sum())
    ((56, 56), 1.0, 1.0)
    """
    if max(map_HW.shape) <= FRAME_SIDE:
        return map_HW
    coarse_HW = cell_means(map_HW, cells=FRAME_SIDE)
    top = float(coarse_HW.max())
    return coarse_HW / top if top > 0 else coarse_HW


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling.BILINEAR)
