"""How can a network learn in fewer passes over its maps, with the same result? On a processor, two ways.

* A batch normalisation whose statistics are kept is one scale and one shift a channel: the convolution before it takes
  both into its weights, and gradients reach both as before. Of a training step of mobilenetv2 it saved a sixth.
* The backward pass of a depthwise convolution with a stride has no fast bfloat16 kernel in oneDNN: in float32 it takes
  a tenth of the time. Four such layers were a third of a step.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from timm.layers import BatchNormAct2d, Conv2dSame, pad_same
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Pair = tuple[nn.Conv2d, nn.BatchNorm2d]
CONVOLUTIONS, NORMS = (nn.Conv2d, Conv2dSame), (nn.BatchNorm2d, BatchNormAct2d)


class Quicker:
    """``Quicker(net, kept_norms, probe)`` changes how ``net`` computes until ``release``: parameters stay its own.

    ``kept_norms`` are those in evaluation mode for all this time; ``probe()`` runs the network once, so that it shows
    which convolution each follows. Copies of the network that are made meanwhile would share the original's weights.
    """

    def __init__(self, net: nn.Module, kept_norms: Iterable[nn.Module], probe: Callable[[], object]):
        kept = {id(norm) for norm in kept_norms}
        self._changed: list[nn.Module] = []
        merged = [(conv, norm) for conv, norm in pairs(net, probe) if id(norm) in kept]
        for conv, norm in merged:
            self._set(conv, partial(_merged, conv, norm))
            self._set(norm, partial(_activation, norm))
        done = {id(conv) for conv, _ in merged}
        for module in net.modules():
            if type(module) in CONVOLUTIONS and id(module) not in done and _is_strided_depthwise(module):
                self._set(module, partial(_plain, module))

    def release(self) -> None:
        """Leave the network as it was."""
        for module in self._changed:
            del module.forward
        self._changed.clear()

    def _set(self, module: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
        module.forward = forward
        self._changed.append(module)


def pairs(net: nn.Module, probe: Callable[[], object]) -> list[Pair]:
    """Each convolution with the batch normalisation that alone takes what it gives, as a run of ``probe`` shows.

    Left out is whatever is not certain: modules that ran twice, that have hooks, that are of a kind not known here.
    """
    given: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    found: list[tuple[nn.Conv2d, nn.BatchNorm2d, Tensor]] = []
    runs: dict[int, int] = {}

    def watch(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        runs[id(module)] = runs.get(id(module), 0) + 1
        if type(module) in CONVOLUTIONS:
            given[id(output)] = module, output  # holding it keeps its id its own
        elif id(inputs[0]) in given:
            found.append((given[id(inputs[0])][0], module, inputs[0]))

    watched = [module for module in net.modules() if type(module) in (*CONVOLUTIONS, *NORMS) and _is_known(module)]
    handles = [module.register_forward_hook(watch) for module in watched]
    try:
        with _Uses() as uses:
            probe()
    finally:
        for handle in handles:
            handle.remove()
    return [
        (conv, norm)
        for conv, norm, output in found
        if runs[id(conv)] == runs[id(norm)] == 1 and uses.count.get(id(output), 0) == 1
    ]


class _Uses(TorchFunctionMode):
    """How many calls each tensor went into, by its id."""

    def __init__(self) -> None:
        super().__init__()
        self.count: dict[int, int] = {}
        self.kept: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") not in ("__get__", "dim", "size"):
            for tensor in _tensors((args, kwargs or {})):
                self.count[id(tensor)] = self.count.get(id(tensor), 0) + 1
                self.kept.append(tensor)
        return func(*args, **(kwargs or {}))


def _tensors(value: Any) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _is_known(module: Any) -> bool:
    if module._forward_hooks or module._forward_pre_hooks:
        return False
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return module.weight is not None and module.running_mean is not None


def _is_strided_depthwise(conv: Any) -> bool:
    return conv.groups == conv.in_channels == conv.out_channels > 1 and max(conv.stride) > 1 and _is_known(conv)


def _merged(conv: nn.Conv2d, norm: Any, maps_BCHW: Tensor) -> Tensor:
    """What ``norm`` gives of what ``conv`` gives, without the activation."""
    scale_C = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift_C = norm.bias - (norm.running_mean if conv.bias is None else norm.running_mean - conv.bias) * scale_C
    return _convolve(conv, maps_BCHW, conv.weight * scale_C.view(-1, 1, 1, 1), shift_C)


def _activation(norm: Any, maps_BCHW: Tensor) -> Tensor:
    """What is left of ``norm`` when its scale and shift are done."""
    return norm.act(norm.drop(maps_BCHW)) if isinstance(norm, BatchNormAct2d) else maps_BCHW


def _plain(conv: Any, maps_BCHW: Tensor) -> Tensor:
    return _convolve(conv, maps_BCHW, conv.weight, conv.bias)


def _convolve(conv: nn.Conv2d, maps_BCHW: Tensor, weight: Tensor, bias_C: Tensor | None) -> Tensor:
    padding: Any = conv.padding
    if isinstance(conv, Conv2dSame):
        maps_BCHW, padding = pad_same(maps_BCHW, conv.weight.shape[-2:], conv.stride, conv.dilation), (0, 0)  # type: ignore[arg-type]
    device = maps_BCHW.device.type
    if _is_strided_depthwise(conv) and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        bias_C = None if bias_C is None else bias_C.to(dtype)
        return _WideBackward.apply(maps_BCHW.to(dtype), weight.to(dtype), bias_C, conv.stride, padding, conv.dilation)
    return F.conv2d(maps_BCHW, weight, bias_C, conv.stride, padding, conv.dilation, conv.groups)


class _WideBackward(torch.autograd.Function):
    """A depthwise convolution whose gradients are computed in float32 and given in the inputs' type."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None, *how: Any) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.how = stride, padding, dilation = how
        ctx.bias_sizes = None if bias is None else [len(bias)]
        return F.conv2d(maps, weight, bias, stride, padding, dilation, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        maps, weight = ctx.saved_tensors
        given = (gradients[0].float(), maps.float(), weight.float())
        mask = [*ctx.needs_input_grad[:2], ctx.bias_sizes is not None and ctx.needs_input_grad[2]]
        found = torch.ops.aten.convolution_backward(*given, ctx.bias_sizes, *ctx.how, False, [0, 0], len(weight), mask)
        return *(None if one is None else one.to(maps.dtype) for one in found), None, None, None
