"""CamDrop: drop the places of a feature map that the class activation map points at.

Wang et al., "CamDrop: A New Explanation of Dropout and A Guided Regularization Method for Deep Neural
Networks" (CIKM 2019), steps 0 to 4. Readings of ours: the slides print the mask with both polarities, here
a seed is a candidate both by place and by channel that is drawn with probability 1 - gamma; "L1 distance =
r" means the whole block of length r, cut off at the border, not its rim; the factor numel / sum(mask) is
each image's own (the slides sum over C, H, W), so that an image without a positive label passes as it is.
With several positive labels the class weights, and with them the activation map, are their mean. How many
places are candidates the slides leave open: a quarter here.

The slides' control, "avg guided" (CIFAR-10 error 5.07 % against 4.19 %), is ``guide="average"``: no classifier and no
label. The map of places is the mean over the channels, and the dominant channels are those with the highest mean
(the slides show no formula). It acts on images without a label too.

A trap of the method itself: the true label guides the mask, so which channels are missing tells the label.
On faces with exactly one label each the training loss fell far below that without it, and nothing was
gained (docs/ablation.md).
"""

import torch
from torch import Tensor
from torch.nn import functional

from tagger.errors import TaggerError
from tagger.regularisers.base import Regulariser, RegulariserContext, StepContext, regularisers


@regularisers.register("camdrop")
class CamDrop(Regulariser):
    """Drop blocks of ``block_size`` round places and channels that speak most for the image's labels.

    ``gamma`` is the share of candidates that is retained (1 is off); candidates are the share ``positions``
    of places with the highest activation, in the share ``channels`` of channels with the highest weight
    (1/8 was published as the best: CIFAR-10 error 4.19 %, against 4.51 with all). ``layers``: on how many
    maps, from the last backwards. ``guide``: ``cam``, or ``average``, the control that no label guides.
    """

    needs_classifier_weights = True

    def __init__(
        self,
        context: RegulariserContext,
        *,
        gamma: float = 0.9,
        block_size: int = 3,
        positions: float = 0.25,
        channels: float = 0.125,
        layers: int = 1,
        guide: str = "cam",
    ):
        super().__init__(context)
        shares = {"gamma": gamma, "positions": positions, "channels": channels}
        wrong = [
            f"{name} = {value:g} is not between 0 and 1"
            for name, value in shares.items()
            if not 0 <= value <= 1
        ]
        counts = {"block_size": block_size, "layers": layers}
        wrong += [f"{name} = {value} is less than 1" for name, value in counts.items() if value < 1]
        if wrong:
            raise TaggerError(f"regularisers.camdrop: {'; '.join(wrong)}.")
        if guide not in ("cam", "average"):
            raise TaggerError(f"regularisers.camdrop.guide = {guide!r}: it is cam or average.")
        self.needs_classifier_weights = guide == "cam"
        self.gamma = gamma
        self.block_size = block_size
        self.positions = positions
        self.channels = channels
        self.num_maps = layers

    def on_feature_map(
        self, map_BCHW: Tensor, classifier_weights_KC: Tensor | None, step: StepContext
    ) -> Tensor:
        """The map with its seeds' blocks at 0 and the rest scaled up."""
        if not self.training or self.gamma == 1:
            return map_BCHW
        with torch.no_grad():
            if self.needs_classifier_weights:
                assert classifier_weights_KC is not None, "the classifier's weights guide this method"
                weights_BC, guided_B = mean_classifier_weights(step.targets_BK, classifier_weights_KC)
                map_BHW = class_activation_map(map_BCHW, weights_BC)
            else:
                weights_BC, map_BHW = map_BCHW.float().mean((2, 3)), map_BCHW.float().mean(1)
                guided_B = torch.ones(len(map_BCHW), dtype=torch.bool, device=map_BCHW.device)
            scaled_BCHW = camdrop_mask(
                map_BHW,
                weights_BC,
                guided_B,
                gamma=self.gamma,
                block_size=self.block_size,
                positions=self.positions,
                channels=self.channels,
            )
        return map_BCHW * scaled_BCHW.to(map_BCHW.dtype)


def mean_classifier_weights(targets_BK: Tensor, classifier_weights_KC: Tensor) -> tuple[Tensor, Tensor]:
    """weights_BC, the mean of the class weights of each image's positive labels, and has_label_B, whether it
    has any.

    Positive is a target of at least one half: mixed images go by the labels of the stronger one, unknown
    cells count for nothing. Without a positive label the weights are 0.

    >>> weights_KC = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    >>> mean_classifier_weights(torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.0]]), weights_KC)[0].tolist()
    [[2.0, 4.0], [1.0, 2.0], [0.0, 0.0]]
    """
    positive_BK = (targets_BK >= 0.5).to(classifier_weights_KC.dtype)
    num_B1 = positive_BK.sum(1, keepdim=True)
    with torch.autocast(targets_BK.device.type, enabled=False):
        return positive_BK @ classifier_weights_KC / num_B1.clamp(min=1), num_B1[:, 0] > 0


def class_activation_map(map_BCHW: Tensor, weights_BC: Tensor) -> Tensor:
    """The class activation map J_BHW = sum over channels of weight times map (step 0), float32.

    >>> class_activation_map(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]]), torch.tensor([[1.0, 10.0]])).tolist()
    [[[31.0, 2.0]]]
    """
    with torch.autocast(map_BCHW.device.type, enabled=False):
        return torch.einsum("bchw,bc->bhw", map_BCHW.float(), weights_BC.float())


def camdrop_mask(
    cam_BHW: Tensor,
    weights_BC: Tensor,
    has_label_B: Tensor,
    *,
    gamma: float,
    block_size: int,
    positions: float,
    channels: float,
) -> Tensor:
    """The factors (B, C, h, w) of a map: 0 in the block of each seed, numel / sum(mask) elsewhere (steps 1 to
    4).

    Exactly floor(share * number), but at least one, of the places and of the channels are candidates. An
    image without a label gets ones; one of which nothing is left gets zeros. Draws from torch's global
    generator.

    >>> cam_BHW, weights_BC = torch.tensor([[[1.0, 2.0, 9.0, 3.0]]]), torch.tensor([[0.5, 0.1]])
    >>> options = {"gamma": 0.0, "block_size": 1, "positions": 0.25, "channels": 0.5}
    >>> camdrop_mask(cam_BHW, weights_BC, torch.tensor([True]), **options).mul(7).tolist()
    [[[[8.0, 8.0, 0.0, 8.0]], [[8.0, 8.0, 8.0, 8.0]]]]
    """
    (num_images, height, width), num_channels = cam_BHW.shape, weights_BC.shape[1]
    best_BP = cam_BHW.flatten(1).topk(_num_candidates(positions, height * width), dim=1).indices
    best_BD = weights_BC.topk(_num_candidates(channels, num_channels), dim=1).indices
    candidate_B1HW = (
        torch.zeros_like(cam_BHW).flatten(1).scatter(1, best_BP, 1.0).view(num_images, 1, height, width)
    )
    drawn_BDHW = torch.rand(*best_BD.shape, height, width, device=cam_BHW.device) < 1 - gamma
    seed_BDHW = candidate_B1HW * drawn_BDHW * has_label_B[:, None, None, None]
    dropped_BDHW = dilate_seeds(seed_BDHW, block_size)
    mask_BCHW = dropped_BDHW.new_ones(num_images, num_channels, height, width)
    mask_BCHW = mask_BCHW.scatter(1, best_BD[:, :, None, None].expand_as(dropped_BDHW), 1 - dropped_BDHW)
    numel = num_channels * height * width
    return mask_BCHW * (numel / mask_BCHW.sum((1, 2, 3), keepdim=True).clamp(min=1))


def dilate_seeds(seed_BCHW: Tensor, length: int) -> Tensor:
    """1 in the square of ``length`` places round each seed (1), cut off at the border; 0 elsewhere.

    An even block reaches one place further up and left, as timm's DropBlock has it.

    >>> dilate_seeds(torch.tensor([[[[0.0, 0.0, 1.0, 0.0, 0.0]]]]), 3).tolist()
    [[[[0.0, 1.0, 1.0, 1.0, 0.0]]]]
    """
    if length == 1:
        return seed_BCHW
    spread = functional.max_pool2d(seed_BCHW, length, stride=1, padding=length // 2)
    return spread[..., 1:, 1:] if length % 2 == 0 else spread


def _num_candidates(share: float, number: int) -> int:
    return max(1, int(share * number + 1e-9))
