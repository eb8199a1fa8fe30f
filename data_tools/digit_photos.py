"""Synthetic photos of handwritten digits: real digits as ink on drawn paper, lit unevenly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GreyImage = NDArray[np.float64]

SCALE = 2  # drawn this much larger, then reduced, so that edges are smooth
OVERLAP = 0.12  # share of a digit's box that others may cover
PAPERS = (
    (246, 243, 234),
    (236, 236, 238),
    (252, 240, 170),
    (250, 205, 200),
    (198, 222, 240),
    (201, 170, 130),
)
INKS = ((28, 28, 34), (28, 28, 34), (30, 50, 140), (30, 50, 140), (165, 30, 35), (25, 100, 60))
BOARDS = ((38, 62, 50), (44, 46, 50))
CHALKS = ((238, 238, 230), (245, 226, 140), (240, 170, 170))


def draw_digit_photo(
    digits: Sequence[GreyImage], rng: np.random.Generator, *, size: int = 64
) -> NDArray[np.uint8]:
    """A photo (size, size, 3) with these digits (each 8 x 8, 0..1) at random positions, 28 to 44 % of its height.

    >>> draw_digit_photo([], np.random.default_rng(0), size=32).shape
    (32, 32, 3)
    """
    pixels = size * SCALE
    dark = rng.random() < 0.2
    ground = np.array(_pick(BOARDS if dark else PAPERS, rng), dtype=float)
    canvas = np.tile(ground + rng.normal(0, 5, 3), (pixels, pixels, 1))
    if rng.random() < 0.4:
        _draw_ruling(canvas, rng, dark=dark)
    ink = _pick(CHALKS if dark else INKS, rng)
    boxes: list[tuple[int, int, int, int]] = []
    for digit in digits:
        if rng.random() < 0.25:  # a second pen
            ink = _pick(CHALKS if dark else INKS, rng)
        stroke = draw_stroke(digit, rng, height=int(pixels * rng.uniform(0.28, 0.44)))
        top, left = _free_position(stroke.shape, pixels, boxes, rng)
        boxes.append((top, left, *stroke.shape))
        alpha = rng.uniform(0.75, 1.0) * stroke[..., None]
        patch = canvas[top : top + stroke.shape[0], left : left + stroke.shape[1]]
        patch += alpha * (np.array(ink, dtype=float) - patch)
    return _photograph(canvas, rng, size=size)


def draw_stroke(digit: GreyImage, rng: np.random.Generator, *, height: int) -> GreyImage:
    """Coverage 0..1 of one enlarged digit, slightly sheared and rotated, cropped to its ink."""
    grey = Image.fromarray((255 * np.pad(digit, 1)).astype(np.uint8))
    side = round(height * 10 / 8)
    large = grey.resize((side, side), Image.Resampling.BICUBIC)
    shear = rng.uniform(-0.18, 0.18)
    large = large.transform(
        (side, side), Image.Transform.AFFINE, (1, shear, -shear * side / 2, 0, 1, 0), Image.Resampling.BICUBIC
    )
    large = large.rotate(rng.uniform(-12, 12), Image.Resampling.BICUBIC)
    threshold = rng.uniform(0.36, 0.46)  # a broader or finer pen
    coverage = np.clip((np.asarray(large) / 255 - threshold) / 0.18 + 0.5, 0, 1)
    rows, columns = (np.flatnonzero(coverage.max(axis=axis) > 0.05) for axis in (1, 0))
    return coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _free_position(
    shape: tuple[int, ...], pixels: int, boxes: Sequence[tuple[int, int, int, int]], rng: np.random.Generator
) -> tuple[int, int]:
    """(top, left) with little overlap; the best of 60 tries if none is good."""
    tries = []
    for _ in range(60):
        top, left = (int(rng.integers(0, pixels - side + 1)) for side in shape)
        covered = sum(_overlap(top, shape[0], y, h) * _overlap(left, shape[1], x, w) for y, x, h, w in boxes)
        tries.append((covered / (shape[0] * shape[1]), top, left))
        if tries[-1][0] <= OVERLAP:
            break
    return min(tries)[1:]


def _overlap(a: int, a_length: int, b: int, b_length: int) -> int:
    return max(0, min(a + a_length, b + b_length) - max(a, b))


def _draw_ruling(canvas: GreyImage, rng: np.random.Generator, *, dark: bool) -> None:
    """Draw the lines or squares of a notebook onto the canvas."""
    step = int(rng.integers(18, 32))
    start = int(rng.integers(0, 18))
    colour = np.array((70, 92, 80) if dark else (150, 175, 205), dtype=float)
    canvas[start::step] += 0.55 * (colour - canvas[start::step])
    if rng.random() < 0.4:
        canvas[:, start::step] += 0.55 * (colour - canvas[:, start::step])


def _photograph(canvas: GreyImage, rng: np.random.Generator, *, size: int) -> NDArray[np.uint8]:
    """The canvas reduced to ``size``, under light from one side, with exposure, contrast and grain of its own."""
    small = canvas.reshape(size, SCALE, size, SCALE, 3).mean(axis=(1, 3))
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    light = (
        1
        + rng.uniform(0, 0.22) * (np.cos(angle) * x + np.sin(angle) * y)
        - rng.uniform(0, 0.12) * (x**2 + y**2)
    )
    small = (small - 128) * rng.uniform(0.75, 1.05) + 128
    small = small * light[..., None] * rng.uniform(0.8, 1.08) * rng.uniform(0.95, 1.05, 3)
    small += rng.normal(0, rng.uniform(1, 5), (size, size, 1)) + rng.normal(0, 1.5, (size, size, 3))
    return np.clip(small, 0, 255).astype(np.uint8)


def _pick(choices: Sequence[tuple[int, int, int]], rng: np.random.Generator) -> tuple[int, int, int]:
    return choices[int(rng.integers(len(choices)))]
