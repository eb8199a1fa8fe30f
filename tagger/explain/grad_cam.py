"""Grad-CAM: every channel of the last maps, weighed by how much it speaks for the label.

Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2. Our head may read the averages of several maps, so each of
them has its own weighted sum; brought to the finest grid, the sums are added. That is no heuristic: with average
pooling and a linear head the mean of the map over all places *is* the logit without its constant part, level by level
(tests/explain/test_grad_cam.py). The weights are gradients summed over the places, not averaged: for one map that
changes the unit only, for several it makes them comparable.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tagger.errors import TaggerError
from tagger.explain.family import explanations


@explanations.register("grad_cam")
def grad_cam(model: Any, images_BCHW: Tensor, label: int) -> Tensor:
    """Evidence for a label as maps (B, h, w), before equation 2's ReLU, on the grid of the finest map the head reads.

    ``model`` is a ``TagModel`` in evaluation mode. TaggerError if its network gives no map of two dimensions (a
    transformer with plain tokens).
    """
    backbone = model.backbone
    with torch.no_grad():
        maps, last = backbone.forward_maps(images_BCHW)
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in (*maps, last)]
        logits_BK = model.head(backbone.pool(leaves[:-1], leaves[-1]))
        gradients = torch.autograd.grad(logits_BK[:, label].sum(), leaves, allow_unused=True)
    pairs = list(zip(leaves, gradients, strict=True))
    if str(getattr(backbone.net, "output_fmt", "NCHW")).endswith("NHWC"):  # Swin: its last features, not its other maps
        pairs[-1] = (last.movedim(-1, 1), None if gradients[-1] is None else gradients[-1].movedim(-1, 1))
    sums = [_weigh(leaf, slope) for leaf, slope in pairs if leaf.ndim == 4 and slope is not None]
    if not sums:
        raise TaggerError(
            f"{type(backbone.net).__name__} keeps no two-dimensional maps that the head reads, so grad_cam has nothing"
            " to show. Train with backbone.levels=3, or with a convolutional backbone."
        )
    size = max((tuple(part.shape[-2:]) for part in sums), key=lambda hw: hw[0] * hw[1])
    return torch.stack([_enlarge(part, size) for part in sums]).sum(0)


def _weigh(map_BCHW: Tensor, slope_BCHW: Tensor) -> Tensor:
    """Equation 1 (summed, not averaged) and the weighted sum inside equation 2; (B, h, w)."""
    weights_BC = slope_BCHW.float().sum((2, 3))
    return torch.einsum("bchw,bc->bhw", map_BCHW.detach().float(), weights_BC)


def _enlarge(map_BHW: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(map_BHW.shape[-2:]) == size:
        return map_BHW
    return functional.interpolate(map_BHW[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
