"""Synthetic photos of one small digit among many things: to be found in a small view, to be read in a large one.

Real handwritten digits on light plates of one cell each. Other plates show a scribble: in a small view they look
like the one with the digit.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from data_tools.digit_photos import GreyImage, draw_stroke

Colour = tuple[int, int, int]
GROUNDS: tuple[Colour, ...] = ((70, 84, 66), (96, 84, 70), (74, 82, 98), (92, 92, 88))
INK = np.array((30, 28, 40), dtype=np.float64)
PLATE = np.array((236, 228, 196), dtype=np.float64)
NUM_SHAPES = 60
NUM_SCRIBBLES = 3


class SmallDigit(NamedTuple):
    """The photo (size, size, 3), uint8, and the cell of its digit, counted row by row."""

    pixels_HWC: NDArray[np.uint8]
    cell: int


def draw_small_digit(
    digit: GreyImage, rng: np.random.Generator, *, size: int = 576, grid: int = 16, height: int = 24
) -> SmallDigit:
    """A photo with this digit (8 x 8, 0..1), ``height`` pixels high, somewhere in one cell of the grid.

    >>> photo = draw_small_digit(np.eye(8), np.random.default_rng(0), size=64, grid=2)
    >>> photo.pixels_HWC.shape, photo.cell in range(4)
    ((64, 64, 3), True)
    """
    canvas = _draw_clutter(rng, size)
    num_plates = min(1 + NUM_SCRIBBLES, grid * grid)
    cells = rng.choice(grid * grid, num_plates, replace=False)
    for number, cell in enumerate(cells.tolist()):
        shape = draw_stroke(digit, rng, height=height) if number == 0 else _scribble(rng, height)
        _draw_plate(canvas, shape, divmod(cell, grid), size // grid, rng)
    canvas = canvas * rng.uniform(0.85, 1.1) + rng.normal(0, 4, canvas.shape)
    return SmallDigit(np.clip(canvas, 0, 255).astype(np.uint8), int(cells[0]))


def _draw_clutter(rng: np.random.Generator, size: int) -> GreyImage:
    """Ellipses, boxes and lines of muted colours on a plain ground, as floats (size, size, 3)."""
    ground = GROUNDS[int(rng.integers(len(GROUNDS)))]
    image = Image.new("RGB", (size, size), ground)
    draw = ImageDraw.Draw(image)
    for _ in range(NUM_SHAPES):
        x, y = rng.integers(0, size, 2).tolist()
        width, height = rng.integers(size // 64, size // 7, 2).tolist()
        colour: Colour = tuple(rng.integers(40, 190, 3).tolist())
        kind = int(rng.integers(3))
        if kind == 2:
            draw.line(
                (x, y, x + width * 2, y + height * 2 - size // 7), colour, width=int(rng.integers(1, 6))
            )
        else:
            (draw.ellipse if kind else draw.rectangle)((x, y, x + width, y + height), colour)
    return np.asarray(image, dtype=np.float64).copy()


def _draw_plate(
    canvas: GreyImage, shape: GreyImage, cell: tuple[int, int], side: int, rng: np.random.Generator
) -> None:
    """Draw a light plate with this ink (coverage 0..1) inside a cell of ``side`` pixels."""
    rows, columns = (min(length + 6, side) for length in shape.shape)
    top, left = (
        place * side + int(rng.integers(0, side - length + 1))
        for place, length in zip(cell, (rows, columns), strict=True)
    )
    plate = canvas[top : top + rows, left : left + columns]
    plate[:] = PLATE + rng.normal(0, 6, 3)
    inner = plate[3 : 3 + shape.shape[0], 3 : 3 + shape.shape[1]]
    inner += shape[: inner.shape[0], : inner.shape[1], None] * (INK - inner)


def _scribble(rng: np.random.Generator, height: int) -> GreyImage:
    """Coverage 0..1 of some random strokes, of about a digit's size."""
    width = int(rng.integers(height // 2, height + 1))
    image = Image.new("L", (width, height))
    points = rng.uniform(0, 1, (6, 2)) * (width - 1, height - 1)
    ImageDraw.Draw(image).line([tuple(point) for point in points.tolist()], 255, width=3)
    return np.asarray(image, dtype=np.float64) / 255
