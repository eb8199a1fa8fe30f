"""Mixed images: the target says what share of each partner is in the picture, and unknown stays unknown."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.batches.mixup import cutmix_boxes, mixup_cutmix, random_partners

BOTH = {"mixup_alpha": 0.4, "cutmix_alpha": 1.0}
METHODS = [{"mixup_alpha": 0.4}, {"cutmix_alpha": 1.0}, BOTH]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def coded(num=12, size=16):
    """Image i is all i-th unit vector in its targets and the value i / num in its pixels."""
    images_BCHW = (torch.arange(num) / num).view(-1, 1, 1, 1).expand(-1, 3, size, size).contiguous()
    return images_BCHW, torch.eye(num)


@pytest.mark.parametrize("method", METHODS)
def test_the_target_is_the_share_of_each_partner_in_the_picture(method):
    images_BCHW, targets_BK = coded()
    mixed_BCHW, mixed_BK = mixup_cutmix(images_BCHW, targets_BK, seeded(), **method)
    assert mixed_BCHW.shape == images_BCHW.shape
    torch.testing.assert_close(mixed_BK.sum(dim=1), torch.ones(12))
    values_K = torch.arange(12) / 12
    torch.testing.assert_close(mixed_BCHW.mean(dim=(1, 2, 3)), mixed_BK @ values_K, atol=1e-5, rtol=0)
    assert ((mixed_BK > 0).sum(dim=1) <= 2).all()


def test_mixup_blends_every_pixel_and_cutmix_takes_each_pixel_from_one_partner():
    images_BCHW, targets_BK = coded()
    blended_BCHW, _ = mixup_cutmix(images_BCHW, targets_BK, seeded(), mixup_alpha=0.4)
    assert (blended_BCHW.flatten(1).std(dim=1) < 1e-6).all()
    cut_BCHW, _ = mixup_cutmix(images_BCHW, targets_BK, seeded(), cutmix_alpha=1.0)
    torch.testing.assert_close((cut_BCHW * 12).round() / 12, cut_BCHW)
    assert (cut_BCHW.flatten(1).std(dim=1) > 0).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_cell_unknown_in_either_partner_is_unknown_and_no_other(method):
    images_BCHW, _ = coded()
    targets_BK = torch.ones(12, 12) - 2 * torch.eye(12)  # image i: label i unknown, all others yes
    _, mixed_BK = mixup_cutmix(images_BCHW, targets_BK, seeded(1), **method)
    torch.testing.assert_close(mixed_BK.abs(), torch.ones(12, 12))  # unknown, or yes mixed with yes
    num_unknown_B = (mixed_BK < 0).sum(dim=1)
    assert (mixed_BK.diagonal() < 0).all()
    assert set(num_unknown_B.tolist()) <= {1, 2}  # 1 where the box was empty: no partner in the picture
    assert (num_unknown_B == 2).any()


@pytest.mark.parametrize("off", [{}, {"mixup_alpha": 1.0, "prob": 0.0}])
def test_off_gives_the_very_same_tensors_and_draws_nothing(off):
    (images_BCHW, targets_BK), generator = coded(), seeded()
    before = generator.get_state()
    mixed = mixup_cutmix(images_BCHW, targets_BK, generator, **off)
    assert mixed[0] is images_BCHW
    assert mixed[1] is targets_BK
    assert torch.equal(generator.get_state(), before)


def test_an_image_without_a_partner_is_left_as_it_is():
    images_BCHW, targets_BK = coded(1)
    assert mixup_cutmix(images_BCHW, targets_BK, seeded(), **BOTH)[0] is images_BCHW


def test_prob_is_the_share_of_images_mixed_and_the_others_stay_bit_identical():
    images_BCHW, targets_BK = (
        torch.rand(2000, 3, 2, 2, generator=seeded()),
        torch.rand(2000, 4, generator=seeded()),
    )
    mixed_BCHW, mixed_BK = mixup_cutmix(images_BCHW, targets_BK, seeded(), mixup_alpha=1.0, prob=0.3)
    same_B = (mixed_BCHW == images_BCHW).flatten(1).all(dim=1)
    assert (~same_B).float().mean().item() == pytest.approx(0.3, abs=0.04)  # standard error 0.01
    assert torch.equal(mixed_BK[same_B], targets_BK[same_B])


def test_the_same_generator_state_mixes_the_same_way_and_leaves_inputs_and_global_state_alone():
    images_BCHW, targets_BK = coded()
    copies, state = (images_BCHW.clone(), targets_BK.clone()), torch.get_rng_state()
    first, again, other = (mixup_cutmix(images_BCHW, targets_BK, seeded(seed), **BOTH) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert torch.equal(images_BCHW, copies[0])
    assert torch.equal(targets_BK, copies[1])
    assert torch.equal(torch.get_rng_state(), state)


@given(num=st.integers(2, 40), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_partners_are_all_images_once_and_never_the_image_itself(num, seed):
    partners = random_partners(num, np.random.default_rng(seed))
    assert sorted(partners) == list(range(num))
    assert (partners != np.arange(num)).all()


def test_boxes_cover_their_share_but_for_what_the_borders_cut_off():
    share_B = np.repeat([1.0, 0.75, 0.36, 0.0], 500)
    inside_B = cutmix_boxes(share_B, 32, 32, np.random.default_rng(0)).mean(axis=(1, 2)).reshape(4, 500)
    assert (inside_B[0] == 0).all()
    assert inside_B[1].max() == pytest.approx(0.25, abs=0.03)  # a pixel is 1/32 of a side
    assert inside_B[2].max() == pytest.approx(0.64, abs=0.04)
    assert inside_B[3].min() >= 0.25 - 0.04  # a whole-image box round a corner shows a quarter
