"""DropBlock is timm's."""

from typing import Any

import pytest
import torch
from timm.layers import DropBlock2d

from tagger.errors import TaggerError
from tagger.regularisers import RegulariserContext, StepContext, regularisers

FACTS = RegulariserContext(num_features=8, names=("a", "b", "c"))
STEP = StepContext(torch.zeros(4, 3), torch.tensor(0.5), torch.Generator())


@pytest.mark.parametrize(
    "options", [{}, {"couple_channels": False}, {"with_noise": True}, {"gamma_scale": 2.0}]
)
def test_dropblock_is_timms(options: dict[str, Any]):
    map_BCHW = torch.rand(4, 6, 9, 9, generator=torch.Generator().manual_seed(0))
    timms = DropBlock2d(drop_prob=0.2, block_size=3, **options).train()
    ours = regularisers.build("dropblock", FACTS, drop_prob=0.2, block_size=3, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        expected_BCHW = timms(map_BCHW)
        torch.manual_seed(1)
        assert torch.equal(ours.on_feature_map(map_BCHW, None, STEP), expected_BCHW)
    assert ours.eval().on_feature_map(map_BCHW, None, STEP) is map_BCHW


def test_wrong_options_of_dropblock_are_explained():
    with pytest.raises(TaggerError, match=r"drop_prob is at least 0 and less than 1.* drop_prob = 1"):
        regularisers.build("dropblock", FACTS, drop_prob=1.0)
    with pytest.raises(TaggerError, match=r"drop_prob 0\.5 x gamma_scale 3 is more than 1"):
        regularisers.build("dropblock", FACTS, drop_prob=0.5, gamma_scale=3.0)


@pytest.mark.parametrize("progress", [0.0, 0.25, 1.0])
def test_the_rising_schedule_drops_what_timm_drops_at_that_share_of_the_rate(progress: float):
    map_BCHW = torch.rand(4, 6, 9, 9, generator=torch.Generator().manual_seed(0))
    step = StepContext(torch.zeros(4, 3), torch.tensor(progress), torch.Generator())
    ours = regularisers.build("dropblock", FACTS, drop_prob=0.2, block_size=3, schedule="linear")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        expected_BCHW = DropBlock2d(drop_prob=0.2 * progress, block_size=3).train()(map_BCHW)
        torch.manual_seed(1)
        found_BCHW = ours.on_feature_map(map_BCHW, None, step)
    torch.testing.assert_close(found_BCHW, expected_BCHW)
    assert torch.equal(found_BCHW, map_BCHW) == (progress == 0)


def test_an_unknown_schedule_of_dropblock_is_refused():
    with pytest.raises(TaggerError, match=r"dropblock.schedule = 'rising': it is constant or linear"):
        regularisers.build("dropblock", FACTS, schedule="rising")
