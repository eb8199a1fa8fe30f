"""Colour augmentation: brightness, contrast, saturation, hue and grey, one factor for each image.

Each gives what torchvision's ``adjust_*`` gives for that image and factor (images 0..1, results kept in
0..1), for a whole batch at once. A name with an underscore at its end changes the images that it is given:
a new tensor for each change cost three times as much, most of it for fresh memory.
"""

import torch
from torch import Tensor


def luminance(images_BCHW: Tensor) -> Tensor:
    """grey_B1HW of RGB images, ITU-R 601-2 weights (rounded as in torchvision).

    >>> round(luminance(torch.ones(1, 3, 1, 1)).item(), 4)
    0.9999
    """
    red, green, blue = images_BCHW.unbind(1)
    return (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114).unsqueeze(1)


def brightness_(images_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    """The images times their factor: 0 is black, 1 changes nothing.

    >>> brightness_(torch.full((1, 3, 1, 1), 0.5), torch.tensor([1.5])).unique().tolist()
    [0.75]
    """
    return images_BCHW.mul_(factors_B.view(-1, 1, 1, 1)).clamp_(0.0, 1.0)


def contrast_(images_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    """The images pulled towards their mean grey (factor 0) or away from it (above 1).

    >>> contrast_(torch.ones(1, 3, 1, 1), torch.tensor([1.0])).unique().tolist()
    [1.0]
    """
    return _blend_(images_BCHW, luminance(images_BCHW).mean(dim=(1, 2, 3), keepdim=True), factors_B)


def saturation_(images_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    """The images pulled towards grey (factor 0) or away from it (above 1).

    >>> saturation_(torch.ones(1, 3, 1, 1), torch.tensor([1.0])).unique().tolist()
    [1.0]
    """
    return _blend_(images_BCHW, luminance(images_BCHW), factors_B)


def hue(images_BCHW: Tensor, turns_B: Tensor) -> Tensor:
    """Images with their colours turned by -0.5..0.5 of the colour circle; 0 changes nothing.

    One image after another through torchvision, which takes one turn a call: slow, and off by default.
    """
    from torchvision.transforms.v2 import functional as tv  # here, because predicting starts without it

    turned = [tv.adjust_hue(image, turn) for image, turn in zip(images_BCHW, turns_B.tolist(), strict=True)]
    return torch.stack(turned) if turned else images_BCHW


def grey_(images_BCHW: Tensor, chosen_B: Tensor) -> Tensor:
    """The images, those chosen (bool) in grey.

    >>> grey_(torch.ones(2, 3, 1, 1), torch.tensor([False, True]))[0].unique().tolist()
    [1.0]
    """
    images_BCHW[chosen_B] = luminance(images_BCHW[chosen_B]).expand(-1, 3, -1, -1)
    return images_BCHW


def _blend_(images_BCHW: Tensor, others: Tensor, factors_B: Tensor) -> Tensor:
    factors = factors_B.view(-1, 1, 1, 1)
    return images_BCHW.mul_(factors).add_((1.0 - factors) * others).clamp_(0.0, 1.0)
