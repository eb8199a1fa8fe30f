"""Find the layout of each module's output, (B, C, h, w), channels last or tokens, by one forward pass.

That is not guessed from the network's name: one small forward pass compares what each module gives with the
map that timm itself makes of it (``forward_intermediates``), and what does not agree is refused. Of 49
networks of as many of timm's families 46 agree (convolutional, transformers, mixtures); HRNet and Hiera are
among the others.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tagger.errors import TaggerError


@dataclass(frozen=True)
class ModuleLayout:
    """Layout of one module's output: ``kind`` is ``nchw``, ``nhwc`` or ``tokens``.

    Tokens are (B, prefix + h w, C), class token and registers first; ``grid`` is the h, w of the size that the
    network was made for.

    >>> ModuleLayout("tokens", prefix=1).to_map(torch.zeros(2, 1 + 9, 5)).shape
    torch.Size([2, 5, 3, 3])
    """

    kind: str
    prefix: int = 0
    grid: tuple[int, int] = (0, 0)

    def to_map(self, output: Tensor) -> Tensor:
        """The map (B, C, h, w) of a module's output, as a view of it."""
        if self.kind == "nchw":
            return output
        if self.kind == "nhwc":
            return output.permute(0, 3, 1, 2)
        return (
            output[:, self.prefix :]
            .transpose(1, 2)
            .unflatten(2, self._grid_size(output.shape[1] - self.prefix))
        )

    def from_map(self, map_BCHW: Tensor, output: Tensor) -> Tensor:
        """The module's output with this map in the place of its own; tokens in front of it stay."""
        if self.kind == "nchw":
            return map_BCHW
        if self.kind == "nhwc":
            return map_BCHW.permute(0, 2, 3, 1)
        tokens_BTC = map_BCHW.flatten(2).transpose(1, 2)
        return torch.cat([output[:, : self.prefix], tokens_BTC], dim=1) if self.prefix else tokens_BTC

    def _grid_size(self, num: int) -> tuple[int, int]:
        if math.prod(self.grid) == num:
            return self.grid
        return math.isqrt(num), math.isqrt(
            num
        )  # another size than the network was made for: our images are square


def find_module_layouts(net: Any, names: list[str], *, last: int = -1) -> list[ModuleLayout]:
    """The layout of each of the modules ``names``, which give timm's maps from the index ``last`` backwards.

    TaggerError if a module is not there, runs more than once, or does not give what timm calls its map. The
    network stays as it was.
    """
    outputs_of: dict[str, list[Any]] = {name: [] for name in names}
    hooks = [
        _get_module(net, name).register_forward_hook(
            lambda _module, _inputs, output, name=name: outputs_of[name].append(output)
        )
        for name in names
    ]
    training = net.training
    net.eval()
    try:
        maps = _intermediate_maps(net, outputs_of)
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return [
        _match_layout(net, name, outputs_of[name], maps[last - depth]) for depth, name in enumerate(names)
    ]


def unsupported_maps_error(net: Any, reason: str) -> TaggerError:
    """The error of a network whose maps cannot be changed, to be raised."""
    return TaggerError(
        f"The feature maps of {type(net).__name__} cannot be changed: {reason}. Switch off what acts on maps in"
        " [regularisers] (camdrop, attention-drop, dropblock), or take another backbone."
    )


def _get_module(net: Any, name: str) -> Any:
    try:
        return net.get_submodule(name)
    except AttributeError:
        raise unsupported_maps_error(net, f"it has no part {name!r}") from None


def _intermediate_maps(net: Any, outputs_of: dict[str, list[Any]]) -> list[Tensor]:
    """What timm calls the network's maps, of small noise images; ``outputs_of`` is filled in the same pass."""
    size = getattr(getattr(net, "patch_embed", None), "img_size", None) or (64, 64)
    like = next(net.parameters())
    for height, width in (size, net.pretrained_cfg["input_size"][1:]):
        noise = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
        for outputs in outputs_of.values():
            outputs.clear()
        try:
            with torch.no_grad():
                return list(net.forward_intermediates(noise.to(like), intermediates_only=True))
        except (AttributeError, NotImplementedError):
            raise unsupported_maps_error(net, "timm has no forward_intermediates for it") from None
        except (AssertionError, RuntimeError):  # built for one size only, or 64 pixels are too few
            continue
    raise unsupported_maps_error(net, "no size is known that it takes")


def _match_layout(net: Any, name: str, outputs: list[Any], map_BCHW: Tensor) -> ModuleLayout:
    if len(outputs) == 1 and isinstance(outputs[0], Tensor):
        for layout in _candidate_layouts(net, outputs[0]):
            shown = layout.to_map(outputs[0])
            if shown.shape == map_BCHW.shape and torch.allclose(shown, map_BCHW, atol=1e-5):
                return layout
    raise unsupported_maps_error(net, f"what its part {name!r} gives is not one map")


def _candidate_layouts(net: Any, output: Tensor) -> Iterator[ModuleLayout]:
    if output.ndim == 4:
        yield from (ModuleLayout("nchw"), ModuleLayout("nhwc"))
    if output.ndim == 3:
        grid = tuple(getattr(getattr(net, "patch_embed", None), "grid_size", None) or (0, 0))
        for prefix in (int(getattr(net, "num_prefix_tokens", 0)), 0):
            num = output.shape[1] - prefix
            if num == math.prod(grid) or num == math.isqrt(num) ** 2:
                yield ModuleLayout("tokens", prefix, grid)
