"""What colour pixels get: brightness, contrast, saturation, hue and grey, one factor an image.

Each gives what torchvision's ``adjust_*`` gives for that image and factor (images 0..1, results kept in 0..1), for a
whole batch at once.
"""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv


def luminance(images_BCHW: Tensor) -> Tensor:
    """grey_B1HW of RGB images, ITU-R 601-2 weights (rounded as in torchvision).

    >>> round(luminance(torch.ones(1, 3, 1, 1)).item(), 4)
    0.9999
    """
    red, green, blue = images_BCHW.unbind(1)
    return (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114).unsqueeze(1)


def brightness(images_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    """Images times their factor: 0 is black, 1 changes nothing.

    >>> brightness(torch.full((1, 3, 1, 1), 0.5), torch.tensor([1.5])).unique().tolist()
    [0.75]
    """
    return (images_BCHW * factors_B.view(-1, 1, 1, 1)).clamp_(0.0, 1.0)


def contrast(images_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    """Images pulled towards their mean grey (factor 0) or away from it (above 1).

    >>> contrast(torch.ones(1, 3, 1, 1), torch.tensor([1.0])).unique().tolist()
    [1.0]
    """
    return _blend(images_BCHW, luminance(images_BCHW).mean(dim=(1, 2, 3), keepdim=True), factors_B)


def saturation(images_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    """Images pulled towards grey (factor 0) or away from it (above 1).

    >>> saturation(torch.ones(1, 3, 1, 1), torch.tensor([1.0])).unique().tolist()
    [1.0]
    """
    return _blend(images_BCHW, luminance(images_BCHW), factors_B)


def hue(images_BCHW: Tensor, turns_B: Tensor) -> Tensor:
    """Images with their colours turned by -0.5..0.5 of the colour circle; 0 changes nothing.

    One image after another through torchvision, which takes one turn a call: slow, and off by default.
    """
    turned = [tv.adjust_hue(image, turn) for image, turn in zip(images_BCHW, turns_B.tolist(), strict=True)]
    return torch.stack(turned) if turned else images_BCHW


def grey(images_BCHW: Tensor, chosen_B: Tensor) -> Tensor:
    """The chosen images (bool) in grey, the others untouched.

    >>> grey(torch.ones(2, 3, 1, 1), torch.tensor([False, True]))[0].unique().tolist()
    [1.0]
    """
    result_BCHW = images_BCHW.clone()
    result_BCHW[chosen_B] = luminance(images_BCHW[chosen_B]).expand(-1, 3, -1, -1)
    return result_BCHW


def _blend(images_BCHW: Tensor, others: Tensor, factors_B: Tensor) -> Tensor:
    factors = factors_B.view(-1, 1, 1, 1)
    return (images_BCHW * factors).add_((1.0 - factors) * others).clamp_(0.0, 1.0)
