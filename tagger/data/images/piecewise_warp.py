"""Piecewise-affine warp: the triangles of a mesh in a square, each filled from its triangle in a photo.

The mesh is the Delaunay triangulation of where the points lie in the square. Barycentric coordinates of each pixel
are computed once; a photo then costs a product and a bilinear look-up.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from tagger.arrays import Floats, Indices
from tagger.data.images.decoding import PAD_COLOUR


class Mesh:
    """The mesh of points in a square (Q, 2), the first pixel's centre at 0, 0. ValueError if all lie on one line."""

    def __init__(self, points_Q2: Floats):
        self.points_Q2 = np.asarray(points_Q2, dtype=np.float64)
        try:
            self.triangulation = Delaunay(self.points_Q2)
        except Exception as error:  # of Qhull: too few points, or all on one line
            raise ValueError(f"no mesh of {len(self.points_Q2)} points: {type(error).__name__}") from error
        self._inside: dict[int, tuple[Indices, Indices, Floats]] = {}

    @property
    def triangles_T3(self) -> Indices:
        """Numbers of the points of each triangle."""
        return np.asarray(self.triangulation.simplices, dtype=np.int64)

    def places(self, size: int, photo_Q2: Floats) -> tuple[Indices, Floats]:
        """(numbers of the square's pixels within the mesh, where each lies in the photo with these points)."""
        pixels_M, corners_M3, weights_M3 = self.pixels(size)
        return pixels_M, np.einsum("mk,mkc->mc", weights_M3, np.asarray(photo_Q2, np.float64)[corners_M3])

    def warp(self, photo_HW3: NDArray[np.uint8], photo_Q2: Floats, size: int) -> NDArray[np.uint8]:
        """The square (size, size, 3) of a photo with these points; grey outside the mesh."""
        pixels_M, places_M2 = self.places(size, photo_Q2)
        square_S3 = np.empty((size * size, 3), np.uint8)
        square_S3[:] = PAD_COLOUR
        square_S3[pixels_M] = np.round(bilinear(photo_HW3, places_M2)).astype(np.uint8)
        return square_S3.reshape(size, size, 3)

    def back(self, places_M2: Floats, photo_Q2: Floats) -> Floats:
        """Where places of the photo (M, 2) lie in the square; NaN outside the mesh."""
        found_M2 = np.full(np.shape(places_M2), np.nan)
        for corners_3 in self.triangles_T3:
            origin_2 = photo_Q2[corners_3[2]]
            sides_22 = photo_Q2[corners_3[:2]] - origin_2
            if abs(np.linalg.det(sides_22)) < 1e-9:
                continue  # a triangle without area shows nothing
            weights_M2 = (places_M2 - origin_2) @ np.linalg.inv(sides_22)
            inside_M = (weights_M2 >= 0).all(axis=1) & (weights_M2.sum(axis=1) <= 1)
            square_2 = self.points_Q2[corners_3[2]]
            sides_2 = self.points_Q2[corners_3[:2]] - square_2
            found_M2[inside_M] = weights_M2[inside_M] @ sides_2 + square_2
        return found_M2

    def pixels(self, size: int) -> tuple[Indices, Indices, Floats]:
        """(pixels within the mesh, the three points of each one's triangle, their weights)."""
        if size not in self._inside:
            y, x = np.divmod(np.arange(size * size), size)
            pixels_S2 = np.stack([x, y], axis=1).astype(np.float64)
            triangle_S = self.triangulation.find_simplex(pixels_S2)
            inside_M = np.flatnonzero(triangle_S >= 0)
            found_M = triangle_S[inside_M]
            transform_M32 = self.triangulation.transform[found_M]
            apart_M2 = pixels_S2[inside_M] - transform_M32[:, 2]
            two_M2 = np.einsum("mij,mj->mi", transform_M32[:, :2], apart_M2)
            weights_M3 = np.concatenate([two_M2, 1 - two_M2.sum(axis=1, keepdims=True)], axis=1)
            self._inside[size] = (inside_M, self.triangles_T3[found_M], weights_M3)
        return self._inside[size]


def bilinear(photo_HW3: NDArray[Any], places_M2: Floats) -> Floats:
    """The photo's values (M, 3) at places (M, 2), between its pixels; those of its edge outside of it.

    >>> bilinear(np.array([[[0, 0, 0], [10, 20, 30]]], np.uint8), np.array([[0.5, 0.0], [-3.0, 0.0]])).tolist()
    [[5.0, 10.0, 15.0], [0.0, 0.0, 0.0]]
    """
    height, width = photo_HW3.shape[:2]
    x_M = np.clip(places_M2[:, 0], 0, width - 1)
    y_M = np.clip(places_M2[:, 1], 0, height - 1)
    left_M, top_M = np.floor(x_M).astype(np.int64), np.floor(y_M).astype(np.int64)
    right_M, bottom_M = np.minimum(left_M + 1, width - 1), np.minimum(top_M + 1, height - 1)
    across_M1, down_M1 = (x_M - left_M)[:, None], (y_M - top_M)[:, None]
    upper_M3 = photo_HW3[top_M, left_M] * (1 - across_M1) + photo_HW3[top_M, right_M] * across_M1
    lower_M3 = photo_HW3[bottom_M, left_M] * (1 - across_M1) + photo_HW3[bottom_M, right_M] * across_M1
    return np.asarray(upper_M3 * (1 - down_M1) + lower_M3 * down_M1)
