"""CAM of a head that reads a class token: what each patch hands to that token in the last block, on the label's side.

The token belongs to no place, but it is made of what places hand it: attention in the last block adds sum_p a_p v_p
to it, over the heads, with a_p the token's attention to patch p and v_p the patch's value after the output
projection. The share of patch p in the label's score is a_p <v_p, u>, where u is the slope of the score at that
sum: without layers behind the attention it would be the label's weights, as in CAM. No source has a formula; this is
ours. The shares of all tokens and the projection's constant add up to <sum, u> exactly. Where the head reads
several such tokens (distilled networks), their shares are added.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tagger.model.feature_layout import to_feature_map


def class_token_cam(model: Any, images_BCHW: Tensor, weights_C: Tensor) -> Tensor | None:
    """Maps (B, h, w) of each patch's share in the score that ``weights_C`` give the network's pooled output.

    None where the last block is not built as timm's vision transformers have it, so that its shares cannot be
    told.
    """
    attention = _last_attention(model.backbone.net)
    if attention is None:
        return None
    found = _tokens_and_slope(model, images_BCHW, attention, weights_C)
    if found is None:
        return None
    tokens_BTC, output_BTC, slope_BTC = found
    with torch.no_grad():
        bias_C = attention.proj.bias if attention.proj.bias is not None else 0.0
        share_BT1 = torch.zeros_like(tokens_BTC[:, :, :1])
        for reader in slope_BTC.any(2).any(0).nonzero()[:, 0].tolist():
            handed_BTC = handed_to_token(attention, tokens_BTC, reader)
            if not torch.allclose(handed_BTC.sum(1) + bias_C, output_BTC[:, reader], rtol=1e-2, atol=1e-3):
                return None  # something else happens in this attention, such as rotated positions
            share_BT1 += (handed_BTC * slope_BTC[:, reader, None]).sum(2, keepdim=True)
    height, width = images_BCHW.shape[-2:]
    map_B1HW = to_feature_map(model.backbone.net, share_BT1, height=height, width=width)
    return None if map_B1HW is None else map_B1HW[:, 0]


def handed_to_token(attention: Any, tokens_BTC: Tensor, reader: int = 0) -> Tensor:
    """What each token hands to the token ``reader`` (B, T, C): the attention it gets times its value, projected."""
    batch, tokens, _ = tokens_BTC.shape
    qkv = attention.qkv(tokens_BTC).reshape(batch, tokens, 3, attention.num_heads, -1)
    query_BHTD, key_BHTD, value_BHTD = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    query_BHTD, key_BHTD = attention.q_norm(query_BHTD), attention.k_norm(key_BHTD)
    asked_BH1D = query_BHTD[:, :, reader : reader + 1] * attention.scale
    gets_BHT = (asked_BH1D @ key_BHTD.mT).softmax(-1)[:, :, 0]
    handed_BHTD = gets_BHT[..., None] * value_BHTD
    return functional.linear(handed_BHTD.transpose(1, 2).flatten(2), attention.proj.weight)


def _last_attention(net: Any) -> Any:
    """The attention of the last block; None if the network has none of timm's usual kind."""
    blocks: Any = getattr(net, "blocks", None)
    attention = getattr(blocks[-1], "attn", None) if blocks is not None and len(blocks) else None
    parts = ("qkv", "q_norm", "k_norm", "proj", "num_heads", "scale")
    return attention if all(getattr(attention, part, None) is not None for part in parts) else None


def _tokens_and_slope(
    model: Any, images_BCHW: Tensor, attention: Any, weights_C: Tensor
) -> tuple[Tensor, Tensor, Tensor] | None:
    """What enters the attention, what leaves it, and the slope of the score at that; each (B, T, C)."""
    seen: list[Tensor] = []

    def cut(_module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        leaf = output.detach().requires_grad_()
        seen[:] = [inputs[0].detach(), leaf]
        return leaf

    handle = attention.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            _, last = model.backbone.forward_maps(images_BCHW)
            if not seen:
                return None
            score = (model.backbone.net.forward_head(last, pre_logits=True).float() * weights_C).sum()
            (slope_BTC,) = torch.autograd.grad(score, seen[1])
    finally:
        handle.remove()
    return seen[0], seen[1].detach(), slope_BTC
