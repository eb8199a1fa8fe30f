"""The registry of explanation methods, and how their maps are scaled and summed.

An explanation is called as ``explanation(model, images_BCHW, label, **options)`` and gives evidence for one
label as maps (B, h, w), on whatever grid it can tell apart: positive where the model found the label, in
any unit.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.arrays import Floats
from tagger.registry import Registry

explanations = Registry("explanation")


def explain(
    model: nn.Module, image_BCHW: Tensor, label: int, *, method: str = "grad_cam", **options: object
) -> Floats:
    """A map (h, w) in 0..1 of where the model saw this label: 1 at the strongest place, 0 where nothing speaks
    for it.

    ``image_BCHW`` is one image (B = 1), RGB in 0..1, on the model's device; ``label`` a column of the
    logits. The map covers the whole input; it is as fine as the network's own maps, or as the input
    (saliency). TaggerError: no such method, or a network that does not allow it.
    """
    return normalise(evidence_for(model, image_BCHW, label, method=method, **options))[0].cpu().numpy()


def evidence_for(
    model: nn.Module, image_BCHW: Tensor, label: int, *, method: str = "grad_cam", **options: object
) -> Tensor:
    """The evidence (1, h, w) of ``explain`` before it is scaled, in the method's own unit."""
    assert len(image_BCHW) == 1, "one image at a time"
    explanations.check(method, options)
    evidence_BHW: Tensor = explanations.find(method)(model, image_BCHW, label, **options)
    return evidence_BHW


def normalise(evidence_BHW: Tensor) -> Tensor:
    """Each map without its negative part and divided by its largest value; all 0 where nothing is positive.

    >>> normalise(torch.tensor([[[-1.0, 2.0, 4.0]], [[-1.0, -2.0, 0.0]]])).tolist()
    [[[0.0, 0.5, 1.0]], [[0.0, 0.0, 0.0]]]
    """
    positive_BHW = evidence_BHW.detach().float().clamp(min=0)
    top_B11 = positive_BHW.amax((1, 2), keepdim=True)
    return positive_BHW / torch.where(top_B11 > 0, top_B11, 1.0)


def sum_maps(parts_BHW: Sequence[Tensor]) -> Tensor:
    """The sum (B, h, w) of maps on several grids, on the finest of them.

    >>> sum_maps([torch.ones(1, 1, 1), torch.tensor([[[0.0, 2.0], [4.0, 6.0]]])]).tolist()
    [[[1.0, 3.0], [5.0, 7.0]]]
    """
    size = max((tuple(part.shape[-2:]) for part in parts_BHW), key=lambda hw: hw[0] * hw[1])
    return torch.stack([_enlarge(part, size) for part in parts_BHW]).sum(0)


def _enlarge(map_BHW: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(map_BHW.shape[-2:]) == size:
        return map_BHW
    return functional.interpolate(map_BHW[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
