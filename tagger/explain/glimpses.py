"""Picture of glimpses: the grid of their weights, and a frame round each cell that the network saw.

The same for every label: cells are chosen before anything is recognised ("where and what", thesis chapter 3).
"""

from typing import Any

import torch
from torch import Tensor

from tagger.errors import TaggerError
from tagger.explain.base import explanations
from tagger.model.feature_maps import forward_feature_maps

CELL_SIDE = 8  # pixels of a cell in the map, of which its frame takes two
INNER_HEAT = 0.6  # of the cell with the highest weight, inside its frame


@explanations.register("glimpses")
def glimpses(model: Any, images_BCHW: Tensor, label: int) -> Tensor:
    """Maps (B, h, w) with ``CELL_SIDE`` pixels a cell: weights from 0 to ``INNER_HEAT``, frames of chosen cells 1.

    ``label`` changes nothing. TaggerError if the model takes no glimpses.
    """
    if model.glimpses is None:
        raise TaggerError(
            "glimpses: this run takes none. Ask for grad_cam, or train one with --set glimpses.count=5."
        )
    with torch.no_grad():
        weights_BG = find_cell_weights(model, images_BCHW)
    chosen_BG = torch.zeros_like(weights_BG).scatter(1, model.glimpses.choose(weights_BG), 1.0)
    grid = (model.glimpses.grid, model.glimpses.grid)
    return draw_cells(weights_BG.unflatten(1, grid), chosen_BG.unflatten(1, grid))


def find_cell_weights(model: Any, images_BCHW: Tensor) -> Tensor:
    """G (B, cells), row by row, of a model's glimpses."""
    _, maps, _ = forward_feature_maps(model.backbone, images_BCHW, model.glimpses.map_infos)
    weights_BG: Tensor = model.glimpses.cell_weights(maps)
    return weights_BG


def draw_cells(weights_BKK: Tensor, chosen_BKK: Tensor) -> Tensor:
    """The cells as squares of their weight, those chosen (1) with a bright frame; (B, h, w).

    >>> draw_cells(torch.tensor([[[0.5, 1.0]]]), torch.tensor([[[0.0, 1.0]]]))[0, 4, ::4].tolist()
    [0.30000001192092896, 0.30000001192092896, 1.0, 0.6000000238418579]
    """
    heat_BKK = INNER_HEAT * weights_BKK / weights_BKK.amax((1, 2), keepdim=True)
    heat_BHW, chosen_BHW = (
        part.repeat_interleave(CELL_SIDE, 1).repeat_interleave(CELL_SIDE, 2)
        for part in (heat_BKK, chosen_BKK)
    )
    rows_H, columns_W = (_is_edge(length, heat_BHW.device) for length in heat_BHW.shape[1:])
    frame_HW = rows_H[:, None] | columns_W
    return torch.where(frame_HW & (chosen_BHW > 0), 1.0, heat_BHW)


def _is_edge(length: int, device: torch.device) -> Tensor:
    """Which of so many pixels are the first or last of a cell, bool."""
    inside = torch.arange(length, device=device) % CELL_SIDE
    return (inside == 0) | (inside == CELL_SIDE - 1)
