"""Progressive resizing: small images first, the full size by the last third of the epochs.

From the multi-label project report (METHODS.md section 9), where training at half the size was a good trade
between time and accuracy; growing it (Tan and Le 2021, arXiv 2104.00298, section 4) keeps the accuracy of
the full size, since the last epochs see it.
"""

from torch import Tensor
from torch.nn import functional as F

from tagger.setting_sections import ImageSettings

SIZE_MULTIPLE = 32  # what convolutional backbones halve five times


def progressive_size(epoch: int, epochs: int, settings: ImageSettings) -> int:
    """The side of the images in an epoch (from 0): from ``progressive_start`` in even steps to ``size``, in
    multiples of 32.

    >>> [progressive_size(epoch, 6, ImageSettings(size=192, progressive_start=96)) for epoch in range(6)]
    [96, 128, 128, 160, 192, 192]
    """
    if not settings.progressive_start or settings.progressive_start >= settings.size:
        return settings.size
    growing = max(1, epochs - -(-epochs // 3))  # epochs before the last third
    if epoch >= growing:
        return settings.size
    side = settings.progressive_start + (settings.size - settings.progressive_start) * epoch / growing
    return max(settings.progressive_start, min(settings.size, round(side / SIZE_MULTIPLE) * SIZE_MULTIPLE))


def resize_images(images_BCHW: Tensor, size: int) -> Tensor:
    """The images at ``size`` x ``size`` pixels, averaged over areas; those that have it already come back as
    they are.

    >>> import torch
    >>> resize_images(torch.ones(1, 3, 8, 8), 4).shape
    torch.Size([1, 3, 4, 4])
    """
    if images_BCHW.shape[-1] == size:
        return images_BCHW
    return F.interpolate(images_BCHW, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
