"""Measures of images: thumbnail, mean colour, brightness, contrast and sharpness, in one decoding."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_tools.checking import map_in_threads
from data_tools.describe import header_size
from tagger.data.images.decoding import UnreadableImage, load_image
from tagger.errors import Problem
from tagger.progress import Track, no_track

THUMB_SIDE = 16  # side of a thumbnail, as near_duplicate_groups takes it
PixelMeasures = tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[float, float, float]]
MAX_SIDE = 256  # pixels; larger images are scaled down to it, smaller ones to a multiple of THUMB_SIDE


@dataclass(frozen=True)
class ImageMeasures:
    """Measures of N images: sizes as stored, thumbnails, mean colours, brightness, contrast and sharpness.

    Thumbnails are grey (N, 16, 16), colours (N, 3). ``brightness_N`` and ``contrast_N`` are the mean and the
    deviation of the grey levels (0..255); for ``sharpness_N`` see ``sharpness``. Rows of unreadable images
    are 0; ``readable_N`` is False for them, and ``problems`` has the reasons.
    """

    width_N: NDArray[np.int64]
    height_N: NDArray[np.int64]
    thumbs_NTT: NDArray[np.uint8]
    colours_N3: NDArray[np.uint8]
    brightness_N: NDArray[np.float64]
    contrast_N: NDArray[np.float64]
    sharpness_N: NDArray[np.float64]
    readable_N: NDArray[np.bool_]
    problems: tuple[Problem, ...]


def measure_images(root: str | Path, files: Sequence[str], *, track: Track = no_track) -> ImageMeasures:
    """Measures of all images; each is decoded once, and memory grows by 300 bytes an image."""
    num = len(files)
    sizes_N2 = np.zeros((num, 2), np.int64)
    thumbs_NTT = np.zeros((num, THUMB_SIDE, THUMB_SIDE), np.uint8)
    colours_N3 = np.zeros((num, 3), np.uint8)
    measures_N3 = np.zeros((num, 3))
    readable_N = np.zeros(num, dtype=bool)
    problems = []

    def one(file: str) -> tuple[tuple[int, int], PixelMeasures | str]:
        size, reason = header_size(Path(root, file))
        try:
            side = MAX_SIDE if reason else _side(*size)
            return size, measure_pixels(load_image(Path(root, file), size=side))
        except UnreadableImage as error:
            return size, error.reason

    for n, (size, seen) in zip(
        track(range(num), "Measuring images"), map_in_threads(one, files), strict=True
    ):
        sizes_N2[n] = size
        if isinstance(seen, str):
            problems.append(Problem(files[n], None, seen))
        else:
            thumbs_NTT[n], colours_N3[n], measures_N3[n] = seen
            readable_N[n] = True
    (width_N, height_N), (brightness_N, contrast_N, sharpness_N) = sizes_N2.T, measures_N3.T
    return ImageMeasures(
        width_N,
        height_N,
        thumbs_NTT,
        colours_N3,
        brightness_N,
        contrast_N,
        sharpness_N,
        readable_N,
        tuple(problems),
    )


def measure_pixels(pixels_HW3: NDArray[np.uint8]) -> PixelMeasures:
    """(thumbnail (16, 16), mean colour (3), (light, contrast, sharpness)) of RGB pixels.

    >>> thumb, colour, (light, contrast, _) = measure_pixels(np.full((32, 32, 3), 9, np.uint8))
    >>> thumb.shape, colour.tolist(), round(light), round(contrast)
    ((16, 16), [9, 9, 9], 9, 0)
    """
    floats_HW3 = pixels_HW3.astype(np.float32)  # products are five times as fast as means over short axes
    grey_HW = floats_HW3 @ np.full(3, 1 / 3, np.float32)
    cells = np.asarray(Image.fromarray(grey_HW).resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX))
    colour_3 = np.full(grey_HW.size, 1 / grey_HW.size, np.float32) @ floats_HW3.reshape(-1, 3)
    numbers = float(grey_HW.mean()), float(grey_HW.std()), sharpness(grey_HW)
    return cells.round().astype(np.uint8), colour_3.round().astype(np.uint8), numbers


def sharpness(grey_HW: NDArray[np.float32]) -> float:
    """Deviation of the Laplacian divided by that of the grey levels; 0 for an image of one colour.

    Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy", divided by contrast so that a
    scene in fog does not count as blurred.

    >>> fine = np.indices((32, 32)).sum(axis=0) % 2 * 100.0
    >>> coarse = np.sin(np.arange(32) / 8)[:, None] * np.full((1, 32), 100.0)
    >>> sharpness(fine) > 5, sharpness(coarse) < 0.1
    (True, True)
    """
    inner = -4 * grey_HW[1:-1, 1:-1]
    inner = inner + grey_HW[:-2, 1:-1] + grey_HW[2:, 1:-1] + grey_HW[1:-1, :-2] + grey_HW[1:-1, 2:]
    contrast = float(grey_HW.std())
    return float(inner.std()) / contrast if contrast > 1e-6 else 0.0


def _side(width: int, height: int) -> int:
    """Side of the square that an image is scaled to; images are never enlarged, which would look like blur."""
    return max(THUMB_SIDE, min(width, height, MAX_SIDE) // THUMB_SIDE * THUMB_SIDE)
