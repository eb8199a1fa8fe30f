"""Saliency (Simonyan et al. 2014): how much each pixel would change the score.

Simonyan et al. 2014, arXiv 1312.6034, section 3.1: ``|d score / d pixel|``, the largest over the colour
channels. It says how sensitive the score is, for or against, and works with every network.
"""

from typing import Any

import torch
from torch import Tensor

from tagger.explain.base import explanations


@explanations.register("saliency")
def saliency(model: Any, images_BCHW: Tensor, label: int) -> Tensor:
    """Maps (B, H, W), at least 0, one value a pixel: the change of the score with the pixel's strongest colour.

    ``model`` is a ``TagModel`` in evaluation mode; pixels are in 0..1, the score is the one before any
    softmax of a group.
    """
    with torch.enable_grad():
        leaf_BCHW = images_BCHW.detach().requires_grad_()
        scores_BK = model.raw_scores(leaf_BCHW)
        (gradient_BCHW,) = torch.autograd.grad(scores_BK[:, label].sum(), leaf_BCHW)
    return gradient_BCHW.float().abs().amax(1)
