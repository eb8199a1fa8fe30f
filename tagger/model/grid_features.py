"""Features that keep where a thing is: a feature map averaged in the cells of a grid, beside the pooled ones.

Average pooling over the whole map loses the place, and with it the motion of something small (METHODS, section 8:
the earlier layer is better: AUC 93.3 against 91.3 in the thesis, chapter 2).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.model.backbone import Backbone, make_backbone
from tagger.model.feature_maps import FeatureMapInfo, find_feature_maps, forward_feature_maps


class GridBackbone(nn.Module):
    """A backbone whose features (B, D + grid * grid * C) go on, behind its own, with those of the grid's cells.

    TaggerError if the network has too few maps.
    """

    def __init__(self, backbone: Backbone, *, grid: int, level: int):
        super().__init__()
        self.backbone = backbone
        self.grid = grid
        self.map_info = find_map(backbone, level)
        self.num_features = backbone.num_features + grid**2 * self.map_info.channels

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Features (B, num_features), float32."""
        return torch.cat(forward_grid(self.backbone, images_BCHW, self.map_info, self.grid), dim=1)


def find_map(backbone: Backbone, level: int) -> FeatureMapInfo:
    """The map that is ``level``-th from the last. TaggerError if there are fewer."""
    try:
        return find_feature_maps(backbone, level)[0]
    except TaggerError as error:
        raise TaggerError(str(error).replace("attention.depth", "sequence.level")) from None


def forward_grid(
    backbone: Backbone, images_BCHW: Tensor, info: FeatureMapInfo, grid: int
) -> tuple[Tensor, Tensor]:
    """(pooled features (B, D), the map's means in a grid (B, grid * grid * C)), in one forward pass.

    TaggerError if the map has fewer places than the grid.
    """
    features_BD, (map_BCHW,), _ = forward_feature_maps(backbone, images_BCHW, [info])
    rows, columns = map_BCHW.shape[-2:]
    if min(rows, columns) < grid:
        raise TaggerError(
            f"sequence.grid = {grid}: the feature map has {rows} x {columns} places only. Take an earlier one"
            " (--set sequence.level=2 or more), larger photos (image.size), or a smaller grid."
        )
    return features_BD, adaptive_avg_pool2d(map_BCHW.float(), grid).flatten(1)


def with_grid(backbone: Backbone, settings: Settings) -> Backbone | GridBackbone:
    """The backbone, or with ``sequence.grid`` or ``sequence.level`` one that gives the grid's features as well."""
    sequence = settings.sequence
    if not sequence.own_features:
        return backbone
    return GridBackbone(backbone, grid=sequence.grid, level=sequence.level)


def num_pooled_features(settings: Settings) -> int:
    """How many features the head reads of a backbone as the settings name it."""
    chosen = settings.backbone
    with torch.random.fork_rng(devices=[]):
        return make_backbone(
            chosen.name, "none", size=settings.image.size, levels=chosen.levels, **chosen.options
        ).num_features
