"""The forward pass split in two: images to feature maps, and feature maps to scores.

``scores(model, *cut(model, images))`` is ``model.raw(images)``, also with attention beside the head;
explanations ask for the slope at the cut.
"""

from typing import Any

from torch import Tensor

from tagger.model.feature_layout import to_feature_map

FeatureMaps = dict[int, Tensor]
"""Maps (B, C, h, w) by their index in the network."""


def forward_to_maps(model: Any, images_BCHW: Tensor) -> tuple[FeatureMaps, Any]:
    """The maps that the head and its attention read, and the network's last features in timm's own shape."""
    map_infos = model.attention.map_infos if model.attention is not None else ()
    read = {place.index for place in map_infos if place.index is not None} | set(model.backbone.levels)
    maps, last = model.backbone.forward_intermediates(images_BCHW, sorted(read))
    return maps, last


def forward_from_maps(
    model: Any, maps: FeatureMaps, last: Tensor, *, last_map: Tensor | None = None
) -> Tensor:
    """Scores (B, K) before any softmax of a group. ``last_map``, if given, is what attention sees of ``last``."""
    features_BD = pooled_features(model, maps, last)
    base_BK: Tensor = model.head.raw_scores(features_BD)
    if model.attention is None:
        return base_BK
    last_map = last_feature_map(model, last) if last_map is None else last_map
    seen = [last_map if place.index is None else maps[place.index] for place in model.attention.map_infos]
    mixed_BK: Tensor = model.attention(base_BK, seen, features_BD[:, -model.backbone.net.head_hidden_size :])[
        0
    ]
    return mixed_BK


def pooled_features(model: Any, maps: FeatureMaps, last: Tensor) -> Tensor:
    """The pooled features (B, D) that the head reads."""
    pooled_BD: Tensor = model.backbone.pool([maps[index] for index in model.backbone.levels], last)
    return pooled_BD


def last_feature_map(model: Any, last: Tensor) -> Tensor | None:
    """The last features as the map that attention reads; None if they make none."""
    return to_feature_map(model.backbone.net, last)
