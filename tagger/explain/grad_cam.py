"""Grad-CAM (Selvaraju et al. 2017): the last feature maps, weighed by the gradient of the score.

Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2. Our head may read the averages of several maps,
so each of them has its own weighted sum; brought to the finest grid, the sums are added. That is no
heuristic: with average pooling and a linear head the mean of the map over all places *is* the score without
its constant part, level by level (tests/explain/test_grad_cam.py). The weights are gradients summed over
the places, not averaged: for one map that changes the unit only, for several it makes them comparable.

A transformer's tokens are such a map as well. Where its head reads the class token alone, nothing arrives
at the other tokens any more; then the map is what enters the last block's attention (its first norm), as
the package grad-cam advises for such networks.
"""

from typing import Any

import torch
from torch import Tensor

from tagger.errors import TaggerError
from tagger.explain.base import explanations, sum_maps
from tagger.explain.class_token import MapAndGradient, head_reads_patches, last_block_input, map_and_gradient
from tagger.explain.split_forward import forward_from_maps, forward_to_maps


@explanations.register("grad_cam")
def grad_cam(model: Any, images_BCHW: Tensor, label: int) -> Tensor:
    """Evidence for a label as maps (B, h, w), before equation 2's ReLU, on the grid of the finest map the head
    reads.

    ``model`` is a ``TagModel`` in evaluation mode; the score is the one before any softmax of a group.
    TaggerError if its network keeps no places apart.
    """
    with torch.no_grad():
        maps, last = forward_to_maps(model, images_BCHW)
    if not isinstance(last, Tensor):  # some networks have several branches
        raise _unsupported(model.backbone.net)
    leaves = {index: part.detach().requires_grad_() for index, part in maps.items()}
    leaf = last.detach().requires_grad_()
    with torch.enable_grad():
        score = forward_from_maps(model, leaves, leaf)[:, label].sum()
        gradients = torch.autograd.grad(score, [*leaves.values(), leaf], allow_unused=True)
    pairs: list[MapAndGradient] = [
        (part, gradient)
        for part, gradient in zip(leaves.values(), gradients, strict=False)
        if gradient is not None
    ]
    pair = map_and_gradient(model, images_BCHW, leaf, gradients[-1])
    reads_patches = last.ndim != 3 or head_reads_patches(model, images_BCHW, maps, leaf)
    if pair is not None and (reads_patches or bool(pair[1].any())):
        pairs.append(pair)
    if not reads_patches:
        pairs += last_block_input(model, images_BCHW, label)
    if not pairs:
        raise _unsupported(model.backbone.net)
    return sum_maps([_weighted_sum(map_BCHW, gradient_BCHW) for map_BCHW, gradient_BCHW in pairs])


def _weighted_sum(map_BCHW: Tensor, gradient_BCHW: Tensor) -> Tensor:
    """Equation 1 (summed, not averaged) and the weighted sum inside equation 2; (B, h, w)."""
    weights_BC = gradient_BCHW.float().sum((2, 3))
    return torch.einsum("bchw,bc->bhw", map_BCHW.detach().float(), weights_BC)


def _unsupported(net: Any) -> TaggerError:
    return TaggerError(
        f"grad_cam: {type(net).__name__} keeps no two-dimensional maps that the head reads. Ask for saliency, or train"
        " another backbone."
    )
