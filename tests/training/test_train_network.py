"""The whole network: goes on to the bit where it was stopped, keeps its best epoch, and freezes what it says."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import tagger.training.network.train_network as fit_module
from tagger.batches import ImageFiles
from tagger.config import Settings, check_settings
from tagger.model import TagModel, new_backbone, new_head
from tagger.training.device import make_accelerator
from tagger.training.dynamics import TrainingDynamics
from tagger.training.fit_key import FitKey
from tagger.training.network.fit_task import FitTask
from tagger.training.network.train_network import train_network

N, EPOCHS, STEPS = 20, 3, 4  # 16 images learn in batches of 4
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> FitTask:
    """Twenty images of noise; bright ones have the first label."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    labels_NK = (rng.random((N, 3)) < 0.5).astype(np.int8)
    labels_NK[:2] = [[1, 1, 1], [0, 0, 0]]
    labels_NK[5, 1] = -1
    for n in range(N):
        pixels = rng.integers(0, 128, (32, 32, 3)) + 127 * labels_NK[n, 0]
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{n}.png")
    files = ImageFiles(root, [f"{n}.png" for n in range(N)], size=32)
    return FitTask(files, labels_NK, np.arange(2, 18), np.array([0, 1, 18, 19]), FitKey.single_network())


def settings(backbone: str = "test_resnet", **train: Any) -> Settings:
    """Everything random at once: dropout, augmentation, mixing, averaging."""
    return check_settings(
        {
            "device": "cpu",
            "backbone": {"name": backbone, "weights": "none", "levels": 1, "drop_path_rate": 0.2},
            "image": {"size": 32, "workers": 0},
            "augment": {"erasing": 0.5, "randaugment": 1},
            "mix": {"mixup": 0.4, "cutmix": 1.0, "prob": 0.7},
            "sampler": {"name": "class-aware"},
            "train": {
                "epochs": EPOCHS,
                "batch_size": 4,
                "precision": "fp32",
                "ema_decay": 0.9,
                "lr": 1e-3,
                **train,
            },
        }
    )


def new_model(chosen: Settings) -> TagModel:
    """The same untrained network each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        backbone = new_backbone(chosen)
        return TagModel(backbone, new_head(backbone.num_features, 3, chosen))


def no_track(items: Any, description: str) -> Any:
    """No progress."""
    return items


def run(
    task: FitTask, chosen: Settings, checkpoint: Path, track: Any = no_track
) -> tuple[State, list[dict[str, Any]]]:
    """The weights and the history of a training."""
    model = new_model(chosen)
    history = train_network(model, task, chosen, make_accelerator(chosen), checkpoint, track=track)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}, history


def same(one: State, two: State) -> bool:
    """Whether two states are equal to the bit."""
    return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def stop_after(batches: int) -> Callable[[Any, str], Iterator[Any]]:
    """A track that pulls the plug after some batches."""
    left = iter(range(batches))

    def track(items: Any, description: str) -> Iterator[Any]:
        for item in items:
            if next(left, None) is None:
                raise KeyboardInterrupt
            yield item

    return track


@pytest.fixture(scope="module")
def whole(task: FitTask, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, list[dict[str, Any]]]:
    """An uninterrupted training."""
    return run(task, settings(), tmp_path_factory.mktemp("whole") / "c.pt")


def test_a_training_learns_something(whole: Any):
    _, history = whole
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert all(
        math.isfinite(row[key]) for row in history for key in ("train_loss", "val_loss", "val_map", "lr")
    )
    assert all(0 < row["val_map"] <= 1 for row in history)
    assert history[-1]["lr"] == pytest.approx(0, abs=1e-9)


def test_the_same_seed_gives_the_same_network_to_the_bit(task: FitTask, tmp_path: Path, whole: Any):
    torch.manual_seed(99)  # the state of the world does not matter
    np.random.seed(99)
    weights, history = run(task, settings(), tmp_path / "c.pt")
    assert same(weights, whole[0])
    assert history == whole[1]


def test_another_seed_gives_another_network(task: FitTask, tmp_path: Path, whole: Any):
    weights, _ = run(task, settings().model_copy(update={"seed": 1}), tmp_path / "c.pt")
    assert not same(weights, whole[0])


def test_the_callers_random_state_is_left_alone(task: FitTask, tmp_path: Path):
    before = torch.get_rng_state()
    chosen = settings(epochs=1)
    model = new_model(chosen)
    train_network(model, task, chosen, make_accelerator(chosen), tmp_path / "c.pt", track=no_track)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("batches", [0, 1, STEPS, STEPS + 2, 2 * STEPS, 3 * STEPS - 1])
def test_a_training_stopped_anywhere_goes_on_to_the_same_bits(
    task: FitTask, tmp_path: Path, whole: Any, batches: int
):
    with pytest.raises(KeyboardInterrupt):
        run(task, settings(), tmp_path / "c.pt", stop_after(batches))
    weights, history = run(task, settings(), tmp_path / "c.pt")
    assert same(weights, whole[0])
    assert history == whole[1]


def test_a_training_stopped_in_every_epoch_ends_the_same(task: FitTask, tmp_path: Path, whole: Any):
    for _ in range(EPOCHS - 1):
        with pytest.raises(KeyboardInterrupt):
            run(task, settings(), tmp_path / "c.pt", stop_after(STEPS + 1))
    weights, history = run(task, settings(), tmp_path / "c.pt")
    assert same(weights, whole[0])
    assert history == whole[1]


def test_dynamics_of_a_stopped_training_are_those_of_a_whole_one(task: FitTask, tmp_path: Path):
    whole, stopped = (TrainingDynamics(*task.labels_NK.shape) for _ in range(2))
    chosen = settings()
    train_network(
        new_model(chosen),
        task,
        chosen,
        make_accelerator(chosen),
        tmp_path / "a.pt",
        track=no_track,
        dynamics=whole,
    )
    with pytest.raises(KeyboardInterrupt):
        run(task, chosen, tmp_path / "b.pt", stop_after(STEPS + 1))
    train_network(
        new_model(chosen),
        task,
        chosen,
        make_accelerator(chosen),
        tmp_path / "b.pt",
        track=no_track,
        dynamics=stopped,
    )
    np.testing.assert_array_equal(whole.mean_NK, stopped.mean_NK)
    np.testing.assert_array_equal(whole.std_NK, stopped.std_NK)
    assert np.flatnonzero(np.isfinite(whole.mean_NK).all(1)).tolist() == task.held_out.tolist()


def test_a_finished_training_is_not_trained_again(task: FitTask, tmp_path: Path):
    first = run(task, settings(epochs=1), tmp_path / "c.pt")
    again = run(task, settings(epochs=1), tmp_path / "c.pt", stop_after(0))
    assert same(first[0], again[0])
    assert first[1] == again[1]


@pytest.mark.parametrize(
    "train", [{"ema_decay": 0.0, "optimiser": "sgd"}, {"patience": 1}, {"freeze_epochs": 1}]
)
def test_other_ways_of_training_go_on_to_the_same_bits_too(
    task: FitTask, tmp_path: Path, train: dict[str, Any]
):
    expected = run(task, settings(**train), tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        run(task, settings(**train), tmp_path / "c.pt", stop_after(STEPS + 1))
    weights, history = run(task, settings(**train), tmp_path / "c.pt")
    assert same(weights, expected[0])
    assert history == expected[1]


def test_the_number_of_reading_processes_changes_nothing(task: FitTask, tmp_path: Path, whole: Any):
    chosen = settings()
    image = chosen.image.model_copy(update={"workers": 1})
    weights, _ = run(task, chosen.model_copy(update={"image": image}), tmp_path / "c.pt")
    assert same(weights, whole[0])


def test_images_held_out_teach_nothing(task: FitTask, tmp_path: Path, whole: Any):
    labels_NK = task.labels_NK.copy()
    labels_NK[task.held_out] = 1 - labels_NK[task.held_out]
    weights, _ = run(
        FitTask(task.images, labels_NK, task.rows, task.held_out, task.key), settings(), tmp_path / "c.pt"
    )
    assert same(weights, whole[0])


def scripted(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> list[State]:
    """Validation gives these scores; the averaged weights of each epoch are collected."""
    seen: list[State] = []

    def validate(loop: Any, epoch: int) -> dict[str, float]:
        seen.append(loop.state.evaluated_weights())
        return {"val_loss": 1.0, "val_map": scores[len(seen) - 1]}

    monkeypatch.setattr(fit_module._NetworkTrainer, "validate", validate)
    return seen


def test_patience_stops_the_training_and_keeps_the_best_epoch(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = scripted(monkeypatch, [0.1, 0.5, 0.4, 0.5, 0.9])
    weights, history = run(task, settings(epochs=5, patience=2), tmp_path / "c.pt")
    assert [row["val_map"] for row in history] == [
        0.1,
        0.5,
        0.4,
        0.5,
    ]  # two epochs that are no better, then no more
    assert same(weights, seen[1])


def test_without_patience_the_last_epoch_is_kept(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = scripted(monkeypatch, [0.9, 0.5])
    weights, _ = run(task, settings(epochs=2), tmp_path / "c.pt")
    assert same(weights, seen[1])


def test_an_undefined_validation_score_stops_nothing(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scripted(monkeypatch, [math.nan] * 4)
    _, history = run(task, settings(epochs=4, patience=1), tmp_path / "c.pt")
    assert len(history) == 4


def test_frozen_epochs_teach_only_the_head(task: FitTask, tmp_path: Path):
    chosen = settings(epochs=1, freeze_epochs=1, ema_decay=0.0)
    start, (weights, _) = new_model(chosen).state_dict(), run(task, chosen, tmp_path / "c.pt")
    changed = {name for name, tensor in weights.items() if not torch.equal(tensor, start[name])}
    assert changed == {"head.fc.weight", "head.fc.bias"}


def test_after_the_frozen_epochs_the_backbone_learns(task: FitTask, tmp_path: Path):
    chosen = settings(epochs=2, freeze_epochs=1, ema_decay=0.0)
    start, (weights, _) = new_model(chosen).state_dict(), run(task, chosen, tmp_path / "c.pt")
    assert not torch.equal(weights["backbone.net.conv1.0.weight"], start["backbone.net.conv1.0.weight"])


def test_frozen_stages_keep_their_weights_and_statistics(task: FitTask, tmp_path: Path):
    chosen = settings(epochs=1, freeze_share=0.5, ema_decay=0.0)
    model = new_model(chosen)
    start, (weights, _) = model.state_dict(), run(task, chosen, tmp_path / "c.pt")
    stages = model.backbone.stages()
    frozen = {name.rpartition(".")[0] for stage in stages[:2] for name in stage}
    for name, tensor in weights.items():
        owner = name.removeprefix("backbone.net.").rpartition(".")[0]
        if owner in frozen:
            assert torch.equal(tensor, start[name]), name
        elif name.endswith("weight"):
            assert not torch.equal(tensor, start[name]), name


@pytest.mark.parametrize("keep", [True, False])
def test_batch_statistics_are_kept_when_asked(task: FitTask, tmp_path: Path, keep: bool):
    chosen = settings(epochs=1, freeze_norm=keep, ema_decay=0.0)
    start, (weights, _) = new_model(chosen).state_dict(), run(task, chosen, tmp_path / "c.pt")
    for name, tensor in weights.items():
        if name.endswith("running_mean"):
            assert torch.equal(tensor, start[name]) == keep, name


def test_fewer_images_than_a_batch_still_train(task: FitTask, tmp_path: Path):
    chosen = settings("test_vit", epochs=1, batch_size=64)
    _, history = run(task, chosen, tmp_path / "c.pt")
    assert math.isfinite(history[0]["train_loss"])


@pytest.mark.parametrize("train", [{"batch_size": 1}, {}])
def test_images_that_come_alone_have_no_batch_statistics(
    task: FitTask, tmp_path: Path, train: dict[str, Any]
):
    rows = task.rows if train else task.rows[:1]
    alone = FitTask(task.images, task.labels_NK, rows, task.held_out, task.key)
    _, history = run(alone, settings(epochs=1, **train), tmp_path / "c.pt")
    assert math.isfinite(history[0]["train_loss"])


def test_a_checkpoint_is_whole_or_absent(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Any
):
    """The plug is pulled while the second epoch's checkpoint is written: the first one's is still there."""
    save, calls = torch.save, iter(range(10))

    def breaks_off(state: Any, path: Path) -> None:
        save(state, path)
        if next(calls) == 1:
            path.write_bytes(path.read_bytes()[:1000])
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit_module.torch, "save", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            run(task, settings(), tmp_path / "c.pt")
    weights, history = run(task, settings(), tmp_path / "c.pt")
    assert same(weights, whole[0])
    assert history == whole[1]
