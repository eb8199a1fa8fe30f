"""Progressive growing: small images first, the full size by the last third of the epochs.

From the multi-label project report (METHODS.md section 9), where training at half the size was a good trade between
time and accuracy; growing it (Tan and Le 2021, arXiv 2104.00298, section 4) keeps the accuracy of the full size, since
the last epochs see it.
"""

from torch import Tensor
from torch.nn import functional as F

from tagger.sections import ImageSettings

MULTIPLE = 32  # what convolutional backbones halve five times


def size_at(epoch: int, epochs: int, settings: ImageSettings) -> int:
    """The side of the images in an epoch (from 0): from ``grow_from`` in even steps to ``size``, in multiples of 32.

    >>> [size_at(epoch, 6, ImageSettings(size=192, grow_from=96)) for epoch in range(6)]
    [96, 128, 128, 160, 192, 192]
    """
    if not settings.grow_from or settings.grow_from >= settings.size:
        return settings.size
    growing = max(1, epochs - -(-epochs // 3))  # epochs before the last third
    if epoch >= growing:
        return settings.size
    side = settings.grow_from + (settings.size - settings.grow_from) * epoch / growing
    return max(settings.grow_from, min(settings.size, round(side / MULTIPLE) * MULTIPLE))


def grown(images_BCHW: Tensor, size: int) -> Tensor:
    """The images at ``size`` x ``size`` pixels, averaged over areas; those that have it already come back as they are.

    >>> import torch
    >>> grown(torch.ones(1, 3, 8, 8), 4).shape
    torch.Size([1, 3, 4, 4])
    """
    if images_BCHW.shape[-1] == size:
        return images_BCHW
    return F.interpolate(images_BCHW, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
