"""Every method in a training: one from outside the package, all on resume, and what is said where none can act."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from small import options
from torch import Tensor, nn

import tagger
from tagger.batches import ImageFiles
from tagger.config import Settings, check_settings
from tagger.data import Rule, Vocabulary
from tagger.errors import TaggerError
from tagger.heads import heads
from tagger.model import TagModel
from tagger.regularisers import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers
from tagger.training.device import make_accelerator
from tagger.training.fit_key import FitKey
from tagger.training.network.fit_task import FitTask
from tagger.training.network.model_init import init_model
from tagger.training.network.train_network import train_network
from tagger.training.objective import check_regularisers

NAMES = ("baby", "cat", "dog", "people")
VOCABULARY = Vocabulary(
    NAMES, {"pet": {"kind": "ordinal", "labels": ["cat", "dog"]}}, (Rule("baby", "people"),)
)
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> FitTask:
    """Sixteen images of noise with four labels at random; one pet at most."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    labels_NK = (rng.random((16, 4)) < 0.5).astype(np.int8)
    labels_NK[:, 2] *= 1 - labels_NK[:, 1]
    labels_NK[:2] = [[1, 1, 0, 1], [0, 0, 0, 0]]
    for n in range(16):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(root / f"{n}.png")
    files = ImageFiles(root, [f"{n}.png" for n in range(16)], size=64)
    return FitTask(
        files, labels_NK, np.arange(12), np.arange(12, 16), FitKey.single_network(), vocabulary=VOCABULARY
    )


def settings(**more: Any) -> Settings:
    """Two epochs of three steps."""
    tree: dict[str, Any] = {
        "device": "cpu",
        "backbone": {"name": "test_resnet", "weights": "none", "levels": 1},
        "image": {"size": 64, "workers": 0},
        "train": {"epochs": 2, "batch_size": 4, "precision": "fp32", "ema_decay": 0.9, "lr": 1e-3},
    }
    return check_settings(tree | more)


def trained(task: FitTask, chosen: Settings, checkpoint: Path, track: Any = lambda items, _: items) -> State:
    """The weights after a training."""
    model = init_model(task, chosen, None)
    train_network(model, task, chosen, make_accelerator(chosen), checkpoint, track=track)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: State, two: State) -> bool:
    return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())


class Toy(Regulariser):
    """Every hook once: brighter images, a halved map, its own head on the features, gradients turned round."""

    num_maps = 1
    seen: ClassVar[list[str]] = []

    def __init__(self, context: RegulariserContext, *, strength: float = 1.0):
        super().__init__(context)
        self.strength, self.head = strength, nn.Linear(context.num_features, 1)

    def on_images(self, images_BCHW: Tensor, step: StepContext) -> Tensor:
        Toy.seen.append("images")
        step.shared["toy"] = images_BCHW.mean((1, 2, 3))
        return images_BCHW + 0.1 * self.strength

    def on_feature_map(
        self, map_BCHW: Tensor, classifier_weights_KC: Tensor | None, step: StepContext
    ) -> Tensor:
        Toy.seen.append("map")
        assert classifier_weights_KC is None  # not asked for
        return map_BCHW / 2

    def loss(self, outputs: ModelOutputs, step: StepContext) -> Tensor | None:
        Toy.seen.append("loss")
        return self.strength * (self.head(outputs.features_BD)[:, 0] - step.shared["toy"]).square().mean()

    def on_gradients(self, model: nn.Module) -> None:
        Toy.seen.append("gradients")
        assert isinstance(model, TagModel)
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.neg_()


@pytest.fixture
def toy() -> Iterator[None]:
    """A method that the package does not know, registered by its user."""
    regularisers.register("toy")(Toy)
    Toy.seen.clear()
    yield
    del regularisers._parts["toy"]


@pytest.mark.usefixtures("toy")
def test_a_method_from_outside_is_switched_on_by_a_line_of_settings(task: FitTask, tmp_path: Path):
    plain = trained(task, settings(), tmp_path / "a.pt")
    with_toy = trained(task, settings(regularisers={"toy": {"strength": 0.5}}), tmp_path / "b.pt")
    assert Toy.seen[:4] == ["images", "map", "loss", "gradients"]
    assert len(Toy.seen) == 4 * 2 * 3  # two epochs of three steps; validation asks none of it
    assert plain.keys() == with_toy.keys()  # its head is no part of the model
    assert not same(plain, with_toy)
    with pytest.raises(TaggerError, match=r"'strenght'.*Did you mean 'strength'"):
        check_regularisers(settings(regularisers={"toy": {"strenght": 1}}))


@pytest.mark.usefixtures("toy")
def test_a_method_from_outside_works_through_the_command(demo: Path, tmp_path: Path):
    overrides = [*options(), "regularisers.toy.strength=0.5"]
    run = tagger.train(
        demo, run=tmp_path / "run", backbone="test_resnet", weights="none", overrides=overrides
    )
    assert "strength = 0.5" in (run.path / "config.toml").read_text("utf-8")
    assert {"images", "map", "loss", "gradients"} == set(Toy.seen)
    table = tagger.load(run).predict(demo)
    assert np.isfinite(table.iloc[:, 2:].to_numpy(dtype=float)).all()


METHODS = "attention-drop camdrop dropblock grid-dropout ordinal-regression orthoreg rule-consistency"
EVERYTHING: dict[str, dict[str, Any]] = {name: {} for name in METHODS.split()}


def test_no_method_is_forgotten_here():
    assert set(EVERYTHING) == set(regularisers.names())


@pytest.mark.parametrize("stopped_after", [0, 2])
@pytest.mark.parametrize("head", heads.names())
def test_with_every_method_at_once_a_stopped_training_goes_on_to_the_same_bits(
    task: FitTask, tmp_path: Path, head: str, stopped_after: int
):
    chosen = settings(
        regularisers=EVERYTHING,
        head={"name": head} if head != "mlp" else {"name": "mlp", "hidden": 8},
        attention={"depth": 2, "num_heads": 2},
        sampler={"name": "undersampling", "frequent": 0.4, "until": 0.5},
    )
    if head == "mlp":
        chosen = chosen.model_copy(
            update={"regularisers": {n: o for n, o in EVERYTHING.items() if n != "camdrop"}}
        )
    chosen = chosen.model_copy(update={"image": chosen.image.model_copy(update={"progressive_start": 32})})
    whole = trained(task, chosen, tmp_path / "a.pt")

    def stop(items: Any, description: str) -> Any:
        return _broken(items, stopped_after) if "2/2" in description else items

    with pytest.raises(KeyboardInterrupt):
        trained(task, chosen, tmp_path / "b.pt", stop)
    assert same(whole, trained(task, chosen, tmp_path / "b.pt"))


def _broken(items: Any, after: int) -> Iterator[Any]:
    """Some batches, then Ctrl-C."""
    for number, item in enumerate(items):
        if number == after:
            raise KeyboardInterrupt
        yield item


def test_a_network_is_left_without_hooks(task: FitTask, tmp_path: Path):
    chosen = settings(regularisers={"dropblock": {}, "camdrop": {}})
    model = init_model(task, chosen, None)
    before = sum(len(module._forward_hooks) for module in model.modules())
    train_network(
        model, task, chosen, make_accelerator(chosen), tmp_path / "c.pt", track=lambda items, _: items
    )
    assert sum(len(module._forward_hooks) for module in model.modules()) == before


def test_methods_that_need_a_learning_network_say_so_where_none_learns():
    with pytest.raises(TaggerError, match=r"grid-dropout.*train.epochs = 0"):
        check_regularisers(settings(regularisers={"grid-dropout": {}}, train={"epochs": 0}))
    with pytest.raises(TaggerError, match=r"attention.depth.*train.epochs = 0"):
        check_regularisers(settings(attention={"depth": 1}, train={"epochs": 0}))
    check_regularisers(settings(regularisers={"rule-consistency": {}}, train={"epochs": 0}))
    with pytest.raises(TaggerError, match=r"camdrop.*'mlp'"):
        check_regularisers(settings(regularisers={"camdrop": {}}, head={"name": "mlp"}))


def test_switches_in_settings():
    from tagger.presets import load_settings

    assert load_settings("quick", ["regularisers.camdrop=true"]).regularisers == {"camdrop": {}}
    chosen = load_settings("quick", ["regularisers.camdrop=true", "regularisers.camdrop.gamma=0.8"])
    assert chosen.regularisers == {"camdrop": {"gamma": 0.8}}
    chosen = load_settings("quick", ["regularisers.camdrop.gamma=0.8", "regularisers.camdrop=true"])
    assert chosen.regularisers == {"camdrop": {"gamma": 0.8}}
    assert (
        load_settings("quick", ["regularisers.camdrop=true", "regularisers.camdrop=false"]).regularisers == {}
    )
    for wrong in ("regularisers.camdrop=3", "train.lr.x=3", "regularisers.camdrop.gamma.x=3"):
        with pytest.raises(TaggerError):
            load_settings("quick", [wrong])


def test_every_method_at_once_stays_finite_compiled_and_in_bfloat16(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    compiled: list[Any] = []

    def compile_without_a_c_compiler(call: Any) -> Any:
        compiled.append(call)
        return torch_compile(call, backend="aot_eager")

    torch_compile = torch.compile
    monkeypatch.setattr(torch, "compile", compile_without_a_c_compiler)
    train = {"epochs": 1, "batch_size": 4, "precision": "bf16", "compile": True}
    chosen = settings(regularisers=EVERYTHING, head={"name": "ecoc"}, attention={"depth": 2}, train=train)
    weights = trained(task, chosen, tmp_path / "c.pt")
    assert len(compiled) == 1
    assert all(tensor.isfinite().all() for tensor in weights.values())
