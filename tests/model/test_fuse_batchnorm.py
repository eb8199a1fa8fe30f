"""Folding batch normalisation into convolutions: the same outputs in fewer steps, and nothing unclear is touched."""

import copy

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from tagger.heads import heads
from tagger.model import TagModel, fuse_batchnorm, make_backbone
from tagger.model.fuse_batchnorm import BATCH_NORM_TYPES

FAMILIES = ["mobilenetv2_050", "mobilenetv3_small_050", "resnet18", "resnetv2_50", "efficientnet_b0"]
FAMILIES += ["regnetx_002", "convnext_atto", "densenet121", "repvgg_a0", "levit_128s", "vit_tiny_patch16_224"]
FAMILIES += ["tf_efficientnet_b0", "seresnext26d_32x4d", "mobileone_s0", "ghostnet_050", "inception_v3"]


def noise(size: int = 64, num: int = 2) -> Tensor:
    """The same images each time."""
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(1))


def learnt(net: nn.Module) -> nn.Module:
    """The network as if it had learnt: statistics, scales and shifts of its normalisations are all different."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias):
                tensor.data.normal_(0, 0.1, generator=generator)
            for tensor in (module.running_var, module.weight):
                tensor.data.uniform_(0.7, 1.4, generator=generator)
    return net.eval()


def num_norms(net: nn.Module) -> int:
    """Batch normalisations that are left."""
    return sum(type(module) in BATCH_NORM_TYPES for module in net.modules())


@pytest.mark.parametrize("name", [*timm.list_models("test_*"), *FAMILIES])
def test_a_folded_network_gives_the_same_outputs(name: str):
    torch.manual_seed(0)
    cfg = timm.get_pretrained_cfg(name)
    size = cfg.input_size[-1] if cfg.fixed_input_size else 96
    net = learnt(timm.create_model(name, num_classes=5))
    with torch.inference_mode():
        fast = fuse_batchnorm(net, noise(size, 1))
        expected, found = net(noise(size)), fast(noise(size))
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert num_norms(fast) < num_norms(net) or num_norms(net) == 0


@pytest.mark.parametrize(
    "name", ["mobilenetv2_100", "resnet18", "efficientnet_b0", "test_efficientnet", "regnetx_002"]
)
def test_families_whose_norms_all_follow_a_convolution_keep_none(name: str):
    assert num_norms(fuse_batchnorm(timm.create_model(name), noise(64, 1))) == 0


@pytest.mark.parametrize("levels", [1, 3])
def test_features_and_logits_of_a_model_stay_and_so_does_the_model(levels: int):
    torch.manual_seed(0)
    backbone = learnt(make_backbone("test_resnet", "none", size=32, levels=levels))
    model = TagModel(backbone, heads.build("linear", backbone.num_features, 4)).eval()
    before = copy.deepcopy(model.state_dict())
    fast = fuse_batchnorm(model, noise(32, 1))
    with torch.inference_mode():
        torch.testing.assert_close(fast(noise(32)), model(noise(32)), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(fast.features(noise(32)), model.features(noise(32)), rtol=1e-4, atol=1e-5)
    assert num_norms(fast) == 0
    for key, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[key], rtol=0, atol=0)


def test_tensors_that_do_not_change_are_shared():
    model = learnt(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)))
    fast = fuse_batchnorm(model, noise(8))
    assert fast[2].weight is model[2].weight
    assert fast[0].weight is not model[0].weight
    assert not any(module._forward_hooks for module in (*model.modules(), *fast.modules()))


class Taken(nn.Module):
    """A convolution whose output is also taken by an addition."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        """Norm and skip."""
        y = self.conv(x)
        return self.norm(y) + y


class Twice(Taken):
    """A convolution that is used twice, the first time without normalisation."""

    def forward(self, x: Tensor) -> Tensor:
        """Two convolutions, one norm."""
        return self.norm(self.conv(self.conv(x)))


class ByHand(Taken):
    """A normalisation whose module is never called."""

    def forward(self, x: Tensor) -> Tensor:
        """The functional form."""
        norm = self.norm
        return nn.functional.batch_norm(
            self.conv(x), norm.running_mean, norm.running_var, norm.weight, norm.bias
        )


class Between(Taken):
    """A convolution whose output changes in place before it is normalised."""

    def forward(self, x: Tensor) -> Tensor:
        """Activation first."""
        return self.norm(self.conv(x).relu_())


class Lying(Taken):
    """A network that looks at its normalisation's weights besides calling it."""

    def forward(self, x: Tensor) -> Tensor:
        """Different when there is none."""
        return self.norm(self.conv(x)) * (2.0 if isinstance(self.norm, nn.BatchNorm2d) else 3.0)


@pytest.mark.parametrize("kind", [Taken, Twice, ByHand, Between, Lying])
def test_what_is_unclear_stays(kind: type[Taken]):
    net = learnt(kind())
    fast = fuse_batchnorm(net, noise(8))
    assert num_norms(fast) == 1
    with torch.inference_mode():
        torch.testing.assert_close(fast(noise(8)), net(noise(8)), rtol=0, atol=0)


def test_watched_parametrised_and_unsettled_modules_stay():
    watched = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    watched[0].register_forward_hook(lambda module, inputs, output: None)
    parametrised = nn.Sequential(weight_norm(nn.Conv2d(3, 3, 1)), nn.BatchNorm2d(3))
    unsettled = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))
    for net in (watched, parametrised, unsettled):
        assert num_norms(fuse_batchnorm(net, noise(8))) == 1


def test_nothing_is_folded_where_outputs_are_no_numbers():
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    net[1].running_mean.fill_(torch.nan)
    assert num_norms(fuse_batchnorm(net, noise(8))) == 1


def test_memory_order_of_the_weights_stays():
    net = learnt(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))).to(memory_format=torch.channels_last)
    assert fuse_batchnorm(net, noise(8))[0].weight.is_contiguous(memory_format=torch.channels_last)
