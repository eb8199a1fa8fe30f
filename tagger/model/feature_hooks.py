"""Forward hooks that change the backbone's feature maps, and the classifier's weights on their channels.

timm names the module that gives each map (``feature_info``), so a forward hook on it sees every map once,
whichever of timm's ways through the network is taken. A transformer that is read at its class token alone
does not look at the places of its last map any more, so there depth 0 is the map before it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tagger.errors import TaggerError
from tagger.model.backbone import Backbone
from tagger.model.module_layouts import ModuleLayout, find_module_layouts, unsupported_maps_error

MapTransform = Callable[[Tensor, int], Tensor]


def hook_feature_maps(backbone: Backbone, num_maps: int, transform: MapTransform) -> list[RemovableHandle]:
    """Handles of hooks that put ``change(map_BCHW, depth)`` in the place of each of the last ``num_maps`` maps.

    Depth 0 is the last map that the head can feel. Maps of channels-last networks and the grid of a
    transformer's tokens are shown as (B, C, h, w) and put back; class token and registers stay as they are.
    Nothing happens while the backbone is in evaluation mode; ``handle.remove()`` takes a hook off.
    TaggerError names a network whose maps cannot be changed.
    """
    last = _last_map_index(backbone)
    info = _feature_info(backbone.net)
    if not info or not all("module" in row for row in info):
        raise unsupported_maps_error(backbone.net, "timm does not say which parts give them")
    if last + 1 < num_maps:
        raise TaggerError(
            f"{type(backbone.net).__name__} has {last + 1} feature maps that can be changed, and {num_maps} are wanted:"
            f" set the option layers of the methods in [regularisers] to {last + 1} or less."
        )
    names = [info[last - depth]["module"] for depth in range(num_maps)]
    layouts = find_module_layouts(backbone.net, names, last=last)
    return [
        backbone.net.get_submodule(name).register_forward_hook(_make_hook(backbone, layout, depth, transform))
        for depth, (name, layout) in enumerate(zip(names, layouts, strict=True))
    ]


def map_classifier_weights(model: Any, depth: int, channels: int) -> Tensor:
    """The classifier's weights (K, channels) that fall to the channels of a ``TagModel``'s map at ``depth``
    (as for ``hook_feature_maps``).

    Exact where the head reads the mean of that map itself; else its weights on the last features, as
    ``redistribute_weights`` hands them to fewer or more channels. TaggerError for a head without weights by
    label (mlp).
    """
    backbone: Backbone = model.backbone
    weights_KD: Tensor = model.head.classifier_weights()
    columns = _pooled_columns(backbone, depth)
    if columns is not None:
        return weights_KD[:, columns]
    return redistribute_weights(
        weights_KD[:, backbone.num_features - backbone.net.head_hidden_size :], channels
    )


def redistribute_weights(weights_KD: Tensor, channels: int) -> Tensor:
    """Weights (K, channels) for a shallower map: channel c gets the sum of the floor(D / channels) that fall
    to it.

    Wang et al. 2019 (CamDrop), step 0.ii. The printed sum is the same for every c, so the c-th block of
    neighbouring weights is meant; weights beyond the last whole block fall to no channel. With more
    channels than weights, of which the source says nothing, neighbouring channels share a weight.

    >>> redistribute_weights(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2).tolist()
    [[3.0, 7.0]]
    >>> redistribute_weights(torch.tensor([[1.0, 2.0]]), 4).tolist()
    [[1.0, 1.0, 2.0, 2.0]]
    """
    num = weights_KD.shape[1]
    if num < channels:
        return weights_KD[:, torch.arange(channels, device=weights_KD.device) * num // channels]
    block_size = num // channels
    return weights_KD[:, : block_size * channels].unflatten(1, (channels, block_size)).sum(2)


def _make_hook(
    backbone: Backbone, layout: ModuleLayout, depth: int, transform: MapTransform
) -> Callable[..., Tensor | None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor | None:
        if (
            not backbone.training
        ):  # not the module's own mode: a normalisation may be frozen while the network learns
            return None
        return layout.from_map(transform(layout.to_map(output), depth), output)

    return hook


def _pooled_columns(backbone: Backbone, depth: int) -> slice | None:
    """Which of the head's features are the means of the map at ``depth``; None where none are."""
    info = _feature_info(backbone.net)
    index = _last_map_index(backbone) - depth
    widths = [info[level]["num_chs"] for level in backbone.levels]
    if index not in backbone.levels or sum(widths) + backbone.net.head_hidden_size != backbone.num_features:
        return None
    start = sum(widths[: backbone.levels.index(index)])
    return slice(start, start + info[index]["num_chs"])


def _last_map_index(backbone: Backbone) -> int:
    """The index of the last map that the head can feel; -1 where timm knows of none."""
    last = len(_feature_info(backbone.net)) - 1
    unread = getattr(backbone.net, "global_pool", None) == "token" and last not in backbone.levels
    return last - 1 if unread else last


def _feature_info(net: Any) -> list[dict[str, Any]]:
    return list(getattr(net, "feature_info", None) or [])
