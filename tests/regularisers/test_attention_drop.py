"""AttentionDrop: its three modes against loops with the same draws, the schedule, and that off is off."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.errors import TaggerError
from tagger.regularisers import RegulariserContext, StepContext, regularisers
from tagger.regularisers.attention_drop import (
    MODES,
    AttentionDrop,
    minmax_scale,
    retained_share,
    top_percent_mask,
)

FACTS = RegulariserContext(num_features=8, names=("a",))


def a_map(num: int = 3, height: int = 4, width: int = 5, *, seed: int = 0) -> Tensor:
    """A map of 6 channels; one is constant, one as behind a ReLU."""
    map_BCHW = torch.randn(num, 6, height, width, generator=torch.Generator().manual_seed(seed))
    map_BCHW[:, 2] = 1.5
    map_BCHW[:, 4] = (map_BCHW[:, 4] - 1).clamp(min=0)
    return map_BCHW


def at(progress: float) -> StepContext:
    """A step so far into a training."""
    return StepContext(torch.zeros(3, 1), torch.tensor(progress), torch.Generator())


def slow_strength(values: list[float], mode: str, beta: float) -> list[float]:
    """S of one channel's map, value by value."""
    low, high = min(values), max(values)
    share = math.floor(beta / 100 * len(values) + 1e-9)
    num = min(max(1, share), len(values) - 1)
    threshold = sorted(values, reverse=True)[num]
    strength = []
    for value in values:
        soft = 1 - (value - low) / (high - low) if high > low else 1.0
        top = value > threshold
        strength.append(
            {"adaptive": 0.0 if top else 1.0, "soft": soft, "attention": soft if top else 1.0}[mode]
        )
    return strength


@pytest.mark.parametrize("mode", MODES)
@given(beta=st.sampled_from([1.0, 20.0, 50.0, 100.0]), alpha=st.floats(0.01, 1.0), seed=st.integers(0, 99))
def test_the_map_is_that_of_loops_with_the_same_draws(mode: str, beta: float, alpha: float, seed: int):
    map_BCHW = a_map(seed=seed)
    part = AttentionDrop(FACTS, mode=mode, beta=beta, alpha=alpha)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        changed_BCHW = part.on_feature_map(map_BCHW, None, at(0.5))
        torch.manual_seed(seed)
        uniform = torch.rand(map_BCHW.shape).flatten().tolist()
    strength = [
        s
        for image in map_BCHW.tolist()
        for plane in image
        for s in slow_strength([value for row in plane for value in row], mode, beta)
    ]
    probability = np.float32(alpha) * np.float32(0.5)
    mask = [s if u < probability else 1.0 for s, u in zip(strength, uniform, strict=True)]
    scale = len(mask) / sum(mask)
    expected = [f * m * scale for f, m in zip(map_BCHW.flatten().tolist(), mask, strict=True)]
    np.testing.assert_allclose(changed_BCHW.flatten(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("beta", [1.0, 20.0, 37.0, 50.0, 99.0])
def test_without_ties_the_top_share_has_exactly_its_places(beta: float):
    map_BCHW = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = max(1, math.floor(beta / 100 * 36 + 1e-9))
    top_BCHW = top_percent_mask(map_BCHW, beta)
    assert top_BCHW.sum((2, 3)).unique().tolist() == [expected]
    lowest_in = torch.where(top_BCHW, map_BCHW, torch.inf).amin((2, 3))
    highest_out = torch.where(top_BCHW, -torch.inf, map_BCHW).amax((2, 3))
    assert (lowest_in > highest_out).all()


def test_zeros_behind_a_relu_never_count_as_strong():
    map_BCHW = torch.zeros(1, 1, 5, 5)
    map_BCHW[0, 0, 2, 2] = 3.0
    assert top_percent_mask(map_BCHW, 20).nonzero().tolist() == [[0, 0, 2, 2]]
    assert not top_percent_mask(torch.zeros(1, 1, 5, 5), 20).any()
    assert not top_percent_mask(
        torch.ones(1, 4, 1, 1), 20
    ).any()  # one place: there is nothing to be strong against


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [0.0, -2.0, 7.0])
def test_a_constant_map_is_kept_whole(mode: str, value: float):
    constant_BCHW = torch.full((1, 2, 3, 3), value)
    assert torch.equal(retained_share(constant_BCHW, mode=mode, beta=20), torch.ones(1, 2, 3, 3))
    assert not minmax_scale(constant_BCHW).any()


def test_attention_is_soft_inside_and_adaptive_outside():
    map_BCHW = a_map()
    top_BCHW = top_percent_mask(map_BCHW, 20)
    modes = {mode: retained_share(map_BCHW, mode=mode, beta=20) for mode in MODES}
    assert torch.equal(modes["attention"][top_BCHW], modes["soft"][top_BCHW])
    assert torch.equal(modes["attention"][~top_BCHW], modes["adaptive"][~top_BCHW])
    assert torch.equal(retained_share(map_BCHW, mode="attention", beta=0), torch.ones_like(map_BCHW))


@pytest.mark.parametrize("mode", MODES)
def test_the_drops_grow_with_the_training_from_none(mode: str):
    map_BCHW = a_map(30).abs() + 0.1
    part = AttentionDrop(FACTS, mode=mode, alpha=0.6)
    shares = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for progress in (0.0, 0.25, 0.5, 1.0):
            ratio = part.on_feature_map(map_BCHW, None, at(progress)) / map_BCHW
            shares.append((ratio < 0.999 * ratio.amax()).float().mean().item())
    assert shares[0] == 0
    assert torch.equal(part.on_feature_map(map_BCHW, None, at(0.0)), map_BCHW)
    np.testing.assert_allclose(np.divide(shares[1:], shares[-1]), [0.25, 0.5, 1.0], atol=0.12)


def test_the_factors_mean_is_one():
    map_BCHW = a_map()
    factors = AttentionDrop(FACTS, mode="soft", alpha=1.0).on_feature_map(map_BCHW, None, at(1.0)) / map_BCHW
    assert factors[map_BCHW != 0].numel() < factors.numel()
    whole = AttentionDrop(FACTS, mode="soft", alpha=1.0).on_feature_map(map_BCHW + 9, None, at(1.0)) / (
        map_BCHW + 9
    )
    assert whole.mean().item() == pytest.approx(1.0, rel=1e-5)


def test_off_and_evaluation_leave_the_very_map_and_draw_nothing():
    map_BCHW, state = a_map(), torch.get_rng_state()
    assert AttentionDrop(FACTS, alpha=0.0).on_feature_map(map_BCHW, None, at(1.0)) is map_BCHW
    assert AttentionDrop(FACTS).eval().on_feature_map(map_BCHW, None, at(1.0)) is map_BCHW
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("mode", MODES)
def test_the_mask_passes_no_gradient_of_its_own(mode: str):
    map_BCHW = (a_map() + 9).requires_grad_()
    changed_BCHW = AttentionDrop(FACTS, mode=mode, alpha=1.0).on_feature_map(map_BCHW, None, at(1.0))
    changed_BCHW.sum().backward()
    assert map_BCHW.grad is not None
    torch.testing.assert_close(map_BCHW.grad * map_BCHW.detach(), changed_BCHW.detach())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_map_keeps_its_type_and_stays_finite(mode: str, dtype: torch.dtype):
    changed_BCHW = AttentionDrop(FACTS, mode=mode, alpha=1.0).on_feature_map(a_map().to(dtype), None, at(1.0))
    assert changed_BCHW.dtype == dtype
    assert changed_BCHW.isfinite().all()


def test_wrong_options_are_explained():
    with pytest.raises(TaggerError, match=r"mode = 'sof': no such mode\. Did you mean 'soft'\?"):
        regularisers.build("attention-drop", FACTS, mode="sof")
    with pytest.raises(TaggerError, match=r"alpha between 0 and 1.* alpha = 2"):
        regularisers.build("attention-drop", FACTS, alpha=2.0)
