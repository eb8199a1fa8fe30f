"""Build glimpses for a backbone: which of its maps say where, and what a cell becomes in its first stages."""

from typing import Any

import timm
import torch
from torch import Tensor

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.model.backbone import Backbone
from tagger.model.feature_layout import to_feature_map
from tagger.model.feature_maps import FeatureMapInfo
from tagger.model.glimpses import Glimpses

# What timm's networks of one size take, so that small cells may pass through them as well.
_ANY_SIZE_OPTIONS: tuple[dict[str, Any], ...] = (
    {"dynamic_img_size": True, "dynamic_img_pad": True},
    {"dynamic_img_size": True},
    {"strict_img_size": False},
)


def new_glimpses(backbone: Backbone, num_labels: int, settings: Settings) -> Glimpses | None:
    """Glimpses as the settings ask for them, or None where their count is 0; TaggerError if the network has
    no such stage, keeps no places apart, or takes no cells.

    They depend on the seed alone, so that all networks of a run begin with the same ones and can be averaged.
    """
    chosen = settings.glimpses
    if not chosen.count:
        return None
    features = _cell_features(backbone, chosen.stage, chosen.size // chosen.grid)
    infos = find_where_maps(backbone, settings.image.size, chosen.grid)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        return Glimpses(
            infos, features, num_labels,
            count=chosen.count, grid=chosen.grid, stage=chosen.stage, mode=chosen.mode,
        )  # fmt: skip


def find_where_maps(backbone: Backbone, size: int, grid: int) -> list[FeatureMapInfo]:
    """The maps of images of ``size`` from the last one back to the first that is as fine as the grid.

    Of maps of one size the last is read. TaggerError if no map has several places.
    """
    found: dict[int, FeatureMapInfo] = {}
    for info, map_BCHW in _maps_of_noise(backbone, size):
        if (side := map_BCHW.shape[-1]) > 1:
            found.pop(side, None)
            found[side] = info
    fine = [side for side in found if side >= grid]
    infos = [info for side, info in found.items() if not fine or side <= min(fine)]
    if not infos:
        raise _unsupported(backbone, f"at image.size = {size} its maps keep no places apart")
    return infos


def any_size_options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options with which a network that is built for one size takes others too; TaggerError if there are none."""
    for more in _ANY_SIZE_OPTIONS:
        try:
            with torch.device("meta"):
                timm.create_model(name, pretrained=False, num_classes=0, **{**more, **options})
        except TypeError:  # how a network says that it does not know an option
            continue
        return more
    raise TaggerError(
        f"glimpses.count: {name} takes images of one size only, and so no cells."
        " Leave it at 0, or take another backbone."
    )


@torch.no_grad()
def _maps_of_noise(backbone: Backbone, size: int) -> list[tuple[FeatureMapInfo, Tensor]]:
    """All maps of one image of noise, first to last, the last features among them if they are a map."""
    noise = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(backbone.mean)
    with backbone.evaluating():
        try:
            last, maps = backbone.net.forward_intermediates((noise - backbone.mean) / backbone.std)
        except (AttributeError, NotImplementedError):
            raise _unsupported(backbone, "timm gives no intermediate features of it") from None
    found = [(FeatureMapInfo(index, part.shape[1]), part) for index, part in enumerate(maps)]
    final = to_feature_map(backbone.net, last, height=size, width=size)
    return found if final is None else [*found, (FeatureMapInfo(None, final.shape[1]), final)]


@torch.no_grad()
def _cell_features(backbone: Backbone, stage: int, side: int) -> int:
    """Features of a cell of ``side`` pixels after so many stages."""
    num_stages = len(getattr(backbone.net, "feature_info", None) or [])
    if stage > num_stages:
        raise _unsupported(
            backbone,
            f"glimpses.stage = {stage}, and it has {num_stages}. Set it to {max(1, num_stages)} or less",
        )
    try:
        return backbone.forward_patches(torch.zeros(2, 3, side, side).to(backbone.mean), stage - 1).shape[1]
    except Exception as error:  # whatever a network of timm's thousand does with a small cell
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise _unsupported(backbone, f"cells of {side} px do not pass through it ({reason})") from None


def _unsupported(backbone: Backbone, reason: str) -> TaggerError:
    return TaggerError(
        f"Glimpses do not work with {type(backbone.net).__name__}: {reason}."
        " Other values of [glimpses] may do, or another backbone; glimpses.count=0 is without."
    )
