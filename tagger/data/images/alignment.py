"""Alignment of photos by landmarks: a square in which they lie where the mean shape has them.

``crop`` turns, scales and shifts a photo by the similarity that moves its landmarks onto the mean shape; nothing is
deformed. ``warp`` moves each triangle of the mean shape's mesh onto the mean shape (thesis chapter 2); what lies
outside the mesh is grey. The photo is first shrunk to the scale of the square, so that neither leaves out pixels.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagger.arrays import Floats
from tagger.data.images.decoding import PAD_COLOUR, ImageSource, load_scaled
from tagger.data.images.piecewise_warp import Mesh, bilinear
from tagger.data.landmarks.procrustes import Similarity, fit_similarity

Mode = Literal["crop", "warp"]
MAP_SIDE = 224  # longer side of a map over a photo: a face may be small in it
MAX_MARGIN = 0.1  # of the square's side: pixels around it that are kept for interpolation


@dataclass(frozen=True, eq=False)
class Alignment:
    """How photos are aligned: onto the mean shape (P, 2), which fills the square but for ``margin`` on each side.

    ``margin`` is a share of the mean shape's longer side. ``used``: the points that a warp moves. ``num_photos``: of
    how many the mean is.
    """

    mean_P2: Floats
    mode: Mode = "crop"
    margin: float = 0.4
    used: tuple[int, ...] = ()
    num_photos: int = 0

    def check(self) -> None:
        """Pass if photos can be aligned so; ValueError if a warp has no triangle to fill."""
        if self.mode == "warp":
            self.mesh(100)

    def template(self, size: int) -> Floats:
        """Where the landmarks lie in the square (P, 2): its first pixel's centre is at 0, 0.

        >>> Alignment(np.array([[-1.0, -0.5], [1.0, 0.5]]), margin=0.5).template(100).tolist()
        [[24.5, 37.0], [74.5, 62.0]]
        """
        low_2, high_2 = self.mean_P2.min(axis=0), self.mean_P2.max(axis=0)
        side = (1 + 2 * self.margin) * (high_2 - low_2).max()
        return (self.mean_P2 - (low_2 + high_2) / 2) * (size / side) + (size - 1) / 2

    def similarity(self, points_P2: Floats, size: int) -> Similarity:
        """The similarity from a photo's pixels to those of the square. ValueError without two different points."""
        found = fit_similarity(points_P2, self.template(size))
        if found is None:
            raise ValueError("a shape without two different points has no similarity")
        return found

    def align(self, rgb: Image.Image, points_P2: Floats, size: int) -> NDArray[np.uint8]:
        """The square (size, size, 3) of an upright photo with these landmarks."""
        move = self.similarity(points_P2, size)
        rgb, points_P2 = _shrunk(rgb, points_P2, move, size)
        if self.mode == "crop":
            return _crop(rgb, self.similarity(points_P2, size).inverse(), size)
        return self.mesh(size).warp(np.asarray(rgb), self._complete(points_P2, size)[list(self.used)], size)

    def to_square(self, places_M2: Floats, points_P2: Floats, size: int) -> Floats:
        """Where places of a photo (M, 2) lie in its square; NaN for what a warp leaves out."""
        if self.mode == "crop":
            return self.similarity(points_P2, size)(places_M2)
        return self.mesh(size).back(places_M2, self._complete(points_P2, size)[list(self.used)])

    def mesh(self, size: int) -> Mesh:
        """The mesh of the points that a warp moves, in the square."""
        if size not in self._meshes:
            self._meshes[size] = Mesh(self.template(size)[list(self.used)])
        return self._meshes[size]

    @cached_property
    def _meshes(self) -> dict[int, Mesh]:
        return {}

    def _complete(self, points_P2: Floats, size: int) -> Floats:
        """The points, absent ones where the mean shape has them."""
        back = self.similarity(points_P2, size).inverse()
        return np.where(np.isfinite(points_P2), points_P2, back(self.template(size)))


def load_aligned(
    source: ImageSource, points_P2: Floats, alignment: Alignment, size: int
) -> NDArray[np.uint8]:
    """The aligned square (size, size, 3) of an image file whose upright pixels have these landmarks.

    Raises UnreadableImage as ``load_image`` does.
    """
    scale = alignment.similarity(points_P2, size).scale
    rgb, ratio_2 = load_scaled(source, scale)
    return alignment.align(rgb, (points_P2 + 0.5) * ratio_2 - 0.5, size)


def grid_places(width: int, height: int, columns: int, rows: int) -> Floats:
    """The centres (rows * columns, 2) of the cells of a grid over a photo, in its pixels.

    >>> grid_places(4, 2, 2, 1).tolist()
    [[0.5, 0.5], [2.5, 0.5]]
    """
    x, y = np.meshgrid(
        (np.arange(columns) + 0.5) * width / columns - 0.5, (np.arange(rows) + 0.5) * height / rows - 0.5
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _shrunk(rgb: Image.Image, points_P2: Floats, move: Similarity, size: int) -> tuple[Image.Image, Floats]:
    """(the part of the photo that the square shows, shrunk to its scale; the points there). Never enlarged."""
    box = _shown_box(rgb, points_P2, move, size)
    low_2, high_2 = np.array(box[:2]), np.array(box[2:])
    if move.scale >= 1:
        return rgb.crop(box), points_P2 - low_2
    sides_2 = np.maximum(1, np.round((high_2 - low_2) * move.scale)).astype(int)
    small = rgb.resize((int(sides_2[0]), int(sides_2[1])), Image.Resampling.BICUBIC, box=box)
    return small, (points_P2 + 0.5 - low_2) * (sides_2 / (high_2 - low_2)) - 0.5


def _shown_box(rgb: Image.Image, points_P2: Floats, move: Similarity, size: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what the square shows of a photo, at least one pixel of it."""
    edge = MAX_MARGIN * size
    corners_42 = np.array([(x, y) for x in (-edge, size + edge) for y in (-edge, size + edge)])
    shown_M2 = np.concatenate([move.inverse()(corners_42), points_P2[np.isfinite(points_P2).all(axis=1)]])
    sides_2 = np.array(rgb.size)
    low_2 = np.clip(np.floor(shown_M2.min(axis=0)), 0, sides_2 - 1).astype(int)
    high_2 = np.clip(np.ceil(shown_M2.max(axis=0)) + 1, low_2 + 1, sides_2).astype(int)
    return int(low_2[0]), int(low_2[1]), int(high_2[0]), int(high_2[1])


def _crop(rgb: Image.Image, back: Similarity, size: int) -> NDArray[np.uint8]:
    """The square whose pixels lie where ``back`` says; Pillow counts from a pixel's edge, not from its centre."""
    a, b = back.factor.real, back.factor.imag
    shift = back.shift + 0.5 * (1 + 1j) - back.factor * 0.5 * (1 + 1j)
    data = (a, -b, shift.real, b, a, shift.imag)
    square = rgb.transform(
        (size, size), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC, fillcolor=PAD_COLOUR
    )
    return np.array(square)


def photo_map(map_HW: Floats, shape: tuple[int, int], points_P2: Floats, alignment: Alignment) -> Floats:
    """A map over the square as one over the photo of ``shape`` (height, width); 0 outside of the square."""
    rows, columns = (max(1, round(MAP_SIDE * side / max(shape))) for side in shape)
    side = map_HW.shape[0]
    at_M2 = alignment.to_square(grid_places(shape[1], shape[0], columns, rows), points_P2, side)
    inside_M = (
        np.isfinite(at_M2).all(axis=1) & (at_M2 >= -0.5).all(axis=1) & (at_M2 <= side - 0.5).all(axis=1)
    )
    found_M = np.zeros(rows * columns)
    found_M[inside_M] = bilinear(map_HW[:, :, None], at_M2[inside_M])[:, 0]
    return found_M.reshape(rows, columns)
