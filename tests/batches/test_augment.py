"""Augmentation equals torchvision's for the same factors, costs nothing when off, and repeats from its generator."""

import pytest
import torch
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as tv

from tagger.batches import colour
from tagger.batches.augment import Augment
from tagger.batches.geometry import affine_matrices, crop_zooms, warp
from tagger.config import check_settings
from tagger.errors import TaggerError
from tagger.setting_sections import AugmentSettings

OFF = AugmentSettings(
    hflip=0.0, shift=0.0, scale_min=1.0, shear=0.0, brightness=0.0, contrast=0.0, saturation=0.0, grey=0.0
)
EACH = {
    "hflip": 0.5, "vflip": 0.5, "shift": 0.1, "scale_min": 0.5, "shear": 10.0, "rotate": 20.0, "brightness": 0.3,
    "contrast": 0.3, "saturation": 0.3, "hue": 0.1, "grey": 0.5, "randaugment": 2, "erasing": 0.9,
}  # fmt: skip
each_change = pytest.mark.parametrize(("name", "value"), EACH.items())


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(num=8, height=12, width=16):
    return torch.rand(num, 3, height, width, generator=seeded(9))


def smooth(num=4, height=48, width=64):
    """Slow waves, in which interpolation errors are small."""
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 4, width), indexing="ij")
    waves = [torch.sin(a * x + b * y + a) for a, b in ((1, 0.5), (0.3, 1), (1.2, -0.7))]
    return (0.5 + 0.4 * torch.stack(waves)).expand(num, 3, height, width)


def matrices(num, height, width, **changes):
    parts = {"angle": torch.zeros(num), "shear": torch.zeros(num, 2), "shift": torch.zeros(num, 2)}
    parts |= {"zoom": torch.ones(num, 2), "flip": torch.ones(num, 2)} | changes
    return affine_matrices(*parts.values(), height=height, width=width)


# --- the whole
# --------------------------------------------------------------------------------------------------------


def test_with_everything_off_the_very_same_tensor_comes_back():
    images_BCHW = noise()
    generator = seeded()
    before = generator.get_state()
    assert Augment(OFF)(images_BCHW, generator) is images_BCHW
    assert torch.equal(generator.get_state(), before)


@each_change
def test_each_change_alone_changes_something_keeps_shape_range_and_its_input(name, value):
    images_BCHW = noise()
    copy = images_BCHW.clone()
    result = Augment(OFF.model_copy(update={name: value}))(images_BCHW, seeded())
    assert torch.equal(images_BCHW, copy)
    assert result.shape == images_BCHW.shape
    assert result.dtype == images_BCHW.dtype
    assert result.min() >= 0
    assert result.max() <= 1
    assert not torch.equal(result, images_BCHW)


@each_change
def test_the_same_generator_state_gives_the_same_batch_and_the_global_state_is_left_alone(name, value):
    augment, images_BCHW = Augment(OFF.model_copy(update={name: value})), noise()
    before = torch.get_rng_state()
    first = augment(images_BCHW, seeded(3))
    torch.manual_seed(77)
    assert torch.equal(first, augment(images_BCHW, seeded(3)))
    assert not torch.equal(first, augment(images_BCHW, seeded(4)))
    torch.set_rng_state(before)
    augment(images_BCHW, seeded(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_images_of_one_batch_are_changed_differently():
    result = Augment(AugmentSettings())(noise(1).expand(6, -1, -1, -1), seeded())
    assert len({tuple(image.flatten().tolist()) for image in result}) == 6


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 8, 8), (2, 3, 1, 1), (2, 3, 5, 9)])
def test_any_batch_goes_through_with_everything_on(shape):
    settings = AugmentSettings(vflip=0.5, rotate=10.0, hue=0.1, randaugment=2, erasing=0.5)
    assert Augment(settings)(torch.rand(shape, generator=seeded()), seeded()).shape == shape


def test_every_setting_has_a_default_and_is_checked():
    AugmentSettings()
    for field in AugmentSettings.model_fields:
        with pytest.raises(TaggerError, match=rf"augment\.{field} = -1: input should be greater than"):
            check_settings({"augment": {field: -1}})


# --- geometry
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("angle", "shear"), [(20.0, (0.0, 0.0)), (-35.0, (0.0, 0.0)), (0.0, (12.0, 0.0)), (9.0, (5.0, -8.0))]
)
def test_rotation_and_shear_are_torchvisions(angle, shear):
    images_BCHW = smooth()
    theta_B23 = matrices(4, 48, 64, angle=torch.full((4,), angle), shear=torch.tensor([shear] * 4))
    theirs = tv.affine(
        images_BCHW,
        angle=angle,
        translate=[0, 0],
        scale=1.0,
        shear=list(shear),
        interpolation=InterpolationMode.BILINEAR,
    )
    inside = slice(16, 32), slice(20, 44)  # torchvision fills borders with black, we with reflections
    torch.testing.assert_close(
        warp(images_BCHW, theta_B23)[:, :, *inside], theirs[:, :, *inside], atol=2e-5, rtol=0
    )


def test_shift_is_torchvisions_translation():
    theta_B23 = matrices(4, 48, 64, shift=torch.tensor([[6 / 64, -4 / 48]] * 4))
    theirs = tv.affine(smooth(), angle=0.0, translate=[6, -4], scale=1.0, shear=[0.0, 0.0])
    torch.testing.assert_close(
        warp(smooth(), theta_B23)[..., 4:-4, 6:], theirs[..., 4:-4, 6:], atol=2e-5, rtol=0
    )


def test_flips_are_exact_alone_and_all_but_exact_within_the_matrix():
    images_BCHW = noise()
    assert torch.equal(
        Augment(OFF.model_copy(update={"hflip": 1.0}))(images_BCHW, seeded()), images_BCHW.flip(-1)
    )
    assert torch.equal(
        Augment(OFF.model_copy(update={"vflip": 1.0}))(images_BCHW, seeded()), images_BCHW.flip(-2)
    )
    theta_B23 = matrices(8, 12, 16, flip=-torch.ones(8, 2))
    torch.testing.assert_close(warp(images_BCHW, theta_B23), images_BCHW.flip(-1, -2), atol=1e-5, rtol=0)


def test_a_crop_is_the_slice_enlarged():
    images_BCHW = smooth(1)
    theta_B23 = matrices(1, 48, 64, zoom=torch.full((1, 2), 0.5), shift=torch.tensor([[0.5, -0.5]]))
    top_left_gone = images_BCHW[
        :, :, 24:, :32
    ]  # shifted right and up by half the view: left and below come into view
    theirs = torch.nn.functional.interpolate(top_left_gone, (48, 64), mode="bilinear", align_corners=False)
    ours = warp(images_BCHW, theta_B23)
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], theirs[..., 2:-2, 2:-2], atol=1e-5, rtol=0)


def test_crops_without_shift_show_nothing_from_outside_the_image():
    columns = torch.linspace(0, 1, 64).expand(200, 3, 16, 64)
    result = Augment(OFF.model_copy(update={"scale_min": 0.3}))(columns, seeded())
    steps = result[:, 0, 8].diff(dim=-1)
    assert (steps > -1e-6).all()  # a reflection would turn round
    assert result[..., 0].max() > 0.3  # some views lie far to the right
    assert result[..., -1].min() < 0.7


def test_crop_areas_and_stretches_stay_within_their_bounds():
    zoom_B2 = crop_zooms(torch.rand(5000, 2, generator=seeded()), scale_min=0.3, aspect=4 / 3)
    area_B, ratio_B = zoom_B2.prod(dim=1), zoom_B2[:, 0] / zoom_B2[:, 1]
    assert zoom_B2.max() <= 1
    assert area_B.min() > 0.3 - 1e-6
    assert area_B.mean() == pytest.approx(0.65, abs=0.02)  # sides cut to the image take a little off
    assert ratio_B.min() > 3 / 4 - 1e-6
    assert ratio_B.max() < 4 / 3 + 1e-6


def test_shares_are_shares_of_images():
    lines = torch.linspace(0, 1, 8).expand(4000, 3, 8, 8)
    flipped = Augment(OFF.model_copy(update={"hflip": 0.3}))(lines, seeded())[:, 0, 0, 0] > 0.5
    assert flipped.float().mean().item() == pytest.approx(0.3, abs=0.03)  # standard error 0.007


# --- colour
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "factors"),
    [
        (colour.brightness_, tv.adjust_brightness, [0.0, 0.6, 1.0, 1.7]),
        (colour.contrast_, tv.adjust_contrast, [0.0, 0.6, 1.0, 1.7]),
        (colour.saturation_, tv.adjust_saturation, [0.0, 0.6, 1.0, 1.7]),
        (colour.hue, tv.adjust_hue, [-0.5, -0.1, 0.0, 0.3]),
    ],
)
def test_each_colour_change_is_torchvisions_for_every_image(ours, theirs, factors):
    images_BCHW = noise(4)
    expected = torch.stack(
        [theirs(image, factor) for image, factor in zip(images_BCHW, factors, strict=True)]
    )
    torch.testing.assert_close(ours(images_BCHW.clone(), torch.tensor(factors)), expected, atol=1e-6, rtol=0)


def test_grey_is_torchvisions_for_the_chosen_images_and_leaves_the_others():
    images_BCHW = noise(2)
    result = colour.grey_(images_BCHW.clone(), torch.tensor([True, False]))
    torch.testing.assert_close(
        result[0], tv.rgb_to_grayscale(images_BCHW[0], num_output_channels=3), atol=1e-6, rtol=0
    )
    assert torch.equal(result[1], images_BCHW[1])
    assert torch.equal(colour.grey_(images_BCHW.clone(), torch.tensor([False, False])), images_BCHW)


# --- torchvision's own
# ------------------------------------------------------------------------------------------------


def test_randaugment_and_erasing_are_torchvisions_with_a_seed_for_each_image():
    images_BCHW = noise()
    for settings, theirs in (
        (OFF.model_copy(update={"randaugment": 2, "randaugment_magnitude": 12}), v2.RandAugment(2, 12)),
        (OFF.model_copy(update={"erasing": 1.0}), v2.RandomErasing(p=1.0)),
    ):
        ours = Augment(settings)(images_BCHW, seeded())
        seeds = torch.randint(2**62, (8,), generator=seeded()).tolist()
        with torch.random.fork_rng(devices=[]):
            for image, ours_CHW, seed in zip(images_BCHW, ours, seeds, strict=True):
                torch.manual_seed(seed)
                assert torch.equal(theirs(image), ours_CHW)
