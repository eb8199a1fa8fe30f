"""CAM (Zhou et al. 2016): the label's weights on every channel of the last feature maps.

Zhou et al. 2016, arXiv 1512.04150: ``S_k = sum_c w_kc F_c``. The head's weights are those on the features
as they come (``Head.classifier_weights``); of several levels each has its part of them, and the maps,
brought to the finest grid, are added: their mean over all places is the score without its constant part.

That holds where the head reads the mean of the places. Some networks have layers between the mean and the
head (a norm in ConvNeXt, a hidden layer in MobileNetV3): there each place goes through these layers by
itself, so the map says what the network would score if the whole image looked like this place. It no longer
adds up to the score. Of a head that reads a class token the map is each patch's share in that token
(``class_token_cam``). A head that is not linear has no CAM.
"""

from typing import Any

import torch
from torch import Tensor

from tagger.errors import TaggerError
from tagger.explain.base import explanations, sum_maps
from tagger.explain.class_token_cam import class_token_cam
from tagger.model.feature_layout import channels_last, num_prefix_tokens, to_feature_map


@explanations.register("cam")
def cam(model: Any, images_BCHW: Tensor, label: int) -> Tensor:
    """Evidence for a label as maps (B, h, w), on the grid of the finest map the head reads.

    ``model`` is a ``TagModel`` in evaluation mode. TaggerError if its head is not linear, does not read the
    places, or has gated attention beside it.
    """
    if model.attention is not None:
        raise TaggerError(
            "cam: with gated attention the score is not linear in the maps. Ask for grad_cam or saliency."
        )
    with torch.no_grad():
        maps, last = model.backbone.forward_maps(images_BCHW)
        weights_D = model.head.classifier_weights()[label].float()
        sizes = [part.shape[1] for part in maps]
        *weights_of, last_C = weights_D.split([*sizes, len(weights_D) - sum(sizes)])
        evidence = [
            torch.einsum("bchw,c->bhw", m.float(), w_C) for m, w_C in zip(maps, weights_of, strict=True)
        ]
        evidence.append(_evidence_of_last(model, images_BCHW, last, last_C))
        return sum_maps(evidence)


def _evidence_of_last(model: Any, images_BCHW: Tensor, last: Tensor, weights_C: Tensor) -> Tensor:
    """The share (B, h, w) of each place in what the network's own output gives the score."""
    read_BCHW = _read_positions(model.backbone.net, last, images_BCHW)
    if read_BCHW is not None:
        return torch.einsum("bchw,c->bhw", read_BCHW.float(), weights_C)
    shares_BHW = class_token_cam(model, images_BCHW, weights_C)
    if shares_BHW is None:
        raise _unsupported(
            model.backbone.net, "gives the head its class token, in a way that cannot be taken apart"
        )
    return shares_BHW


def _read_positions(net: Any, last: Tensor, images_BCHW: Tensor) -> Tensor | None:
    """The vector that the head would read of each place alone, as a map (B, D, h, w); None if it reads a class
    token.
    """
    height, width = images_BCHW.shape[-2:]
    map_BCHW = to_feature_map(net, last, height=height, width=width)
    if map_BCHW is None:
        raise _unsupported(net, "keeps no places of the image apart")
    pooled_BD = net.forward_head(last, pre_logits=True)
    mean_BC = map_BCHW.mean((2, 3))
    if mean_BC.shape == pooled_BD.shape and torch.allclose(mean_BC, pooled_BD, rtol=1e-3, atol=1e-4):
        return map_BCHW
    prefix = num_prefix_tokens(net, last, height=height, width=width) or 0
    if prefix and torch.equal(net.forward_head(_without_patches(last, prefix), pre_logits=True), pooled_BD):
        return None
    positions_PC = map_BCHW.movedim(1, -1).flatten(0, 2)
    if last.ndim == 3:
        alone = positions_PC[:, None].expand(
            -1, prefix + 1, -1
        )  # whichever of them its head pools, it is this place
    else:
        alone = positions_PC[:, None, None] if channels_last(net) else positions_PC[:, :, None, None]
    try:
        read_PD = net.forward_head(alone, pre_logits=True)
    except (RuntimeError, ValueError, AssertionError):  # its pooling has a size of its own
        raise _unsupported(net, "cannot read one place alone") from None
    batch, _, rows, columns = map_BCHW.shape
    return read_PD.view(batch, rows, columns, -1).movedim(-1, 1)


def _without_patches(last_BTC: Tensor, prefix: int) -> Tensor:
    return torch.cat([last_BTC[:, :prefix], torch.zeros_like(last_BTC[:, prefix:])], dim=1)


def _unsupported(net: Any, why: str) -> TaggerError:
    return TaggerError(f"cam: {type(net).__name__} {why}. Ask for grad_cam or saliency instead.")
