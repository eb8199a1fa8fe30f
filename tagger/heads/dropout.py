"""Dropout whose random numbers cost a quarter: on cached features they took more time than all else of a step."""

import torch
from torch import Tensor, nn

LEVELS = 2**16  # a share is rounded to a 65,536th


class QuickDropout(nn.Dropout):
    """As ``nn.Dropout``: in training each value is 0 with probability ``p``, else divided by 1 - ``p``.

    On a processor torch draws a float64 for each value; here an integer of 64 bits is enough for four.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Values of the same shape."""
        if not self.training or not self.p or values.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(values)
        dropped = round(self.p * LEVELS)
        if dropped >= LEVELS:
            return super().forward(values)
        return values * kept(values.shape, dropped).to(values.dtype).mul_(LEVELS / (LEVELS - dropped))


def kept(shape: torch.Size, dropped: int) -> Tensor:
    """True at random places of this shape, but for ``dropped`` of 65,536 (fewer than all); of torch's own generator.

    >>> kept(torch.Size([3, 5]), 0).all().item()
    True
    """
    num = shape.numel()
    numbers = torch.empty(-(-num // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:num]
    return numbers.view(shape) >= dropped - LEVELS // 2
