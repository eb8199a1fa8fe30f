"""Glimpses, "where and what": Rodriguez et al. 2018, thesis chapter 3 (text around figure 3.1).

The network sees a small view of the photo. From its maps a grid G of k x k weights is read, of sum 1: where.
The n cells of the highest weight are cut from the large photo and go through the backbone's first stages,
with the backbone's own weights: what. Their averages P (n, d) are weighed by G, as a product (eq. 3.2) or a
sum (eq. 3.1), and normalised. No gradient reaches cells that were not chosen.

Readings of ours:
* The L2 norm goes over all n * d numbers at once. Cell by cell it would cancel the weights, and with them
  the gradient of the grid; for the same reason one cell alone cannot learn, and is refused.
* Chosen cells keep the order of the grid. In the order of their weights a slot would change its place from photo
  to photo.
* The published network classifies both features side by side, which a trained head would not survive. Here the
  glimpses *add* scores, which are 0 at the start: the first step is that of the network alone, bit for bit.
* "Where" is a 1x1 convolution, as published, but on several maps: the last map of a 96 px view has 3 x 3 places,
  and no grid of 16 x 16 can be read from them. Maps are read from the last one back to the first that is as fine
  as the grid, each brought to k x k, and added. Channels are brought to mean 0 and spread 1 over the places
  of each photo: a softmax over places does not see the mean, and one rate suits all maps.
* It starts at small random weights, as equal ones would choose among equals, and at places that stand out: where
  the channels of the finest map are furthest from their mean, which is one more channel to it. Only what is looked
  at can teach where to look, and 5 of 256 cells hit a small thing by chance in 2 photos of 100. Of 200 planted
  photos (benchmarks/glimpses.py, mobilenetv2_100) they hit the digit in 9 % at random weights, 30 draws on average,
  and training did not get going. The energy of the finest map alone hits it in 65 %.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.model.backbone import Backbone
from tagger.model.feature_maps import FeatureMapInfo

EPSILON = 1e-5  # of a channel's variance over the places
START_ENERGY = 1.0  # weight of the finest map's energy at the start


class Glimpses(nn.Module):
    """Scores (B, K) that the ``count`` most important of ``grid`` x ``grid`` cells add to the network's own.

    ``map_infos`` are the maps that say where, ``patch_features`` is d, the features of a cell after
    ``stage`` stages of the backbone.
    """

    def __init__(
        self,
        map_infos: Sequence[FeatureMapInfo],
        patch_features: int,
        num_labels: int,
        *,
        count: int,
        grid: int,
        stage: int,
        mode: str = "product",
    ):
        super().__init__()
        self.map_infos = list(map_infos)
        self.patch_features = patch_features
        self.count = count
        self.grid = grid
        self.stage = stage
        self.mode = mode
        self.where = nn.ParameterList([0.1 * torch.randn(1, info.channels + 1) for info in map_infos])
        with torch.no_grad():
            for number, filter_1C in enumerate(self.where):
                filter_1C[0, -1] = START_ENERGY if number == 0 else 0.0
        width = patch_features * (count if mode == "product" else 1)
        self.what = nn.Linear(width, num_labels, bias=False)
        nn.init.zeros_(self.what.weight)

    def forward(self, backbone: Backbone, images_BCHW: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """The scores (B, K), float32, of the large images and the maps of their small views."""
        weights_BG = self.cell_weights(maps)
        cells_BN = self.choose(weights_BG)
        patches = cut_cells(images_BCHW, cells_BN, grid=self.grid)
        pooled_BND = backbone.forward_patches(patches, self.stage - 1).unflatten(0, cells_BN.shape)
        with torch.autocast(images_BCHW.device.type, enabled=False):
            seen_BD = weigh_cells(pooled_BND, weights_BG.gather(1, cells_BN), mode=self.mode)
            scores_BK: Tensor = self.what(seen_BD * seen_BD.shape[1] ** 0.5)  # one rate suits all widths
        return scores_BK

    def choose(self, weights_BG: Tensor) -> Tensor:
        """The cells (B, count) that are seen, in the order of the grid."""
        return choose_cells(weights_BG, self.count)

    def cell_weights(self, maps: Sequence[Tensor]) -> Tensor:
        """G (B, grid * grid), row by row, of sum 1, float32: where the network wants to see more."""
        with torch.autocast(maps[0].device.type, enabled=False):
            parts = [
                resize_map(read_where(map_BCHW.float(), filter_1C[0]), self.grid)
                for map_BCHW, filter_1C in zip(maps, self.where, strict=True)
            ]
            return torch.stack(parts).sum(0).flatten(1).softmax(1)

    @torch.no_grad()
    def remap_labels(self, old_columns: Sequence[int | None]) -> "Glimpses":
        """The same with other columns: ``old_columns[k]`` of these, or one that adds nothing where None."""
        new = Glimpses(
            self.map_infos, self.patch_features, len(old_columns),
            count=self.count, grid=self.grid, stage=self.stage, mode=self.mode,
        )  # fmt: skip
        new.where.load_state_dict(self.where.state_dict())
        for k, column in enumerate(old_columns):
            if column is not None:
                new.what.weight[k] = self.what.weight[column]
        return new


def read_where(map_BCHW: Tensor, filter_C: Tensor) -> Tensor:
    """How much a map (B, C, h, w) speaks for each place (B, h, w): a filter over its channels and, last, its energy.

    Both are standardised; the channels' part is divided by the root of their number, so that one rate suits all.
    """
    known_BCHW = standardise(map_BCHW)
    energy_BHW = standardise(known_BCHW.square().mean(1, keepdim=True))[:, 0]
    of_channels_BHW = torch.einsum("bchw,c->bhw", known_BCHW, filter_C[:-1])
    return of_channels_BHW / map_BCHW.shape[1] ** 0.5 + filter_C[-1] * energy_BHW


def standardise(map_BCHW: Tensor) -> Tensor:
    """Each image's channels with mean 0 and spread 1 over the places; a constant channel is 0.

    >>> standardise(torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])).round(decimals=3).tolist()
    [[[[-1.0, 1.0]], [[0.0, 0.0]]]]
    """
    centred_BCHW = map_BCHW - map_BCHW.mean((2, 3), keepdim=True)
    variance_BC11 = centred_BCHW.square().mean((2, 3), keepdim=True)
    return centred_BCHW * torch.rsqrt(variance_BC11 + EPSILON)


def resize_map(map_BHW: Tensor, grid: int) -> Tensor:
    """A map on the grid (B, grid, grid): averaged over cells where it is finer, interpolated where it is coarser.

    >>> resize_map(torch.full((1, 4, 4), 2.0), 2).tolist()
    [[[2.0, 2.0], [2.0, 2.0]]]
    """
    size = (grid, grid)
    return functional.interpolate(
        map_BHW[:, None], size=size, mode="bilinear", align_corners=False, antialias=True
    )[:, 0]


def choose_cells(weights_BG: Tensor, count: int) -> Tensor:
    """The cells (B, count) of the highest weights, in the order of the grid.

    >>> choose_cells(torch.tensor([[0.1, 0.4, 0.2, 0.3]]), 2).tolist()
    [[1, 3]]
    """
    return weights_BG.topk(count, dim=1).indices.sort(dim=1).values


def cut_cells(images_BCHW: Tensor, cells_BN: Tensor, *, grid: int) -> Tensor:
    """The pixels (B * N, C, side, side) of some cells of each image, cells counted row by row.

    >>> cut_cells(torch.arange(16.0).view(1, 1, 4, 4), torch.tensor([[1, 2]]), grid=2).flatten(1).tolist()
    [[2.0, 3.0, 6.0, 7.0], [8.0, 9.0, 12.0, 13.0]]
    """
    side = images_BCHW.shape[-1] // grid
    cells_BGCPP = images_BCHW.unflatten(2, (grid, side)).unflatten(4, (grid, side)).permute(0, 2, 4, 1, 3, 5)
    flat_BGX = cells_BGCPP.flatten(3).flatten(1, 2)
    chosen_BNX = flat_BGX.gather(1, cells_BN[:, :, None].expand(-1, -1, flat_BGX.shape[2]))
    return chosen_BNX.flatten(0, 1).unflatten(1, (images_BCHW.shape[1], side, side))


def weigh_cells(pooled_BND: Tensor, weights_BN: Tensor, *, mode: str) -> Tensor:
    """P*, of L2 norm 1 over all its numbers: (B, N * D) as a product (eq. 3.2), (B, D) as a sum (eq. 3.1).

    >>> weigh_cells(torch.tensor([[[6.0], [4.0]]]), torch.tensor([[0.5, 1.0]]), mode="product").tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    weighed_BND = pooled_BND * weights_BN[:, :, None]
    flat_BD = weighed_BND.flatten(1) if mode == "product" else weighed_BND.sum(1)
    return functional.normalize(flat_BD, dim=1)
