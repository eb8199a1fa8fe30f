"""Grid dropout: exact counts, edges and colours against loops, the masking head, and that off is off."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tagger.errors import TaggerError
from tagger.regularisers import ModelOutputs, RegulariserContext, StepContext, regularisers
from tagger.regularisers.grid_dropout import (
    KEPT_CELLS_KEY,
    GridDropout,
    grid_mask,
    mask_images,
    num_dropped_cells,
    sample_kept_cells,
)

FACTS = RegulariserContext(num_features=8, names=("a", "b"))


def step(seed: int = 0, num: int = 4) -> StepContext:
    """A step whose draws come from ``seed``."""
    return StepContext(torch.zeros(num, 2), torch.tensor(0.5), torch.Generator().manual_seed(seed))


def outputs(num: int = 4) -> ModelOutputs:
    """What a model could have given."""
    features_BD = torch.randn(num, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    return ModelOutputs(torch.zeros(num, 2), features_BD)


def images(num: int = 4, height: int = 13, width: int = 11) -> Tensor:
    """Images without a black pixel."""
    return 0.1 + 0.9 * torch.rand(num, 3, height, width, generator=torch.Generator().manual_seed(2))


def slow_mask(kept_S: list[bool], height: int, width: int) -> list[list[bool]]:
    """Cell by cell, pixel by pixel."""
    cells = math.isqrt(len(kept_S))
    mask = [[True] * width for _ in range(height)]
    for i in range(cells):
        for j in range(cells):
            for y in range(round(i * height / cells), round((i + 1) * height / cells)):
                for x in range(round(j * width / cells), round((j + 1) * width / cells)):
                    mask[y][x] = kept_S[i * cells + j]
    return mask


SIDES = st.integers(7, 40)


@given(cells=st.integers(1, 7), height=SIDES, width=SIDES, p=st.floats(0, 0.99), seed=st.integers(0, 9))
def test_the_mask_is_that_of_a_loop_over_cells(cells: int, height: int, width: int, p: float, seed: int):
    kept_BS = sample_kept_cells(2, cells, p, torch.Generator().manual_seed(seed))
    expected = [slow_mask(kept_S, height, width) for kept_S in kept_BS.tolist()]
    assert grid_mask(kept_BS, height, width).tolist() == expected


@pytest.mark.parametrize(
    ("cells", "p", "count"), [(5, 0.25, 6), (10, 0.29, 29), (3, 0.5, 4), (5, 0.03, 0), (4, 0.99, 15)]
)
def test_exactly_floor_of_the_share_is_drawn_without_replacement(cells: int, p: float, count: int):
    assert num_dropped_cells(cells, p) == count
    kept_BS = sample_kept_cells(50, cells, p, torch.Generator().manual_seed(0))
    assert (cells**2 - kept_BS.sum(1)).unique().tolist() == [count]


def test_every_cell_and_every_pair_is_dropped_equally_often():
    kept_BS = sample_kept_cells(20_000, 2, 0.5, torch.Generator().manual_seed(0))
    counts = Counter(map(tuple, kept_BS.tolist()))
    assert len(counts) == 6
    assert all(abs(count - 20_000 / 6) < 5 * math.sqrt(20_000 / 6) for count in counts.values())


def test_published_settings_are_the_defaults():
    assert regularisers.options("grid-dropout") == {"cells": 5, "p": 0.25, "beta": 0.5, "fill": "black"}


@pytest.mark.parametrize("fill", ["black", "mean"])
def test_dropped_pixels_get_the_colour_and_the_others_stay_bit_for_bit(fill: str):
    before, s = images(), step()
    after = GridDropout(FACTS, fill=fill).on_images(before, s)
    mask_BHW = grid_mask(s.shared[KEPT_CELLS_KEY], 13, 11)
    for b in range(4):
        for c in range(3):
            colour = 0.0 if fill == "black" else before[b, c].mean()
            assert torch.equal(after[b, c][mask_BHW[b]], before[b, c][mask_BHW[b]])
            torch.testing.assert_close(
                after[b, c][~mask_BHW[b]], torch.full_like(after[b, c][~mask_BHW[b]], float(colour))
            )
    assert (~mask_BHW).any((1, 2)).all()


def test_images_get_different_masks_and_steps_too():
    part, first, second = GridDropout(FACTS), step(0), step(1)
    part.on_images(images(), first)
    part.on_images(images(), second)
    assert (
        len(
            {
                tuple(row)
                for row in [*first.shared[KEPT_CELLS_KEY].tolist(), *second.shared[KEPT_CELLS_KEY].tolist()]
            }
        )
        == 8
    )


def test_the_same_generator_gives_the_same_images():
    part = GridDropout(FACTS)
    assert torch.equal(part.on_images(images(), step(3)), part.on_images(images(), step(3)))


def test_the_masking_loss_is_the_mean_cross_entropy_of_which_cells_are_kept():
    part, s, out = GridDropout(FACTS, beta=0.5), step(), outputs()
    part.on_images(images(), s)
    loss = part.loss(out, s)
    assert loss is not None
    assert part.head is not None
    total, shared = 0.0, s.shared[KEPT_CELLS_KEY].tolist()
    for b, logits in enumerate(part.head(out.features_BD).tolist()):
        for cell, logit in enumerate(logits):
            prob = 1 / (1 + math.exp(-logit))
            total -= math.log(prob if shared[b][cell] else 1 - prob)
    assert loss.item() == pytest.approx(0.5 * total / (4 * 25), rel=1e-5)


def test_gradient_reaches_the_head_and_the_features():
    part, s, out = GridDropout(FACTS), step(), outputs()
    part.on_images(images(), s)
    loss = part.loss(out, s)
    assert loss is not None
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    assert out.features_BD.grad is not None
    assert (out.features_BD.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("chosen", [{"p": 0.0}, {"p": 0.03}])
def test_nothing_to_drop_is_the_same_images_with_no_draw_and_no_head(chosen: dict[str, float]):
    part, s, before = GridDropout(FACTS, **chosen), step(), images()  # type: ignore[arg-type]
    state = s.generator.get_state()
    assert part.on_images(before, s) is before
    assert torch.equal(s.generator.get_state(), state)
    assert part.loss(outputs(), s) is None
    assert not list(part.parameters())


def test_beta_0_has_no_head_and_no_loss():
    part, s = GridDropout(FACTS, beta=0.0), step()
    assert not torch.equal(part.on_images(images(), s), images())
    assert part.loss(outputs(), s) is None
    assert not list(part.parameters())


def test_it_learns_to_tell_which_cells_are_black():
    torch.manual_seed(0)
    part = GridDropout(RegulariserContext(num_features=27, names=()), cells=3, p=0.4, beta=1.0)
    optimiser = torch.optim.AdamW(part.parameters(), lr=0.05)
    for n in range(150):
        s = step(n, 32)
        seen = part.on_images(images(32, 12, 12), s)
        features_BD = functional.adaptive_avg_pool2d(seen, 3).flatten(1)
        loss = part.loss(ModelOutputs(torch.zeros(32, 2), features_BD), s)
        assert loss is not None
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss is not None
    assert loss.item() < 0.3  # a coin that knows the share would have 0.64


def test_memory_format_and_precision_are_kept():
    before = images().to(memory_format=torch.channels_last)
    assert GridDropout(FACTS).on_images(before, step()).is_contiguous(memory_format=torch.channels_last)
    assert mask_images(before.half(), torch.ones(4, 13, 11, dtype=torch.bool)).dtype == torch.float16


def test_it_is_finite_under_mixed_precision():
    part, s, out = GridDropout(FACTS), step(), outputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        part.on_images(images(), s)
        loss = part.loss(out, s)
    assert loss is not None
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)


@pytest.mark.parametrize("chosen", [{"fill": "white"}, {"p": 1.0}, {"p": -0.1}, {"cells": 0}, {"beta": -1.0}])
def test_options_that_make_no_sense_are_refused(chosen: dict[str, object]):
    with pytest.raises(TaggerError, match="grid-dropout"):
        regularisers.build("grid-dropout", FACTS, **chosen)


def test_an_image_with_fewer_pixels_than_cells_is_refused():
    with pytest.raises(TaggerError, match="cells = 5: an image of 4 x 9"):
        GridDropout(FACTS).on_images(images(2, 4, 9), step())


def test_the_head_is_trained_beside_the_network():
    part = GridDropout(FACTS)
    assert isinstance(part.head, nn.Linear)
    assert part.head.weight.shape == (25, 8)
    assert not part.supports_cached_features
