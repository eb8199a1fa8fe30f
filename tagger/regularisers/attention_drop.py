"""AttentionDrop: weaken the strongest activations of each channel of a feature map.

"AttenDrop for Convolutional Neural Networks" (anonymous ICME submission), eq. 4 to 9 and algorithm 1.
Readings of ours: the source prints F * M / sum(M), which would shrink activations by a factor of h * w;
DropBlock's factor numel(M) / sum(M) is meant, over the whole batch of maps as there. Equation 4 keeps what
equals the percentile while algorithm 1 drops it; equation 4 is followed, so that the many equal zeros
behind a ReLU never count as strong. The mask is a constant: no gradient passes through it.
"""

import torch
from torch import Tensor

from tagger.errors import TaggerError, did_you_mean
from tagger.regularisers.base import Regulariser, RegulariserContext, StepContext, regularisers

MODES = ("adaptive", "soft", "attention")


@regularisers.register("attention-drop")
class AttentionDrop(Regulariser):
    """Weaken strong activations, each with a probability that grows from 0 to ``alpha`` over the training (0
    is off).

    ``mode``: ``adaptive`` sets the top ``beta`` percent of each channel's map to 0; ``soft`` takes every
    place times 1 - its activation between the map's lowest (0) and highest (1); ``attention`` does so in
    the top ``beta`` percent only, which was published as the best (ResNet-18 on CIFAR-100: 77.54 -> 78.47
    %). ``layers``: on how many maps, from the last backwards.
    """

    def __init__(
        self,
        context: RegulariserContext,
        *,
        mode: str = "attention",
        beta: float = 20.0,
        alpha: float = 0.1,
        layers: int = 1,
    ):
        super().__init__(context)
        if mode not in MODES:
            hint = did_you_mean(mode, MODES) or f" It is one of {', '.join(MODES)}."
            raise TaggerError(f"regularisers.attention-drop.mode = {mode!r}: no such mode.{hint}")
        if not (0 <= beta <= 100 and 0 <= alpha <= 1 and layers >= 1):
            raise TaggerError(
                "regularisers.attention-drop: beta is between 0 and 100, alpha between 0 and 1, layers is at least 1;"
                f" it has beta = {beta:g}, alpha = {alpha:g}, layers = {layers}."
            )
        self.mode = mode
        self.beta = beta
        self.alpha = alpha
        self.num_maps = layers

    def on_feature_map(
        self, map_BCHW: Tensor, classifier_weights_KC: Tensor | None, step: StepContext
    ) -> Tensor:
        """The map times its mask, scaled up by what the mask takes away."""
        if not self.training or not self.alpha:
            return map_BCHW
        with torch.no_grad():
            strength_BCHW = retained_share(map_BCHW.float(), mode=self.mode, beta=self.beta)
            drawn_BCHW = torch.rand_like(strength_BCHW) < self.alpha * step.progress
            mask_BCHW = torch.where(drawn_BCHW, strength_BCHW, 1.0)
            mask_BCHW = mask_BCHW * (mask_BCHW.numel() / mask_BCHW.sum())
        return map_BCHW * mask_BCHW.to(map_BCHW.dtype)


def retained_share(map_BCHW: Tensor, *, mode: str, beta: float) -> Tensor:
    """S (B, C, h, w) in 0..1: what is left of each place where it is drawn (eq. 4, 6 and 7, algorithm 1).

    >>> map_BCHW = torch.tensor([[[[0.0, 1.0, 2.0, 3.0, 4.0]]]])
    >>> retained_share(map_BCHW, mode="adaptive", beta=40).flatten().tolist()
    [1.0, 1.0, 1.0, 0.0, 0.0]
    >>> retained_share(map_BCHW, mode="soft", beta=40).flatten().tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> retained_share(map_BCHW, mode="attention", beta=40).flatten().tolist()
    [1.0, 1.0, 1.0, 0.25, 0.0]
    """
    if mode == "adaptive":
        return (~top_percent_mask(map_BCHW, beta)).to(map_BCHW.dtype)
    soft_BCHW = 1 - minmax_scale(map_BCHW)
    return soft_BCHW if mode == "soft" else torch.where(top_percent_mask(map_BCHW, beta), soft_BCHW, 1.0)


def minmax_scale(map_BCHW: Tensor) -> Tensor:
    """Each channel's map between its lowest value (0) and its highest (1); a constant map is 0.

    >>> minmax_scale(torch.tensor([[[[2.0, 4.0, 6.0]], [[5.0, 5.0, 5.0]]]])).tolist()
    [[[[0.0, 0.5, 1.0]], [[0.0, 0.0, 0.0]]]]
    """
    low = map_BCHW.amin((2, 3), keepdim=True)
    high = map_BCHW.amax((2, 3), keepdim=True)
    return (map_BCHW - low) / torch.where(high > low, high - low, 1.0)


def top_percent_mask(map_BCHW: Tensor, beta: float) -> Tensor:
    """Where each channel's map is in its top ``beta`` percent (bool).

    These are floor(beta / 100 * h * w) places, but at least one where there are two, and never all. Fewer
    where values tie: what equals the next value below does not count.

    >>> top_percent_mask(torch.tensor([[[[0.0, 3.0, 1.0]], [[0.0, 0.0, 7.0]], [[5.0, 5.0, 5.0]]]]), 67).int().tolist()
    [[[[0, 1, 1]], [[0, 0, 1]], [[0, 0, 0]]]]
    """
    flat_BCP = map_BCHW.flatten(2)
    size = flat_BCP.shape[2]
    num = min(max(int(beta * size / 100 + 1e-9), 1), size - 1) if beta else 0
    threshold_BC1 = flat_BCP.topk(num + 1, dim=2).values[:, :, -1:]
    return map_BCHW > threshold_BC1[..., None]
