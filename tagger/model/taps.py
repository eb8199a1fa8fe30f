"""Where the backbone's feature maps can be changed on their way, and what the classifier thinks of their channels.

timm names the module that gives each map (``feature_info``), so a forward hook on it sees every map once, whichever of
timm's ways through the network is taken. A transformer that is read at its class token alone does not look at the
places of its last map any more, so there depth 0 is the map before it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tagger.errors import TaggerError
from tagger.model.backbone import Backbone
from tagger.model.layouts import Layout, cannot, find_layouts

Change = Callable[[Tensor, int], Tensor]


def tap(backbone: Backbone, num_maps: int, change: Change) -> list[RemovableHandle]:
    """Handles of hooks that put ``change(map_BCHW, depth)`` in the place of each of the last ``num_maps`` maps.

    Depth 0 is the last map that the head can feel. Maps of channels-last networks and the grid of a transformer's
    tokens are shown as (B, C, h, w) and put back; class token and registers stay as they are. Nothing happens while the
    backbone is in evaluation mode; ``handle.remove()`` takes a hook off. TaggerError names a network whose maps cannot
    be changed.
    """
    last, info = _last(backbone), _feature_info(backbone.net)
    if not info or not all("module" in row for row in info):
        raise cannot(backbone.net, "timm does not say which parts give them")
    if last + 1 < num_maps:
        raise TaggerError(
            f"{type(backbone.net).__name__} has {last + 1} feature maps that can be changed, and {num_maps} are wanted:"
            f" set the option layers of the methods in [regularisers] to {last + 1} or less."
        )
    names = [info[last - depth]["module"] for depth in range(num_maps)]
    layouts = find_layouts(backbone.net, names, last=last)
    return [
        backbone.net.get_submodule(name).register_forward_hook(_hook(backbone, layout, depth, change))
        for depth, (name, layout) in enumerate(zip(names, layouts, strict=True))
    ]


def map_class_weights(model: Any, depth: int, channels: int) -> Tensor:
    """The classifier's weights (K, channels) that fall to the channels of a ``TagModel``'s map at ``depth`` (as for
    ``tap``).

    Exact where the head reads the mean of that map itself; else its weights on the last features, as ``share_out``
    hands them to fewer or more channels. TaggerError for a head without weights by label (mlp).
    """
    backbone: Backbone = model.backbone
    weights_KD: Tensor = model.head.class_weights()
    columns = _columns(backbone, depth)
    if columns is not None:
        return weights_KD[:, columns]
    return share_out(weights_KD[:, backbone.num_features - backbone.net.head_hidden_size :], channels)


def share_out(weights_KD: Tensor, channels: int) -> Tensor:
    """Weights (K, channels) for a shallower map: channel c gets the sum of the floor(D / channels) that fall to it.

    Wang et al. 2019 (CamDrop), step 0.ii. The printed sum is the same for every c, so the c-th block of neighbouring
    weights is meant; weights beyond the last whole block fall to no channel. With more channels than weights, of which
    the source says nothing, neighbouring channels share a weight.

    >>> share_out(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2).tolist()
    [[3.0, 7.0]]
    >>> share_out(torch.tensor([[1.0, 2.0]]), 4).tolist()
    [[1.0, 1.0, 2.0, 2.0]]
    """
    num = weights_KD.shape[1]
    if num < channels:
        return weights_KD[:, torch.arange(channels, device=weights_KD.device) * num // channels]
    each = num // channels
    return weights_KD[:, : each * channels].unflatten(1, (channels, each)).sum(2)


def _hook(backbone: Backbone, layout: Layout, depth: int, change: Change) -> Callable[..., Tensor | None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor | None:
        if not backbone.training:  # not the module's own mode: a normalisation may be frozen while the network learns
            return None
        return layout.put(change(layout.show(output), depth), output)

    return hook


def _columns(backbone: Backbone, depth: int) -> slice | None:
    """Which of the head's features are the means of the map at ``depth``; None where none are."""
    info = _feature_info(backbone.net)
    index = _last(backbone) - depth
    widths = [info[level]["num_chs"] for level in backbone.levels]
    if index not in backbone.levels or sum(widths) + backbone.net.head_hidden_size != backbone.num_features:
        return None
    start = sum(widths[: backbone.levels.index(index)])
    return slice(start, start + info[index]["num_chs"])


def _last(backbone: Backbone) -> int:
    """The index of the last map that the head can feel; -1 where timm knows of none."""
    last = len(_feature_info(backbone.net)) - 1
    unread = getattr(backbone.net, "global_pool", None) == "token" and last not in backbone.levels
    return last - 1 if unread else last


def _feature_info(net: Any) -> list[dict[str, Any]]:
    return list(getattr(net, "feature_info", None) or [])
