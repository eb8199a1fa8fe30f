"""Find the feature maps that attention can read, and which head features are their spatial means.

A network's maps are those of ``forward_intermediates`` and, after them, its last features as a map:
channels-last networks are turned round, and of a transformer's tokens those that stand for a place make a
grid. A last intermediate map of the same shape as the last features is only their earlier form and is left
out, unless the head reads it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tagger.errors import TaggerError
from tagger.model.backbone import Backbone
from tagger.model.feature_layout import to_feature_map


@dataclass(frozen=True)
class FeatureMapInfo:
    """A map: its index among the network's (None: the last features), its channels, and which of the head's
    features are its mean over the places (None: none).
    """

    index: int | None
    channels: int
    columns: slice | None = None


def find_feature_maps(backbone: Backbone, depth: int) -> list[FeatureMapInfo]:
    """The last ``depth`` maps of a backbone, first to last; TaggerError if it has fewer."""
    last, maps, pooled_BD = backbone.probe()
    found: list[tuple[int | None, Tensor]] = list(enumerate(maps))
    final = to_feature_map(backbone.net, last)
    if final is not None:
        if final.shape == maps[-1].shape and len(maps) - 1 not in backbone.levels:
            found.pop()
        found.append((None, final))
    if len(found) < depth:
        raise TaggerError(
            f"attention.depth = {depth}: {type(backbone.net).__name__} gives {len(found)} feature maps."
            f" Use --set attention.depth={len(found)}."
        )
    columns: dict[int | None, slice] = {}
    at = 0
    for index in backbone.levels:
        columns[index] = slice(at, at + maps[index].shape[1])
        at += maps[index].shape[1]
    mean_BC = pooled_BD.new_empty(0) if final is None else final.mean((2, 3))
    if mean_BC.shape == pooled_BD.shape and torch.allclose(mean_BC, pooled_BD, rtol=1e-3, atol=1e-5):
        columns[None] = slice(at, backbone.num_features)
    return [
        FeatureMapInfo(index, map_BCHW.shape[1], columns.get(index)) for index, map_BCHW in found[-depth:]
    ]


def forward_feature_maps(
    backbone: Backbone, images_BCHW: Tensor, map_infos: Sequence[FeatureMapInfo]
) -> tuple[Tensor, list[Tensor], Tensor]:
    """(pooled features (B, D) as ``backbone(images)`` gives them, the places' maps (B, C, h, w), the network's
    own pooled features, which are the last of D), in one forward pass.
    """
    wanted = {info.index for info in map_infos if info.index is not None} | set(backbone.levels)
    by_index, last = backbone.forward_intermediates(images_BCHW, sorted(wanted))
    features_BD = backbone.pool([by_index[index] for index in backbone.levels], last)
    height, width = images_BCHW.shape[-2:]
    final = to_feature_map(backbone.net, last, height=height, width=width)
    maps = [final if info.index is None else by_index[info.index] for info in map_infos]
    return features_BD, maps, features_BD[:, -backbone.net.head_hidden_size :]  # type: ignore[return-value]
