"""Augment a batch of training images: geometry, colour, erasing.

On the batch, on its device, with parameters of its own for each image, all drawn from the generator that is
given: the same generator state gives the same batch on any machine.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tagger.batches import colour, geometry
from tagger.setting_sections import AugmentSettings


class Augment:
    """``Augment(settings)(images, generator)``: images changed at random, geometry first, then colour, then erasing."""

    def __init__(self, settings: AugmentSettings):
        self.settings = settings

    def __call__(self, images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        """Images of the same shape, float in 0..1 as those given, which stay as they are.

        With everything off the very same tensor comes back.

        >>> off = dict.fromkeys(("hflip", "shift", "shear", "brightness", "contrast", "saturation", "grey"), 0.0)
        >>> images = torch.rand(2, 3, 8, 8)
        >>> Augment(AugmentSettings(scale_min=1.0, **off))(images, torch.Generator()) is images
        True
        """
        assert images_BCHW.is_floating_point(), "augmentation wants float images in 0..1"
        if len(images_BCHW) == 0:
            return images_BCHW
        draw = _RandomDraws(len(images_BCHW), generator, images_BCHW.device)
        given = images_BCHW
        images_BCHW = self._move(images_BCHW, draw)
        images_BCHW = self._randaugment(images_BCHW, draw)
        if images_BCHW is given and self._changes_colour():  # which happens in place
            images_BCHW = images_BCHW.clone()
        images_BCHW = self._colour(images_BCHW, draw)
        return self._erase(images_BCHW, draw)

    def _move(self, images_BCHW: Tensor, draw: "_RandomDraws") -> Tensor:
        s = self.settings
        if not (s.shift or s.shear or s.rotate or s.scale_min < 1):
            return self._flip_only(images_BCHW, draw)
        height, width = images_BCHW.shape[-2:]
        flip_B2 = torch.stack([draw.sign(s.hflip), draw.sign(s.vflip)], dim=-1)
        zoom_B2 = geometry.crop_zooms(draw.uniform(2), scale_min=s.scale_min, aspect=s.aspect)
        if s.scale_min == 1:
            zoom_B2 = torch.ones_like(zoom_B2)
        # The crop's place is a shift in units of the output, which shows only `zoom` of the input.
        crop_offset_B2 = (1.0 - zoom_B2) / 2.0 * draw.spread(1.0, 2)
        shift_B2 = (crop_offset_B2 + draw.spread(s.shift, 2)) / zoom_B2
        theta_B23 = geometry.affine_matrices(
            draw.spread(s.rotate),
            draw.spread(s.shear, 2),
            shift_B2,
            zoom_B2,
            flip_B2,
            height=height,
            width=width,
        )
        return geometry.warp(images_BCHW, theta_B23.to(images_BCHW.dtype))

    def _flip_only(self, images_BCHW: Tensor, draw: "_RandomDraws") -> Tensor:
        for share, side in ((self.settings.hflip, -1), (self.settings.vflip, -2)):
            if share:
                flipped_B111 = draw.sign(share).view(-1, 1, 1, 1) < 0
                images_BCHW = torch.where(flipped_B111, images_BCHW.flip(side), images_BCHW)
        return images_BCHW

    def _changes_colour(self) -> bool:
        s = self.settings
        return any((s.brightness, s.contrast, s.saturation, s.hue, s.grey))

    def _colour(self, images_BCHW: Tensor, draw: "_RandomDraws") -> Tensor:
        s = self.settings
        for strength, change in (
            (s.brightness, colour.brightness_),
            (s.contrast, colour.contrast_),
            (s.saturation, colour.saturation_),
        ):
            if strength:
                factors_B = (1.0 + draw.spread(strength)).clamp(min=0.0)
                change(images_BCHW, factors_B.to(images_BCHW.dtype))
        if s.hue:
            images_BCHW = colour.hue(images_BCHW, draw.spread(s.hue))
        if s.grey:
            colour.grey_(images_BCHW, draw.sign(s.grey) < 0)
        return images_BCHW

    def _randaugment(self, images_BCHW: Tensor, draw: "_RandomDraws") -> Tensor:
        s = self.settings
        if not s.randaugment:
            return images_BCHW
        from torchvision.transforms import v2  # here and below, because predicting starts without it

        return _transform_each(v2.RandAugment(s.randaugment, s.randaugment_magnitude), images_BCHW, draw)

    def _erase(self, images_BCHW: Tensor, draw: "_RandomDraws") -> Tensor:
        if not self.settings.erasing:
            return images_BCHW
        from torchvision.transforms import v2

        return _transform_each(v2.RandomErasing(p=self.settings.erasing), images_BCHW, draw)


class _RandomDraws:
    """Random numbers, one an image, drawn where the generator lives and sent to where the images are."""

    def __init__(self, num: int, generator: torch.Generator, device: torch.device):
        self.num = num
        self.generator = generator
        self.device = device

    def uniform(self, *columns: int) -> Tensor:
        numbers = torch.rand(self.num, *columns, generator=self.generator, device=self.generator.device)
        return numbers.to(self.device)

    def spread(self, most: float, *columns: int) -> Tensor:
        return (2.0 * self.uniform(*columns) - 1.0) * most

    def sign(self, share: float) -> Tensor:
        """-1 for a random ``share`` of the images, 1 for the others."""
        return 1.0 - 2.0 * (self.uniform() < share).float()

    def seeds(self) -> list[int]:
        numbers = torch.randint(2**62, (self.num,), generator=self.generator, device=self.generator.device)
        return numbers.tolist()


def _transform_each(transform: Callable[[Tensor], Tensor], images_BCHW: Tensor, draw: _RandomDraws) -> Tensor:
    """Each image through a torchvision transform, which draws from torch's global generator: lent, then put back."""
    changed = []
    with torch.random.fork_rng(devices=[]):  # torchvision draws on the CPU, wherever the image is
        for image_CHW, seed in zip(images_BCHW, draw.seeds(), strict=True):
            torch.default_generator.manual_seed(seed)
            changed.append(transform(image_CHW))
    return torch.stack(changed)
