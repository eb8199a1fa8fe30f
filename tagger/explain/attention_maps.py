"""Maps of attention heads: where each head of each module looked, and its share in the scores.

Figure 4.6 of the thesis draws the maps H of eq. 4.1. They do not depend on a label. A head's share is its gate in
the module (eq. 4.5) times the module's output gate (eq. 4.7): with the base path's all shares sum to 1.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from tagger.errors import TaggerError
from tagger.explain.split_forward import forward_to_maps, last_feature_map, pooled_features


class HeadLook(NamedTuple):
    """One head on one image: its module and number, both from 1 (module 1 reads the earliest map), its share, and
    its map (h, w) of sum 1.
    """

    module: int
    head: int
    share: float
    map_HW: Tensor

    @property
    def title(self) -> str:
        """``map 1, head 2``."""
        return f"map {self.module}, head {self.head}"


def attention_looks(model: Any, image_BCHW: Tensor) -> list[HeadLook]:
    """Every head of every attention module of a ``TagModel`` in evaluation mode, for one image (B = 1).

    TaggerError if the model has no gated attention.
    """
    if model.attention is None:
        raise TaggerError(
            "attention: this run's model has no attention heads: attention.depth was 0, or the frozen backbone without"
            " them was better on validation and was kept. Ask for grad_cam, cam or saliency."
        )
    with torch.no_grad():
        maps, last = forward_to_maps(model, image_BCHW)
        features_BD = pooled_features(model, maps, last)
        gates_BG = model.attention.gates(features_BD[:, -model.backbone.net.head_hidden_size :])
        last_map = last_feature_map(model, last)
        looks = []
        for number, (place, module) in enumerate(
            zip(model.attention.map_infos, model.attention.reads, strict=True), start=1
        ):
            maps_BJHW, shares_BJ = module.looks(last_map if place.index is None else maps[place.index])
            for head, (map_HW, share) in enumerate(zip(maps_BJHW[0], shares_BJ[0], strict=True), start=1):
                looks.append(HeadLook(number, head, float(share * gates_BG[0, number]), map_HW))
    return looks
