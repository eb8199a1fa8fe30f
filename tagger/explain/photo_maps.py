"""Maps of the network's square input, placed over the whole photo (squash, crop or pad)."""

import numpy as np
from PIL import Image

from tagger.arrays import Floats
from tagger.data.images.decoding import Fit
from tagger.explain.heat_concentration import cell_means

FRAME_SIDE = 56
"""Side of a map that had to be cut or padded to cover its photo, or was finer than is of use on one."""


def map_to_photo(
    map_HW: Floats, width: int, height: int, fit: Fit, *, frame_side: int = FRAME_SIDE
) -> Floats:
    """The network's square map as one over the whole photo: nothing where ``crop`` cut off, without ``pad``'s
    frame. ``frame_side`` is the side of a map that is cut or padded.

    >>> map_to_photo(np.ones((2, 2)), 200, 100, "crop").mean(axis=0).round()[[0, 28, 55]].tolist()
    [0.0, 1.0, 0.0]
    >>> map_to_photo(np.ones((2, 2)), 200, 100, "squash").shape
    (2, 2)
    """
    if fit == "squash" or width == height:
        return map_HW
    square = _resized(Image.fromarray(map_HW.astype(np.float32)), frame_side, frame_side)
    inner = max(1, round(frame_side * min(width, height) / max(width, height)))
    low = (frame_side - inner) // 2
    across = width > height
    if fit == "crop":  # the middle of the longer side was seen
        frame = Image.new("F", (frame_side, frame_side))
        seen = _resized(square, inner, frame_side) if across else _resized(square, frame_side, inner)
        frame.paste(seen, (low, 0) if across else (0, low))
        return np.asarray(frame, dtype=np.float64)
    box = (0, low, frame_side, low + inner) if across else (low, 0, low + inner, frame_side)
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
