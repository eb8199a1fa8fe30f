"""What acts on maps keeps its promises inside a training step of a whole network."""

from typing import Any

import pytest
import torch
from timm.layers import DropPath
from torch import Tensor

from tagger.config import check_settings
from tagger.errors import TaggerError
from tagger.heads import heads
from tagger.losses import losses
from tagger.model import TagModel, make_backbone
from tagger.regularisers import Regulariser, RegulariserContext, StepContext, regularisers
from tagger.training.network.train_step import TrainStep
from tagger.training.objective import Objective, make_regularisers

OFF = {"camdrop": {"gamma": 1.0}, "attention-drop": {"alpha": 0.0}, "dropblock": {"drop_prob": 0.0}}
STRONG = {
    "camdrop": {"gamma": 0.2, "layers": 2},
    "attention-drop": {"alpha": 1.0, "layers": 2},
    "dropblock": {"drop_prob": 0.5, "layers": 2},
}


def a_step(num: int) -> StepContext:
    """A step in the middle of a training; every image has a label."""
    targets_BK = torch.tensor([[1.0, 0.0, -1.0]]).repeat(num, 1)
    return StepContext(targets_BK, torch.tensor(0.5), torch.Generator().manual_seed(0))


def make(chosen: dict[str, dict[str, Any]], backbone: str = "test_resnet", head: str = "linear") -> TrainStep:
    """A train_step of a small network with these regularisers."""
    settings = check_settings({"regularisers": chosen})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = make_backbone(backbone, "none", size=64, levels=3)
        model = TagModel(net, heads.build(head, net.num_features, 3))
        context = RegulariserContext(net.num_features, ("a", "b", "c"))
        return TrainStep(
            model, Objective(losses.build("bce", None), make_regularisers(settings, context))
        ).train()


def learn(train_step: TrainStep) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of one step and all gradients."""
    images_BCHW = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    step = a_step(4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        loss = train_step(images_BCHW, step.targets_BK, None, step)
    loss.backward()
    gradients = {name: p.grad for name, p in train_step.model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients


@pytest.mark.parametrize("name", OFF)
def test_switched_off_a_step_is_the_same_to_the_bit(name: str):
    plain, plain_gradients = learn(make({}))
    loss, gradients = learn(make({name: OFF[name]}))
    assert torch.equal(loss, plain)
    assert gradients.keys() == plain_gradients.keys()
    assert all(torch.equal(gradients[key], plain_gradients[key]) for key in gradients)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit", "test_mambaout"])
@pytest.mark.parametrize("name", STRONG)
def test_switched_on_it_acts_while_learning_only_and_until_it_is_released(name: str, backbone: str):
    train_step, plain = make({name: STRONG[name]}, backbone), make({}, backbone)
    images_BCHW = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    loss, gradients = learn(train_step)
    assert not torch.equal(loss, learn(plain)[0])
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    for module in (train_step, plain):
        module.zero_grad()
        module.load_state_dict(
            make({}, backbone).state_dict(), strict=True
        )  # no batch statistics of the steps above
    with torch.no_grad():
        assert torch.equal(train_step.eval().model(images_BCHW), plain.eval().model(images_BCHW))
    train_step.train().release()
    plain.train()
    assert torch.equal(learn(train_step)[0], learn(plain)[0])


@pytest.mark.parametrize("name", STRONG)
def test_a_step_is_finite_in_bfloat16(name: str):
    with torch.autocast("cpu", torch.bfloat16):
        loss, gradients = learn(make({name: STRONG[name]}))
    assert loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_a_compiled_step_with_all_of_them_is_finite_and_differs_from_one_without():
    torch.compiler.reset()
    train_step, plain = make(STRONG), make({})
    train_step._forward_outputs = torch.compile(train_step.model.forward_outputs, backend="aot_eager")
    loss, gradients = learn(train_step)
    assert loss.isfinite()
    assert not torch.isclose(loss, learn(plain)[0])
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_camdrop_gives_the_weaker_of_two_cues_its_turn():
    labels_B = torch.arange(16) % 2
    map_BCHW = torch.zeros(16, 8, 4, 4)
    map_BCHW[:, 0, 1, 1] = 3.0 * labels_B  # the label can be told from here,
    map_BCHW[:, 1, 2, 3] = 1.0 * labels_B  # and, less easily, from there

    def share_of_the_weaker(part: Regulariser | None) -> float:
        weights_1C = torch.zeros(1, 8, requires_grad=True)
        step = StepContext(labels_B[:, None].float(), torch.tensor(1.0), torch.Generator())
        optimiser = torch.optim.SGD([weights_1C], lr=1.0)
        for _ in range(200):
            seen_BCHW = part.on_feature_map(map_BCHW, weights_1C.detach(), step) if part else map_BCHW
            logits_B = (seen_BCHW.mean((2, 3)) @ weights_1C.T)[:, 0] - 1
            optimiser.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(logits_B, labels_B.float()).backward()
            optimiser.step()
        strong, weak = 3 * weights_1C[0, 0].item(), weights_1C[0, 1].item()
        return weak / (strong + weak)

    camdrop = regularisers.build("camdrop", RegulariserContext(8, ("a",)), gamma=0.2, positions=1 / 16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert share_of_the_weaker(None) == pytest.approx(
            0.1, abs=0.01
        )  # gradients as 3 to 1, effects as 9 to 1
        assert share_of_the_weaker(camdrop) > 0.15


def test_camdrop_with_codes_uses_their_weights_and_with_a_hidden_layer_is_refused():
    loss, _ = learn(make({"camdrop": STRONG["camdrop"]}, head="ecoc"))
    assert loss.isfinite()
    with pytest.raises(TaggerError, match=r"needs a linear head, and the run has head 'mlp'"):
        learn(make({"camdrop": {}}, head="mlp"))


def test_a_kept_drop_path_rate_is_timms_and_needs_no_part_of_ours():
    net = make_backbone("mobilenetv2_100", "none", size=64, levels=1, drop_path_rate=0.1).net
    rates = [module.drop_prob for module in net.modules() if isinstance(module, DropPath)]
    assert rates
    assert max(rates) <= 0.1
