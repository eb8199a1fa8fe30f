"""Geometric augmentation: flip, shift, crop, shear and rotation as one affine matrix for each image.

Composed first and resampled once, an image is blurred once and the borders are filled once, by reflection.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def affine_matrices(
    angle_B: Tensor,
    shear_B2: Tensor,
    shift_B2: Tensor,
    zoom_B2: Tensor,
    flip_B2: Tensor,
    *,
    height: int,
    width: int,
) -> Tensor:
    """theta_B23 for ``warp``: each image flipped, then sheared and rotated, then cropped and shifted about its
    centre.

    ``angle_B`` (clockwise) and ``shear_B2`` in degrees, as in torchvision's ``affine``; ``shift_B2`` as a
    share of the width and height, to the right and down; ``zoom_B2`` the share of width and height that
    stays in view; ``flip_B2`` -1 or 1 for left-right and up-down. Columns of _B2 are (x, y).

    >>> zeros_B2, ones_B2 = torch.zeros(1, 2), torch.ones(1, 2)
    >>> affine_matrices(torch.zeros(1), zeros_B2, zeros_B2, ones_B2, ones_B2, height=4, width=8).abs().tolist()
    [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    angle_B = torch.deg2rad(angle_B)
    shear_B2 = torch.deg2rad(shear_B2)
    ones_B = torch.ones_like(angle_B)
    zeros_B = torch.zeros_like(angle_B)
    cos_B = angle_B.cos()
    sin_B = angle_B.sin()
    tan_B2 = shear_B2.tan()
    rotate_B22 = torch.stack([cos_B, -sin_B, sin_B, cos_B], dim=-1).view(-1, 2, 2)
    shear_y_B22 = torch.stack([ones_B, zeros_B, -tan_B2[:, 1], ones_B], dim=-1).view(-1, 2, 2)
    shear_x_B22 = torch.stack([ones_B, -tan_B2[:, 0], zeros_B, ones_B], dim=-1).view(-1, 2, 2)
    # grid_sample asks where an output pixel comes from, so everything is inverted. The determinant is 1.
    a, b, c, d = (rotate_B22 @ shear_y_B22 @ shear_x_B22).flatten(1).unbind(1)
    inverse_B22 = torch.stack([d, -b, -c, a], dim=-1).view(-1, 2, 2)
    # Angles live in pixels, grid_sample in -1..1 along each side: change units before and after.
    half_2 = torch.tensor([width / 2, height / 2], dtype=angle_B.dtype, device=angle_B.device)
    turn_B22 = inverse_B22 * half_2 / half_2[:, None]
    matrix_B22 = flip_B2[:, :, None] * turn_B22 * zoom_B2[:, None, :]
    offset_B2 = -(matrix_B22 @ (2 * shift_B2)[:, :, None]).squeeze(-1)
    return torch.cat([matrix_B22, offset_B2[:, :, None]], dim=-1)


def warp(images_BCHW: Tensor, theta_B23: Tensor) -> Tensor:
    """images_BCHW resampled (bilinear) where ``theta_B23`` points, mirrored beyond the borders.

    >>> image = torch.arange(4.0).view(1, 1, 2, 2)
    >>> warp(image, torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])).flatten().tolist()
    [1.0, 0.0, 3.0, 2.0]
    """
    grid_BHW2 = F.affine_grid(theta_B23, list(images_BCHW.shape), align_corners=False)
    return F.grid_sample(
        images_BCHW, grid_BHW2, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def crop_zooms(random_B2: Tensor, *, scale_min: float, aspect: float) -> Tensor:
    """zoom_B2 of crops as in torchvision's RandomResizedCrop, from uniform numbers in 0..1.

    The first number picks an area from ``scale_min`` to 1, the second a ratio from 1/aspect to aspect (even
    in its logarithm). A side that would leave the image is cut to all of it.

    >>> crop_zooms(torch.tensor([[0.0, 0.5], [1.0, 0.5]]), scale_min=0.25, aspect=4 / 3).tolist()
    [[0.5, 0.5], [1.0, 1.0]]
    """
    area_B = scale_min + (1.0 - scale_min) * random_B2[:, 0]
    ratio_B = torch.exp((2.0 * random_B2[:, 1] - 1.0) * math.log(aspect))
    return torch.stack([(area_B * ratio_B).sqrt(), (area_B / ratio_B).sqrt()], dim=-1).clamp(max=1.0)
