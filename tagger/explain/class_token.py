"""Gradients that reach the patch tokens through the class token, in the last transformer block.

A head that reads nothing else gets all of it in the last block."""

from typing import Any

import torch
from torch import Tensor

from tagger.explain.split_forward import (
    FeatureMaps,
    forward_from_maps,
    forward_to_maps,
    last_feature_map,
    pooled_features,
)
from tagger.model.feature_layout import to_feature_map

MapAndGradient = tuple[Tensor, Tensor]
"""Features as a map (B, C, h, w), and the slope of a score there."""


def head_reads_patches(model: Any, images_BCHW: Tensor, maps: FeatureMaps, leaf_BTC: Tensor) -> bool:
    """Whether the head reads any of the tokens that stand for places; ``leaf_BTC`` are the network's last tokens."""
    with torch.enable_grad():
        pooled_BD = pooled_features(model, maps, leaf_BTC)[:, -model.backbone.net.head_hidden_size :]
        (gradient_BTC,) = torch.autograd.grad(pooled_BD.square().sum(), leaf_BTC)
    pair = map_and_gradient(model, images_BCHW, leaf_BTC, gradient_BTC)
    return pair is not None and bool(pair[1].any())


def last_block_input(model: Any, images_BCHW: Tensor, label: int) -> list[MapAndGradient]:
    """What enters the last transformer block, and the slope of the score there: by its first norm, or where
    nothing comes from there (it is behind the attention, or there is none) as it is. Empty if the network
    has no blocks.
    """
    blocks: Any = getattr(model.backbone.net, "blocks", None)
    found: list[MapAndGradient] = []
    for at_norm in (True, False) if blocks else ():
        entered = _block_input_and_gradient(model, images_BCHW, label, blocks[-1], at_norm=at_norm)
        pair = None if entered is None else map_and_gradient(model, images_BCHW, *entered)
        if pair is not None:
            found = [pair]
            if bool(pair[1].any()):
                break
    return found


def map_and_gradient(
    model: Any, images_BCHW: Tensor, part: Tensor, gradient: Tensor | None
) -> MapAndGradient | None:
    """Some features and the slope there as maps; None where they keep no places apart, or nothing depends on them."""
    if gradient is None:
        return None
    height, width = images_BCHW.shape[-2:]
    shown, gradients = (
        to_feature_map(model.backbone.net, one, height=height, width=width) for one in (part, gradient)
    )
    return None if shown is None or gradients is None else (shown, gradients)


def _block_input_and_gradient(
    model: Any, images_BCHW: Tensor, label: int, block: Any, *, at_norm: bool
) -> tuple[Tensor, Tensor | None] | None:
    """What enters the block and the slope of the score there, by way of the class token only: the levels
    before, and what attention sees, are maps of their own.
    """
    leaves: list[Tensor] = []

    def leaf_of(entering: Tensor) -> Tensor:
        leaves.append(entering.detach().requires_grad_())
        return leaves[-1]

    if not at_norm:
        handle = block.register_forward_pre_hook(lambda _, inputs: (leaf_of(inputs[0]), *inputs[1:]))
    elif hasattr(block, "norm1"):
        handle = block.norm1.register_forward_hook(lambda _module, _inputs, output: leaf_of(output))
    else:
        return None
    try:
        with torch.enable_grad():
            maps, last = forward_to_maps(model, images_BCHW)
            maps = {index: part.detach() for index, part in maps.items()}
            score = forward_from_maps(model, maps, last, last_map=last_feature_map(model, last.detach()))[
                :, label
            ].sum()
            gradients = torch.autograd.grad(score, leaves[-1:], allow_unused=True) if leaves else ()
    finally:
        handle.remove()
    return (leaves[-1], gradients[0]) if leaves else None
