"""DropBlock (Ghiasi et al. 2018, arXiv 1810.12890): drop random blocks of a feature map.

timm's ``drop_block_2d``, on the last maps of any backbone. It draws seeds at the border too, which its rate
does not reckon with, so small maps lose more than ``drop_prob``: of a map of 6 x 6 (192 pixels) blocks of 3
take 17 % at 0.1, timm's default of 7 takes 85 %, hence another default here. Two relatives need no part of
their own: DropPath is ``backbone.drop_path_rate=0.1``, which timm builds into the network, and
RandomErasing (Cutout) is ``augment.erasing``.

The paper's rate is not constant: it "gradually" falls from keeping everything to the chosen share, linearly over the
training, as AttentionDrop's does after it ("Following [10], we gradually increase alpha"). That is
``schedule="linear"``.
"""

from timm.layers import drop_block_2d
from torch import Tensor

from tagger.errors import TaggerError
from tagger.regularisers.base import Regulariser, RegulariserContext, StepContext, regularisers


@regularisers.register("dropblock")
class DropBlock(Regulariser):
    """Drop blocks of ``block_size`` places so that about ``drop_prob`` of a large map is gone (0 is off).

    The other options are timm's: ``gamma_scale`` multiplies the rate, ``with_noise`` fills with noise
    instead of 0, ``couple_channels`` drops the same places in all channels, ``scale_by_keep`` scales up
    what is left. ``layers``: on how many maps, from the last backwards. ``schedule``: ``constant``, or ``linear``,
    from 0 to ``drop_prob`` over the training.
    """

    def __init__(
        self,
        context: RegulariserContext,
        *,
        drop_prob: float = 0.1,
        block_size: int = 3,
        gamma_scale: float = 1.0,
        with_noise: bool = False,
        couple_channels: bool = True,
        scale_by_keep: bool = True,
        layers: int = 1,
        schedule: str = "constant",
    ):
        super().__init__(context)
        if not (0 <= drop_prob < 1 and block_size >= 1 and gamma_scale >= 0 and layers >= 1):
            raise TaggerError(
                "regularisers.dropblock: drop_prob is at least 0 and less than 1, block_size and layers at least 1,"
                f" gamma_scale at least 0; it has drop_prob = {drop_prob:g}, block_size = {block_size},"
                f" gamma_scale = {gamma_scale:g}, layers = {layers}."
            )
        if drop_prob * gamma_scale > 1:
            raise TaggerError(
                f"regularisers.dropblock: drop_prob {drop_prob:g} x gamma_scale {gamma_scale:g} is more than 1."
            )
        if schedule not in ("constant", "linear"):
            raise TaggerError(f"regularisers.dropblock.schedule = {schedule!r}: it is constant or linear.")
        self.schedule = schedule
        self.drop_prob = drop_prob
        self.block_size = block_size
        self.gamma_scale = gamma_scale
        self.with_noise = with_noise
        self.couple_channels = couple_channels
        self.scale_by_keep = scale_by_keep
        self.num_maps = layers

    def on_feature_map(
        self, map_BCHW: Tensor, classifier_weights_KC: Tensor | None, step: StepContext
    ) -> Tensor:
        """The map without its dropped blocks."""
        drop_prob = self.drop_prob * (float(step.progress) if self.schedule == "linear" else 1.0)
        if not self.training or not drop_prob:
            return map_BCHW
        return drop_block_2d(
            map_BCHW,
            drop_prob,
            self.block_size,
            self.gamma_scale,
            self.with_noise,
            couple_channels=self.couple_channels,
            scale_by_keep=self.scale_by_keep,
        )
