"""OrthoReg: push the filters of a layer towards orthogonality. Rodriguez, thesis chapter 5 (ICLR 2017).

It acts on the weights alone, so its cost does not depend on the batch: one product of a layer's filters
with each other and one back. ``local`` leaves filters beyond 90 degrees alone, which is what the thesis
found better than ``global``.

What is added to the loss's gradient are the closed forms as printed: eq. 5.6 and 5.10 at rows of unit
length, the part along the row itself left out. They are the gradients of sums over *unordered* pairs,
although eq. 5.2 and 5.7 count ordered ones, and of *half* the squares in 5.2; algorithm 1 prints gamma
twice, it is applied once.

The default gamma is for fine-tuning. The thesis found 1 best for a small network from random weights under
plain SGD; its authors' published code has 0.001. In ImageNet's mobilenetv2, whose early expansions have
filters at cosines of .99, the ``local`` gradient at gamma 1 is 100 times as long as the whole gradient of
the loss, of which clipping to length 1 (``train.clip_grad_norm``) would leave nothing; at 0.001 it is a tenth of it,
and half of what the loss asks of the backbone.

Three variants of the source are options. ``layers="conv"`` is what table 5.1 calls "conv layers" and what 5.3.2 does.
``normalise`` is the normalised gradient of 5.3.2, with which "similar values [of gamma] were found for all the
experiments": each layer's gradient is scaled to length 1 before gamma (which length is not said; ours is the
layer's Frobenius norm). ``restore_norms`` is 5.3.1: the filters' lengths "recovered after each regularization step". As
the regulariser's share goes through the optimiser with the loss's, this is the optimiser's step here, so that the
loss changes only angles too.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from tagger.errors import TaggerError
from tagger.regularisers.base import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers

BF16 = torch.bfloat16
MAX_COSINES = (
    2**23
)  # cosines held at a time (32 MB): a layer with more pairs of filters is done a block of rows at a time
CPU_BLOCK_ROWS = 192  # rows in a block on a processor
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAYER_TYPES = {"all": (*CONVOLUTIONS, nn.Linear), "conv": CONVOLUTIONS}


@regularisers.register("orthoreg")
class OrthoReg(Regulariser):
    """Add gamma times the gradient of the filters' similarity, in every convolution and linear layer of the
    backbone and the head (``layers="conv"``: convolutions only). ``lamda`` of 10 is where ``local`` stops to act
    at 90 degrees. ``normalise``: each layer's gradient at length 1; ``restore_norms``: filters keep their length.
    """

    def __init__(
        self,
        context: RegulariserContext,
        *,
        mode: str = "local",
        gamma: float = 0.001,
        lamda: float = 10.0,
        layers: str = "all",
        normalise: bool = False,
        restore_norms: bool = False,
    ):
        super().__init__(context)
        for option, word, known in (("mode", mode, ("local", "global")), ("layers", layers, LAYER_TYPES)):
            if word not in known:
                raise TaggerError(f"regularisers.orthoreg.{option} = {word!r}: it is {' or '.join(known)}.")
        if gamma < 0 or lamda <= 0:
            raise TaggerError("regularisers.orthoreg: gamma must not be negative, and lamda must be above 0.")
        self.mode = mode
        self.gamma = gamma
        self.lamda = lamda
        self.layers = layers
        self.normalise = normalise
        self.restore_norms = restore_norms
        self.in_bf16 = False

    def loss(self, outputs: ModelOutputs, step: StepContext) -> None:
        """Nothing to add. It is called where the network computes, so it notes whether that is in bf16 on a
        processor, whose products then take a quarter of the time: ``gradients`` does as the loss's own
        backward pass did.
        """
        kind = outputs.logits_BK.device.type
        self.in_bf16 = (
            kind == "cpu" and torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == BF16
        )

    @torch.no_grad()
    def on_gradients(self, model: nn.Module) -> None:
        """Add to ``grad`` of each weight that has one; frozen layers, depthwise ones and single filters are let be."""
        if not self.gamma:
            return
        for weight, num_groups in filter_weights(model, self.layers):
            if weight.grad is not None:
                rows_GND = weight.reshape(num_groups, len(weight) // num_groups, -1)
                push_GND = similarity_gradient(
                    rows_GND, mode=self.mode, lamda=self.lamda, in_bf16=self.in_bf16
                )
                if self.normalise:
                    push_GND /= push_GND.norm().clamp(min=1e-12)
                weight.grad.add_(push_GND.reshape(weight.shape), alpha=self.gamma)

    def around_update(self, model: nn.Module) -> AbstractContextManager[None]:
        """With ``restore_norms`` the filters have their lengths again after the optimiser's step."""
        if not (self.restore_norms and self.gamma):
            return nullcontext()
        return keep_filter_norms([weight for weight, _ in filter_weights(model, self.layers)])


@contextmanager
def keep_filter_norms(weights: list[nn.Parameter]) -> Iterator[None]:
    """Each filter of these weights is as long afterwards as it was; one that was 0 stays what it has become."""
    with torch.no_grad():
        before = [weight.flatten(1).norm(dim=1) for weight in weights]
    yield
    with torch.no_grad():
        for weight, norm_N in zip(weights, before, strict=True):
            now_N = weight.flatten(1).norm(dim=1)
            factor_N = torch.where((norm_N > 0) & (now_N > 0), norm_N / now_N.clamp(min=1e-12), 1.0)
            weight.mul_(factor_N.view(-1, *[1] * (weight.ndim - 1)).to(weight.dtype))


def filter_weights(model: nn.Module, layers: str = "all") -> list[tuple[nn.Parameter, int]]:
    """(weight, its number of groups) of every layer of ``model.backbone`` and ``model.head`` with two filters
    to tell apart, each weight once. A depthwise layer has one filter for each channel, so that there is
    nothing to compare.
    """
    return [(weight, num_groups) for _, weight, num_groups in named_filters(model, layers)]


def named_filters(model: nn.Module, layers: str = "all") -> Iterator[tuple[str, nn.Parameter, int]]:
    """(name, weight, number of groups) of the layers of ``filter_weights``."""
    seen = set()
    for part in ("backbone", "head"):
        for name, layer in getattr(model, part).named_modules(prefix=part):
            if isinstance(layer, LAYER_TYPES[layers]):
                weight: nn.Parameter = layer.weight  # type: ignore[assignment]
                num_groups = int(getattr(layer, "groups", 1))
                depthwise = num_groups > 1 and weight.shape[1] == 1
                if len(weight) // num_groups >= 2 and not depthwise and id(weight) not in seen:
                    seen.add(id(weight))
                    yield name, weight, num_groups


@torch.no_grad()
def filter_angles(model: nn.Module, layers: str = "all") -> list[dict[str, Any]]:
    """For each layer, in order, its name, number of filters, and angles in degrees between its filters.

    ``smallest``: between the two that are nearest (fig. 5.3). ``mean_nearest``: from each filter to its nearest,
    the mean (fig. 5.2d). Filters that are 0 are left out.
    """
    rows = []
    for name, weight, num_groups in named_filters(model, layers):
        nearest = [_nearest_angles(rows_ND) for rows_ND in weight.flatten(1).float().chunk(num_groups)]
        angles = torch.cat(nearest)
        if len(angles):
            rows.append({
                "layer": name, "filters": len(weight),
                "smallest": round(float(angles.min()), 2), "mean_nearest": round(float(angles.mean()), 2),
            })  # fmt: skip
    return rows


def _nearest_angles(rows_ND: Tensor) -> Tensor:
    """The angle from each row to the row nearest to it, degrees; nothing of rows that are 0 or alone."""
    unit_ND = rows_ND[rows_ND.norm(dim=1) > 0].double()
    unit_ND = unit_ND / unit_ND.norm(dim=1, keepdim=True)
    if len(unit_ND) < 2:
        return unit_ND.new_zeros(0)
    cosines_NN = (unit_ND @ unit_ND.T).fill_diagonal_(-torch.inf)
    return torch.rad2deg(torch.arccos(cosines_NN.amax(1).clamp(-1, 1)))


def similarity_gradient(
    rows_GND: Tensor, *, mode: str = "local", lamda: float = 10.0, in_bf16: bool = False
) -> Tensor:
    """The gradient (G, N, D) by the rows, taken at unit length, of how similar the N rows of each group are.

    ``global``: eq. 5.6, sum over k of cos_ik * row_k. ``local``: eq. 5.10, where e^(l c) / (e^(l c) + e^l)
    times l takes the place of cos_ik; that quotient is the sigmoid of l (c - 1). Float32, or float64 for
    float64 rows; with ``in_bf16`` both products are taken in that precision, which moves a layer's gradient
    by about a hundredth.

    >>> similarity_gradient(torch.tensor([[[2.0, 0.0], [3.0, 4.0]]]), mode="global")
    tensor([[[0.3600, 0.4800],
             [0.6000, 0.0000]]])
    """
    wide = rows_GND if rows_GND.dtype == torch.float64 else rows_GND.float()
    unit_GND = wide / wide.norm(dim=2, keepdim=True).clamp(min=1e-12)
    num_groups, num_rows, _ = unit_GND.shape
    push_GND = torch.zeros_like(unit_GND)
    used_GND = unit_GND.to(BF16) if in_bf16 else unit_GND
    # Cosines are symmetric: a block of rows meets only itself and the rows after it, and passes its share
    # on to them. That spares a processor a quarter of the work; a GPU would rather have fewer and larger
    # products.
    block = max(
        1,
        min(
            CPU_BLOCK_ROWS if unit_GND.device.type == "cpu" else num_rows,
            MAX_COSINES // (num_groups * num_rows),
        ),
    )
    for begin in range(0, num_rows, block):
        block_GMD = used_GND[:, begin : begin + block]
        rest_GND = used_GND[:, begin:]
        pull_GMN = (block_GMD @ rest_GND.mT).to(unit_GND.dtype)
        if mode == "local":
            pull_GMN = pull_GMN.sub_(1).mul_(lamda).sigmoid_().mul_(lamda)
        torch.diagonal(pull_GMN, dim1=1, dim2=2).zero_()  # a row is not compared with itself
        pull_GMN = pull_GMN.to(used_GND.dtype)
        push_GND[:, begin : begin + block] += pull_GMN @ rest_GND
        push_GND[:, begin + block :] += pull_GMN[:, :, block:].mT @ block_GMD
    return push_GND
