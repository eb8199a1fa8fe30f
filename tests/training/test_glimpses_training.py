"""Glimpses in a training: stopped and resumed, beside every other method, off without a trace, and in a run's life."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small import train_argv
from torch import Tensor

import tagger
from tagger.batches import ImageFiles
from tagger.config import Settings, check_settings
from tagger.model.feature_hooks import hook_feature_maps
from tagger.review import Decision, Store
from tagger.runs import RunFolder
from tagger.training.device import make_accelerator
from tagger.training.fit_key import FitKey
from tagger.training.network.fit_task import FitTask
from tagger.training.network.model_init import init_model
from tagger.training.network.train_network import train_network

State = dict[str, Tensor]
SEEN = {"count": 2, "grid": 4, "size": 64, "stage": 2}
METHODS = "attention-drop camdrop dropblock grid-dropout orthoreg"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen images of noise."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    for n in range(16):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(root / f"{n}.png")
    return root


def task_of(photos: Path, chosen: Settings) -> FitTask:
    labels_NK = (np.random.default_rng(1).random((16, 3)) < 0.5).astype(np.int8)
    labels_NK[:2] = [[1, 1, 1], [0, 0, 0]]
    files = ImageFiles(photos, [f"{n}.png" for n in range(16)], size=chosen.input_size)
    return FitTask(files, labels_NK, np.arange(12), np.arange(12, 16), FitKey.single_network())


def settings(**more: Any) -> Settings:
    tree: dict[str, Any] = {
        "device": "cpu",
        "backbone": {"name": "test_resnet", "weights": "none", "levels": 1},
        "image": {"size": 32, "workers": 0},
        "mix": {"mixup": 0.4, "cutmix": 1.0},
        "train": {"epochs": 2, "batch_size": 4, "precision": "fp32", "ema_decay": 0.9, "lr": 1e-3},
    }
    return check_settings(tree | more)


def trained(photos: Path, chosen: Settings, checkpoint: Path, track: Any = lambda items, _: items) -> State:
    """The weights after a training."""
    task = task_of(photos, chosen)
    model = init_model(task, chosen, None)
    train_network(model, task, chosen, make_accelerator(chosen), checkpoint, track=track)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: State, two: State) -> bool:
    return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def _broken(items: Any, after: int) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number == after:
            raise KeyboardInterrupt
        yield item


def test_beside_every_method_a_stopped_training_goes_on_to_the_same_bits(photos: Path, tmp_path: Path):
    chosen = settings(
        glimpses=SEEN, regularisers={name: {} for name in METHODS.split()}, attention={"depth": 2}
    )
    whole = trained(photos, chosen, tmp_path / "a.pt")
    assert all(torch.isfinite(tensor).all() for tensor in whole.values() if tensor.is_floating_point())
    assert whole["glimpses.what.weight"].any()

    def stop(items: Any, description: str) -> Any:
        return _broken(items, 1) if "2/2" in description else items

    with pytest.raises(KeyboardInterrupt):
        trained(photos, chosen, tmp_path / "b.pt", stop)
    assert same(whole, trained(photos, chosen, tmp_path / "b.pt"))


def test_off_a_training_gives_the_same_bits_whatever_else_the_section_says(photos: Path, tmp_path: Path):
    plain = trained(photos, settings(), tmp_path / "a.pt")
    off = {**SEEN, "count": 0, "mode": "sum"}
    assert same(plain, trained(photos, settings(glimpses=off), tmp_path / "b.pt"))


def test_methods_on_maps_see_whole_photos_only(photos: Path):
    chosen = settings(glimpses=SEEN)
    model = init_model(task_of(photos, chosen), chosen, None).train()
    sizes: list[int] = []

    def note(map_BCHW: Tensor, depth: int) -> Tensor:
        sizes.append(len(map_BCHW))
        return map_BCHW

    handles = hook_feature_maps(model.backbone, 5, note)
    model(torch.rand(3, 3, 64, 64))
    for handle in handles:
        handle.remove()
    assert sizes == [3] * 5  # 6 would be the patches


def test_a_run_with_glimpses_tags_doubts_and_learns_on(
    tagger_cli: Callable[..., Any], demo: Path, tmp_path: Path
):
    seen = {f"glimpses__{key}": value for key, value in SEEN.items()}
    run = tmp_path / "run"
    done = tagger_cli(*train_argv(demo, run, train__epochs=1, head_stage__enabled=False, **seen))
    assert done.code == 0, done.err
    predictor = tagger.load(run)
    assert predictor.model.glimpses is not None
    table = predictor.predict(demo)
    assert np.isfinite(table.iloc[:, 2:].to_numpy(dtype=float)).all()
    url = f"sqlite:///{tmp_path / 'review.db'}"
    assert tagger_cli("suspects", "--run", run, "--store", url).code == 0
    suspect = RunFolder(run).load_suspects().iloc[0]
    given = int(suspect["given"])
    decision = Decision(
        hash=suspect["hash"], label=suspect["label"], verdict="no" if given else "yes", before=given,
        suggested=1 - given, doubt=0.5, run="run", reviewer="ann", seconds=1.0, client="tab", seq=0,
    )  # fmt: skip
    store = Store.open(url)
    store.record([decision])
    store.close()
    again = tagger_cli("retrain", "--run", run, "--store", url, "--out", tmp_path / "new")
    assert again.code == 0, again.err
    assert tagger.load(tmp_path / "new").model.glimpses is not None
    assert RunFolder(tmp_path / "new").load_settings().glimpses.count == 2


def test_presets_that_train_heads_alone_refuse_before_a_photo_is_read(
    tagger_cli: Callable[..., Any], demo: Path, tmp_path: Path
):
    done = tagger_cli(
        "train", "--data", demo, "--run", tmp_path / "run", "--preset", "quick", "--set", "glimpses.count=5",
        "--backbone", "test_resnet", "--weights", "none",
    )  # fmt: skip
    assert done.code == 2
    assert "train.epochs = 0 trains only a head on cached features" in done.err
    assert not (tmp_path / "run").exists()
