"""A network that learns in fewer passes: the same outputs and gradients, and afterwards the network it was."""

import copy
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagger.model.fuse_batchnorm import BATCH_NORM_TYPES, find_fusable_pairs, fuse_batchnorm
from tagger.training.network.fused_training import FusedTraining

# Names with the share of their normalisations that follow a convolution which nobody else reads.
NETWORKS = {
    "mobilenetv2_050": 1.0,
    "test_efficientnet": 1.0,
    "test_resnet": 1.0,
    "regnetx_002": 1.0,
    "densenet121": 59
    / 121,  # in each layer the second one, and the stem's: the others follow a concatenation
    "test_vit": 0.0,
}


def network(name: str, **options: Any) -> nn.Module:
    """A network in training with kept statistics that are not those it was born with."""
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=3, **options).double()
    for norm in norms(net):
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.eval()
    return net


def norms(net: nn.Module) -> list[Any]:
    return [module for module in net.modules() if isinstance(module, BATCH_NORM_TYPES)]


def images() -> Tensor:
    return torch.rand(2, 3, 160, 160, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def learnt(net: nn.Module) -> dict[str, Tensor]:
    """The output and every gradient."""
    net.zero_grad()
    output = net(images())
    output.square().sum().backward()
    return {"output": output.detach()} | {
        name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_the_plain_network(name: str):
    net = network(name)
    plain = learnt(net)
    quicker = FusedTraining(net, norms(net), images())
    quick = learnt(net)
    quicker.release()
    assert quick.keys() == plain.keys()
    for key, expected in plain.items():
        assert (quick[key] - expected).norm() <= 1e-10 * expected.norm(), (
            key
        )  # float64; sums in another order


@pytest.mark.parametrize("name", NETWORKS)
def test_every_normalisation_behind_a_convolution_is_found(name: str):
    net = network(name)
    with torch.no_grad():
        _, found = find_fusable_pairs(net, images())
    assert len(found) == round(NETWORKS[name] * len(norms(net)))
    assert all(conv.out_channels == norm.num_features for conv, norm in found)


def test_released_it_is_the_network_it_was():
    net = network("mobilenetv2_050", pad_type="same")
    plain, state = learnt(net), {name: tensor.clone() for name, tensor in net.state_dict().items()}
    FusedTraining(net, norms(net), images()).release()
    again = learnt(net)
    assert all(torch.equal(plain[key], again[key]) for key in plain)
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    assert not any("forward" in vars(module) for module in net.modules())


def test_a_copy_made_meanwhile_computes_with_its_own_weights():
    net = network("mobilenetv2_050")
    quicker = FusedTraining(net, norms(net), images())
    copied = copy.deepcopy(net)
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    given = copied(images())
    quicker.release()
    torch.testing.assert_close(given, network("mobilenetv2_050")(images()))


def test_a_copy_made_meanwhile_can_be_folded():
    net = network("mobilenetv2_050").eval()
    plain = net(images())
    quicker = FusedTraining(net, norms(net), images())
    torch.testing.assert_close(fuse_batchnorm(net, images())(images()), plain)
    quicker.release()


def test_normalisations_that_learn_their_statistics_stay_as_they_are():
    net = network("test_resnet")
    moving = norms(net)[3]
    quicker = FusedTraining(net, [norm for norm in norms(net) if norm is not moving], images())
    moving.train()
    before = moving.running_mean.clone()
    learnt(net)
    quicker.release()
    assert not torch.equal(moving.running_mean, before)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("stride", [2, (1, 2)])
def test_gradients_of_strided_depthwise_convolutions_in_bfloat16(bias: bool, stride: Any):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(8, 8, 3, stride=stride, padding=1, groups=8, bias=bias)).bfloat16().float()
    maps = torch.randn(4, 8, 16, 16).bfloat16().float().requires_grad_()
    true = gradients(net, maps, torch.float64)
    quicker = FusedTraining(net, [], maps.detach())
    found = gradients(net, maps, torch.bfloat16)
    quicker.release()
    # What comes in is rounded to 8 bits already; only the results are rounded once more.
    for expected, given in zip(true, found, strict=True):
        assert ((given - expected).abs() <= 2**-8 * expected.abs().clamp(min=1e-2)).all()


def gradients(net: nn.Sequential, maps: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Of a sum of squares of the map, in float64 without autocast, or in bfloat16 with it."""
    conv, leaves = net[0], [maps, *net.parameters()]
    if dtype == torch.float64:
        bias = None if conv.bias is None else conv.bias.double()
        given = F.conv2d(maps.double(), conv.weight.double(), bias, conv.stride, conv.padding, groups=8)
    else:
        with torch.autocast("cpu", dtype=dtype):
            given = net(maps)
        assert given.dtype == dtype
    weights = torch.linspace(0, 1, given.numel()).bfloat16().to(given.dtype).view_as(given)
    return [gradient.double() for gradient in torch.autograd.grad((given * weights).sum(), leaves)]
