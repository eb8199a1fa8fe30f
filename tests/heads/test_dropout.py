"""Dropout with fewer random bits: as nn.Dropout in all that can be seen."""

import pytest
import torch
from torch import nn

from tagger.heads.dropout import FastDropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
@pytest.mark.parametrize("shape", [(400, 500), (7, 9, 1587)])
def test_so_many_values_are_dropped_and_the_others_are_as_torchs(share: float, shape: tuple[int, ...]):
    torch.manual_seed(0)
    values = torch.rand(shape) + 1
    given = FastDropout(share)(values)
    is_kept = given != 0
    error = (share * (1 - share) / values.numel()) ** 0.5
    assert (~is_kept).double().mean().item() == pytest.approx(share, abs=4 * error)
    theirs = nn.Dropout(share)(values)
    both = is_kept & (theirs != 0)
    torch.testing.assert_close(given[both], theirs[both], rtol=2**-12, atol=0)  # the share is one of 65,536
    # Neighbours share a random number, not their fate.
    pairs = is_kept.flatten()[: values.numel() // 4 * 4].view(-1, 4).double()
    covariance = torch.cov(pairs.T)
    assert (covariance - torch.diag(covariance.diag())).abs().max() < 5 * share * (1 - share) / len(
        pairs
    ) ** 0.5


def test_the_same_seed_drops_the_same_and_another_one_others():
    layer, values = FastDropout(0.5), torch.ones(100)
    torch.manual_seed(1)
    first, second = layer(values), layer(values)
    torch.manual_seed(1)
    assert torch.equal(layer(values), first)
    assert not torch.equal(first, second)


def test_the_gradient_goes_where_the_values_went():
    values = torch.rand(40, requires_grad=True)
    given = FastDropout(0.25)(values)
    given.sum().backward()
    torch.testing.assert_close(values.grad * values.detach(), given.detach())


def test_outside_training_and_at_a_share_of_0_or_1_it_is_torchs():
    values = torch.rand(40)
    assert torch.equal(FastDropout(0.5).eval()(values), values)
    assert torch.equal(FastDropout(0.0)(values), values)
    assert not FastDropout(1.0)(values).any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_type_stays(dtype: torch.dtype):
    assert FastDropout(0.5)(torch.ones(5, dtype=dtype)).dtype == dtype
