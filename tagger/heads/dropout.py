"""Fast dropout on a CPU: several mask values from each random integer."""

import torch
from torch import Tensor, nn

RESOLUTION = 2**16  # a share is rounded to a 65,536th


class FastDropout(nn.Dropout):
    """As ``nn.Dropout``: in training each value is 0 with probability ``p``, else divided by 1 - ``p``.

    On a processor torch draws a float64 for each value; here an integer of 64 bits is enough for four
    values, and where half of them are dropped for 64. They come from ``generator``, or from torch's own
    where that is None: a training in a thread of its own needs its own.
    """

    generator: torch.Generator | None = None

    def forward(self, values: Tensor) -> Tensor:
        """Values of the same shape."""
        if not self.training or not self.p or values.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(values)
        dropped = round(self.p * RESOLUTION)
        if dropped >= RESOLUTION:
            return super().forward(values)
        if 2 * dropped == RESOLUTION:
            factors = half_dropout_factors(values.shape, self.generator).to(values.dtype)
        else:  # as bytes, since torch turns truth values into numbers four times as slowly
            ones = keep_mask(values.shape, dropped, self.generator).view(torch.uint8)
            factors = ones.to(values.dtype).mul_(RESOLUTION / (RESOLUTION - dropped))
        return values * factors if values.requires_grad else factors.mul_(values)


def keep_mask(shape: torch.Size, dropped: int, generator: torch.Generator | None = None) -> Tensor:
    """True at random places of this shape, but for ``dropped`` of 65,536 (fewer than all).

    >>> keep_mask(torch.Size([3, 5]), 0).all().item()
    True
    """
    num = shape.numel()
    return _random_bits(16 * num, generator).view(torch.int16)[:num].view(shape) >= dropped - RESOLUTION // 2


def half_dropout_factors(shape: torch.Size, generator: torch.Generator | None = None) -> Tensor:
    """2 (float32) at random places of this shape, each with probability 1/2, and 0 at the others: a bit for
    each.

    >>> sorted(set(half_dropout_factors(torch.Size([9, 9]), torch.Generator().manual_seed(0)).flatten().tolist()))
    [0.0, 2.0]
    """
    num = shape.numel()
    eights = _random_bits(num, generator).view(torch.uint8).int()
    return _BYTE_FACTORS.index_select(0, eights).view(-1)[:num].view(shape)


def _random_bits(num: int, generator: torch.Generator | None) -> Tensor:
    return torch.empty(-(-num // 64), dtype=torch.int64).random_(-(2**63), None, generator=generator)


_BYTE_FACTORS = 2.0 * (torch.arange(256)[:, None] >> torch.arange(8) & 1).float()
