"""CamDrop: candidates, seeds and blocks against loops with the same draws; exact counts; who is left alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.errors import TaggerError
from tagger.regularisers import RegulariserContext, StepContext, regularisers
from tagger.regularisers.camdrop import (
    CamDrop,
    camdrop_mask,
    class_activation_map,
    dilate_seeds,
    mean_classifier_weights,
)

FACTS = RegulariserContext(num_features=8, names=("a", "b", "c"))
WEIGHTS_KC = torch.randn(3, 16, generator=torch.Generator().manual_seed(1))


def a_map(num: int = 4, height: int = 5, width: int = 6, *, seed: int = 0) -> Tensor:
    """A map of 16 channels without a zero."""
    return torch.rand(num, 16, height, width, generator=torch.Generator().manual_seed(seed)) + 0.1


def a_step(targets: list[list[float]]) -> StepContext:
    """A step in the middle of a training."""
    return StepContext(torch.tensor(targets), torch.tensor(0.5), torch.Generator())


LABELS = [[1.0, 0.0, 1.0], [0.0, -1.0, 0.0], [0.3, 0.7, -1.0], [0.05, 0.05, 0.95]]


def slow_factors(map_CHW: list, targets_K: list, weights_KC: list, uniform_DHW: list, part: CamDrop) -> list:
    """One image's factors, step by step as the slides have them, in loops; ``uniform_DHW`` are the draws."""
    channels, height, width = len(map_CHW), len(map_CHW[0]), len(map_CHW[0][0])
    places = [(y, x) for y in range(height) for x in range(width)]
    positive = [k for k, target in enumerate(targets_K) if target >= 0.5]
    if not positive:
        return [[[1.0] * width for _ in range(height)] for _ in range(channels)]
    weight = [sum(weights_KC[k][c] for k in positive) / len(positive) for c in range(channels)]
    cam = {(y, x): sum(weight[c] * map_CHW[c][y][x] for c in range(channels)) for y, x in places}
    num_places = max(1, math.floor(part.positions * len(places)))
    num_channels = max(1, math.floor(part.channels * channels))
    best_places = sorted(places, key=lambda place: -cam[place])[:num_places]
    best_channels = sorted(range(channels), key=lambda c: -weight[c])[:num_channels]
    mask = [[[1.0] * width for _ in range(height)] for _ in range(channels)]
    for d, c in enumerate(best_channels):
        for y, x in best_places:
            if not uniform_DHW[d][y][x] < 1 - part.gamma:
                continue
            first = -(part.block_size // 2) if part.block_size % 2 else 1 - part.block_size // 2 - 1
            for dy in range(first, first + part.block_size):
                for dx in range(first, first + part.block_size):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        mask[c][y + dy][x + dx] = 0.0
    kept = sum(value for plane in mask for row in plane for value in row)
    scale = channels * height * width / max(kept, 1)
    return [[[value * scale for value in row] for row in plane] for plane in mask]


@given(
    gamma=st.sampled_from([0.0, 0.3, 0.9]),
    block_size=st.integers(1, 5),
    positions=st.sampled_from([0.0, 0.1, 0.25, 1.0]),
    channels=st.sampled_from([0.0, 0.125, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_the_map_is_that_of_loops_with_the_same_draws(
    gamma: float, block_size: int, positions: float, channels: float, seed: int
):
    part = CamDrop(FACTS, gamma=gamma, block_size=block_size, positions=positions, channels=channels)
    map_BCHW = a_map(seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        changed_BCHW = part.on_feature_map(map_BCHW, WEIGHTS_KC, a_step(LABELS))
        torch.manual_seed(seed)
        uniform = torch.rand(4, max(1, int(channels * 16)), 5, 6).tolist()
    for b, targets_K in enumerate(LABELS):
        factors = slow_factors(map_BCHW[b].tolist(), targets_K, WEIGHTS_KC.tolist(), uniform[b], part)
        np.testing.assert_allclose(changed_BCHW[b], map_BCHW[b] * torch.tensor(factors), rtol=1e-5)


def test_with_nothing_retained_exactly_the_candidates_are_dropped():
    part = CamDrop(FACTS, gamma=0.0, block_size=1, positions=0.25, channels=0.125)
    changed_BCHW = part.on_feature_map(a_map(), WEIGHTS_KC, a_step([[1.0, 0.0, 0.0]] * 4))
    zeros_BCHW = changed_BCHW == 0
    assert (
        zeros_BCHW.sum((1, 2, 3)).tolist() == [2 * 7] * 4
    )  # 1/8 of 16 channels, a quarter of 30 places rounded down
    best = set(WEIGHTS_KC[0].topk(2).indices.tolist())
    assert all(set(image.any(2).any(1).nonzero().flatten().tolist()) == best for image in zeros_BCHW)
    kept = changed_BCHW[~zeros_BCHW] / a_map()[~zeros_BCHW]
    torch.testing.assert_close(kept, torch.full_like(kept, 480 / (480 - 14)))


def test_the_share_drawn_is_one_less_gamma():
    part = CamDrop(FACTS, gamma=0.8, block_size=1, positions=1.0, channels=1.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        zeros = (part.on_feature_map(a_map(200), WEIGHTS_KC, a_step([[1.0, 0.0, 0.0]] * 200)) == 0).float()
    deviation = math.sqrt(0.2 * 0.8 / zeros.numel())
    assert abs(zeros.mean().item() - 0.2) < 4 * deviation


def test_the_place_that_speaks_for_the_label_is_the_one_that_goes():
    map_BCHW = torch.full((1, 2, 4, 4), 0.1)
    map_BCHW[0, 0, 2, 1] = 5.0  # channel 0 saw label a there
    weights_KC = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    part = CamDrop(RegulariserContext(2, ("a", "b")), gamma=0.0, block_size=1, positions=1 / 16, channels=0.5)
    changed_BCHW = part.on_feature_map(map_BCHW, weights_KC, a_step([[1.0, 0.0]]))
    assert (changed_BCHW == 0).nonzero().tolist() == [[0, 0, 2, 1]]


def test_an_image_without_a_positive_label_is_left_alone():
    part = CamDrop(FACTS, gamma=0.0)
    map_BCHW = a_map()
    changed_BCHW = part.on_feature_map(map_BCHW, WEIGHTS_KC, a_step(LABELS))
    assert torch.equal(changed_BCHW[1], map_BCHW[1])
    assert all((changed_BCHW[b] == 0).any() for b in (0, 2, 3))


def test_an_images_labels_and_not_its_neighbours_decide():
    weights_BC, has_label_B = mean_classifier_weights(torch.tensor(LABELS), WEIGHTS_KC)
    expected = [(WEIGHTS_KC[0] + WEIGHTS_KC[2]) / 2, torch.zeros(16), WEIGHTS_KC[1], WEIGHTS_KC[2]]
    torch.testing.assert_close(weights_BC, torch.stack(expected))
    assert has_label_B.tolist() == [True, False, True, True]


def test_retaining_all_and_evaluation_leave_the_very_map_and_draw_nothing():
    map_BCHW, state = a_map(), torch.get_rng_state()
    assert CamDrop(FACTS, gamma=1.0).on_feature_map(map_BCHW, WEIGHTS_KC, a_step(LABELS)) is map_BCHW
    assert CamDrop(FACTS, gamma=0.0).eval().on_feature_map(map_BCHW, WEIGHTS_KC, a_step(LABELS)) is map_BCHW
    assert torch.equal(torch.get_rng_state(), state)


def test_no_gradient_passes_through_the_activation_map():
    map_BCHW, weights_KC = a_map().requires_grad_(), WEIGHTS_KC.clone().requires_grad_()
    changed_BCHW = CamDrop(FACTS, gamma=0.5).on_feature_map(map_BCHW, weights_KC, a_step(LABELS))
    changed_BCHW.sum().backward()
    assert map_BCHW.grad is not None
    torch.testing.assert_close(
        map_BCHW.grad * map_BCHW.detach(), changed_BCHW.detach()
    )  # the factors, and no more
    assert weights_KC.grad is None


def test_a_map_of_which_nothing_is_left_is_zero_and_not_nan():
    part = CamDrop(FACTS, gamma=0.0, block_size=9, positions=1.0, channels=1.0)
    changed_BCHW = part.on_feature_map(a_map(), WEIGHTS_KC, a_step(LABELS))
    assert changed_BCHW.isfinite().all()
    assert not changed_BCHW[0].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_map_keeps_its_type_and_stays_finite(dtype: torch.dtype):
    map_BCHW = a_map().to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        changed_BCHW = CamDrop(FACTS, gamma=0.2).on_feature_map(map_BCHW, WEIGHTS_KC, a_step(LABELS))
    assert changed_BCHW.dtype == dtype
    assert changed_BCHW.isfinite().all()


def test_the_activation_map_is_the_classifiers_logit_place_by_place():
    map_BCHW = a_map()
    weights_BC = WEIGHTS_KC[:1].expand(4, 16)
    logit_B = map_BCHW.mean((2, 3)) @ WEIGHTS_KC[0]
    torch.testing.assert_close(class_activation_map(map_BCHW, weights_BC).mean((1, 2)), logit_B)


@given(length=st.integers(1, 9), height=st.integers(1, 7), width=st.integers(1, 7), data=st.data())
def test_a_block_is_as_long_as_asked_and_cut_off_at_the_border(
    length: int, height: int, width: int, data: st.DataObject
):
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    seed_BCHW = torch.zeros(1, 1, height, width)
    seed_BCHW[0, 0, y, x] = 1
    expected = torch.zeros(1, 1, height, width)
    above = length // 2
    below = length - above
    expected[0, 0, max(0, y - above) : y + below, max(0, x - above) : x + below] = 1
    assert torch.equal(dilate_seeds(seed_BCHW, length), expected)


def test_ties_do_not_change_how_many_candidates_there_are():
    factors_BCHW = camdrop_mask(
        torch.zeros(2, 4, 4),
        torch.zeros(2, 8),
        torch.tensor([True, True]),
        gamma=0.0,
        block_size=1,
        positions=0.5,
        channels=0.25,
    )
    assert (factors_BCHW == 0).sum((1, 2, 3)).tolist() == [16, 16]


def test_options_out_of_range_are_all_named():
    with pytest.raises(
        TaggerError, match=r"gamma = 1\.5 is not between 0 and 1; block_size = 0 is less than 1"
    ):
        regularisers.build("camdrop", FACTS, gamma=1.5, block_size=0)


def test_the_average_guided_control_is_that_of_loops_and_knows_no_label():
    part = CamDrop(FACTS, gamma=0.3, block_size=2, positions=0.25, channels=0.5, guide="average")
    map_BCHW = a_map()
    num = 8
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        uniform_BDHW = torch.rand(4, num, 5, 6)
        torch.manual_seed(3)
        found_BCHW = part.on_feature_map(map_BCHW, None, a_step([[0.0, 0.0, -1.0]] * 4))
    for b in range(4):
        # with these weights loops give the channels' means as order; the places are by the plain mean
        means_C = [float(map_BCHW[b, c].mean()) for c in range(16)]
        places = {
            (y, x): sum(float(map_BCHW[b, c, y, x]) for c in range(16)) for y in range(5) for x in range(6)
        }
        best_places = sorted(places, key=lambda place: -places[place])[:7]
        best_channels = sorted(range(16), key=lambda c: -means_C[c])[:num]
        mask = np.ones((16, 5, 6))
        for d, c in enumerate(best_channels):
            for y, x in best_places:
                if uniform_BDHW[b, d, y, x] < 0.7:
                    mask[c, max(y - 1, 0) : y + 1, max(x - 1, 0) : x + 1] = 0
        expected = map_BCHW[b].numpy() * mask * (mask.size / mask.sum())
        np.testing.assert_allclose(found_BCHW[b].numpy(), expected, rtol=1e-5)


def test_an_unknown_guide_is_refused():
    with pytest.raises(TaggerError, match=r"camdrop.guide = 'mean': it is cam or average"):
        regularisers.build("camdrop", FACTS, guide="mean")
