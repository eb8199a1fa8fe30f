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
"""

import torch
from torch import Tensor, nn

from tagger.errors import TaggerError
from tagger.regularisers.base import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers

BF16 = torch.bfloat16
MAX_COSINES = (
    2**23
)  # cosines held at a time (32 MB): a layer with more pairs of filters is done a block of rows at a time
CPU_BLOCK_ROWS = 192  # rows in a block on a processor
LAYER_TYPES = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@regularisers.register("orthoreg")
class OrthoReg(Regulariser):
    """Add gamma times the gradient of the filters' similarity, in every convolution and linear layer of the
    backbone and the head. ``lamda`` of 10 is where ``local`` stops to act at 90 degrees.
    """

    def __init__(
        self, context: RegulariserContext, *, mode: str = "local", gamma: float = 0.001, lamda: float = 10.0
    ):
        super().__init__(context)
        if mode not in ("local", "global"):
            raise TaggerError(f"regularisers.orthoreg.mode = {mode!r}: it is local or global.")
        if gamma < 0 or lamda <= 0:
            raise TaggerError("regularisers.orthoreg: gamma must not be negative, and lamda must be above 0.")
        self.mode = mode
        self.gamma = gamma
        self.lamda = lamda
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
        for weight, num_groups in filter_weights(model):
            if weight.grad is not None:
                rows_GND = weight.reshape(num_groups, len(weight) // num_groups, -1)
                push_GND = similarity_gradient(
                    rows_GND, mode=self.mode, lamda=self.lamda, in_bf16=self.in_bf16
                )
                weight.grad.add_(push_GND.reshape(weight.shape), alpha=self.gamma)


def filter_weights(model: nn.Module) -> list[tuple[nn.Parameter, int]]:
    """(weight, its number of groups) of every layer of ``model.backbone`` and ``model.head`` with two filters
    to tell apart, each weight once. A depthwise layer has one filter for each channel, so that there is
    nothing to compare.
    """
    found: dict[int, tuple[nn.Parameter, int]] = {}
    for part in (model.backbone, model.head):
        for layer in part.modules():  # type: ignore[operator, union-attr]
            if isinstance(layer, LAYER_TYPES):
                weight: nn.Parameter = layer.weight  # type: ignore[assignment]
                num_groups = int(getattr(layer, "groups", 1))
                depthwise = num_groups > 1 and weight.shape[1] == 1
                if len(weight) // num_groups >= 2 and not depthwise:
                    found[id(weight)] = (weight, num_groups)
    return list(found.values())


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
