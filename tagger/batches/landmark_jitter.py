"""Jitter of landmarks: aligned images changed a little in each epoch, as if their landmarks had been found elsewhere.

On the batch, which is aligned already, so that decoded images can be cached. A crop is shifted, scaled and turned; a
warp has its points moved one by one (thesis chapter 2), pixels outside of the mesh stay.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tagger.batches.aligned_photos import AlignedPhotos
from tagger.data.images.alignment import Alignment


class LandmarkJitter:
    """``LandmarkJitter(photos, size, 0.02)(images, rows, generator)``: images of those rows, jittered.

    ``share``: the standard deviation of a point's shift, as a share of the square's side; of a crop's scale, in its
    logarithm, and of its turn in radians as well.
    """

    def __init__(self, photos: AlignedPhotos, size: int, share: float):
        self.known_N = torch.from_numpy(photos.known_N())
        self.size = size
        self.share = share
        self.mesh = _mesh_of(photos.alignment, size) if photos.alignment.mode == "warp" else None

    def __call__(self, images_BCHW: Tensor, rows_B: Tensor, generator: torch.Generator) -> Tensor:
        """Images of the same shape; those of photos without landmarks stay as they are."""
        num = len(images_BCHW)
        places_BS2 = (
            self._crop_places(num, generator) if self.mesh is None else self._mesh_places(num, generator)
        )
        grid_BHW2 = ((places_BS2 + 0.5) * (2 / self.size) - 1).view(num, self.size, self.size, 2)
        grid_BHW2 = grid_BHW2.to(images_BCHW.device, images_BCHW.dtype)
        moved_BCHW = F.grid_sample(images_BCHW, grid_BHW2, padding_mode="border", align_corners=False)
        known_B111 = self.known_N[rows_B.cpu()].to(images_BCHW.device).view(-1, 1, 1, 1)
        return torch.where(known_B111, moved_BCHW, images_BCHW)

    def _crop_places(self, num: int, generator: torch.Generator) -> Tensor:
        """Where each pixel (B, H * W, 2) comes from: the square about its centre, scaled, turned and shifted."""
        draws_B4 = torch.randn(num, 4, generator=generator) * self.share
        scale_B1, angle_B1 = draws_B4[:, 2:3].exp(), draws_B4[:, 3:4]
        around_S2 = _pixels(self.size) - (self.size - 1) / 2
        x_S, y_S = around_S2.unbind(1)
        cos_B1, sin_B1 = scale_B1 * angle_B1.cos(), scale_B1 * angle_B1.sin()
        turned_BS2 = torch.stack([cos_B1 * x_S - sin_B1 * y_S, sin_B1 * x_S + cos_B1 * y_S], dim=-1)
        return turned_BS2 + (self.size - 1) / 2 + draws_B4[:, None, :2] * self.size

    def _mesh_places(self, num: int, generator: torch.Generator) -> Tensor:
        """The same where each point of the mesh moves on its own."""
        assert self.mesh is not None, "a warp has a mesh"
        points_Q2, pixels_M, corners_M3, weights_M3 = self.mesh
        noise_BQ2 = torch.randn(num, len(points_Q2), 2, generator=generator) * (self.share * self.size)
        moved_BM2 = (weights_M3[None, :, :, None] * (points_Q2 + noise_BQ2)[:, corners_M3]).sum(2)
        places_BS2 = _pixels(self.size).repeat(num, 1, 1)
        places_BS2[:, pixels_M] = moved_BM2
        return places_BS2


def _pixels(size: int) -> Tensor:
    """The centres (size * size, 2) of a square's pixels, the first at 0, 0."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1).float()


def _mesh_of(alignment: Alignment, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(points of the mesh, pixels within it, the three points of each, their weights)."""
    mesh = alignment.mesh(size)
    pixels_M, corners_M3, weights_M3 = mesh.pixels(size)
    points_Q2 = torch.from_numpy(mesh.points_Q2).float()
    corners = torch.from_numpy(np.ascontiguousarray(corners_M3))
    return points_Q2, torch.from_numpy(pixels_M), corners, torch.from_numpy(weights_M3).float()
