"""Bring a timm network's last features into the layout (B, C, h, w): channels last and tokens too."""

from typing import Any

from torch import Tensor


def to_feature_map(net: Any, features: Any, *, height: int = 1, width: int = 1) -> Tensor | None:
    """The features of a timm network as a map (B, C, h, w); None where they keep no places apart.

    ``features`` are (B, C, h, w), (B, h, w, C) as Swin gives them, or tokens (B, T, C), of which the class
    token and other prefix tokens are left out; ``height`` and ``width`` of the image tell how the rest
    makes a grid (a square one without them).
    """
    if not isinstance(features, Tensor):  # some networks have several branches
        return None
    if features.ndim == 4:
        return features.movedim(-1, 1) if channels_last(net) else features
    prefix = num_prefix_tokens(net, features, height=height, width=width)
    if prefix is None:
        return None
    grid_BTC = features[:, prefix:]
    return grid_BTC.transpose(1, 2).unflatten(2, grid_of(grid_BTC.shape[1], height=height, width=width))


def channels_last(net: Any) -> bool:
    """Whether the network's last features are (B, h, w, C); its other maps never are."""
    return str(getattr(net, "output_fmt", "NCHW")).endswith("NHWC")


def num_prefix_tokens(net: Any, tokens_BTC: Tensor, *, height: int, width: int) -> int | None:
    """How many of the tokens, in front, stand for no place; None where the rest makes no grid.

    As many as the network says; none or one where that does not fit, as some have blocks without their
    class token.
    """
    if tokens_BTC.ndim != 3:
        return None
    for prefix in (int(getattr(net, "num_prefix_tokens", 0)), 0, 1):
        if grid_of(tokens_BTC.shape[1] - prefix, height=height, width=width):
            return prefix
    return None


def grid_of(num_tokens: int, *, height: int, width: int) -> tuple[int, int] | None:
    """Rows and columns of so many square patches of an image; None if they cannot cover it, or are but one.

    >>> grid_of(49, height=224, width=224), grid_of(8, height=32, width=64), grid_of(50, height=224, width=224)
    ((7, 7), (2, 4), None)
    """
    rows = round((max(num_tokens, 0) * height / width) ** 0.5)
    if num_tokens < 2 or num_tokens % rows or round(rows * width / height) != num_tokens // rows:
        return None
    return rows, num_tokens // rows
