"""The three ways to a model: whose probabilities come from where, and which network is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import tagger.training.pipeline as pipeline
from tagger.batches import ImageFiles
from tagger.config import Settings, check_settings
from tagger.data import split_images
from tagger.model import TagModel
from tagger.runs import Checkpoint
from tagger.training.device import make_accelerator
from tagger.training.features import Features
from tagger.training.fit_key import FitKey
from tagger.training.network import fit_network
from tagger.training.network.fit_task import FitTask
from tagger.training.pipeline import train_model
from tagger.training.training_data import TrainingData, TrainingResult

N, K = 60, 3


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageFiles:
    """Sixty images of noise."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    for n in range(N):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(root / f"{n}.png")
    return ImageFiles(root, [f"{n}.png" for n in range(N)], size=32)


def training_data(images: ImageFiles, *, features: bool) -> TrainingData:
    """Random labels, a stratified split, and (96) random features if any."""
    rng = np.random.default_rng(1)
    labels_NK = (rng.random((N, K)) < 0.5).astype(np.int8)
    split = split_images(labels_NK, [str(n) for n in range(N)], val=0.2, test=0.2, folds=4, seed=0)
    views_VND = rng.normal(size=(2, N, 96)).astype(np.float16)
    return TrainingData(
        images, labels_NK, split.split, split.fold, Features(views_VND, {}) if features else None
    )


def settings(**train: Any) -> Settings:
    """One epoch of a tiny network."""
    return check_settings(
        {
            "device": "cpu",
            "backbone": {"name": "test_resnet", "weights": "none", "levels": 1},
            "head": {"name": "linear"},
            "image": {"size": 32, "workers": 0},
            "head_stage": {"epochs": 2},
            "train": {"epochs": 1, "batch_size": 16, "precision": "fp32", **train},
        }
    )


def no_track(items: Any, description: str) -> Any:
    """No progress."""
    return items


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[FitTask]:
    """What each network was asked to learn; nothing is trained."""
    seen: list[FitTask] = []

    def fit(model: TagModel, task: FitTask, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        seen.append(task)
        return [
            {
                "stage": task.key.title,
                "epoch": 1,
                "train_loss": 1.0,
                "lr": 0.1,
                "val_loss": 1.0,
                "val_map": 0.5,
            }
        ]

    monkeypatch.setattr(fit_network, "train_network", fit)
    return seen


WAYS = {
    "frozen": (True, {"epochs": 0}),
    "single": (True, {}),
    "cross": (True, {"fold_models": 2}),
    "nothing": (False, {}),
}


def go(way: str, images: ImageFiles, folder: Path) -> tuple[TrainingData, TrainingResult]:
    """One of the ways from images to a model."""
    features, train = WAYS[way]
    chosen, made = settings(**train), training_data(images, features=features)
    folder.mkdir(exist_ok=True)
    return made, train_model(made, chosen, make_accelerator(chosen), Checkpoint(folder), track=no_track)


@pytest.mark.parametrize("way", WAYS)
def test_every_image_gets_probabilities_and_every_row_is_in_place(
    way: str, images: ImageFiles, tmp_path: Path, tasks: list[FitTask]
):
    made, trained = go(way, images, tmp_path)
    assert trained.logits_NK.shape == (N, K)
    assert np.isfinite(trained.logits_NK).all()
    assert len(trained.embeddings_ND) == N
    assert trained.embeddings_ND.dtype == np.float16
    assert not trained.threshold_rows_N[made.split_N == "test"].any()
    assert trained.threshold_rows_N.any()
    assert not trained.model.training


@pytest.mark.parametrize("way", WAYS)
def test_no_network_learns_from_what_it_is_held_out_from_or_from_the_test_split(
    way: str, images: ImageFiles, tmp_path: Path, tasks: list[FitTask]
):
    made, _ = go(way, images, tmp_path)
    assert len(tasks) == {"frozen": 0, "single": 1, "cross": 2, "nothing": 3}[way]
    for task in tasks:
        assert not set(task.rows) & set(task.held_out), task.key
        assert not (made.split_N[task.rows] == "test").any(), task.key
        assert not (made.split_N[task.held_out] == "test").any(), task.key


@pytest.mark.parametrize("way", ["cross", "nothing"])
def test_the_networks_out_of_fold_cover_train_and_val_between_them(
    way: str, images: ImageFiles, tmp_path: Path, tasks: list[FitTask]
):
    made, trained = go(way, images, tmp_path)
    covered = np.concatenate([task.held_out for task in tasks if task.key != FitKey.single_network()])
    assert sorted(covered) == made.rows("train", "val").tolist()
    np.testing.assert_array_equal(trained.threshold_rows_N, made.split_N != "test")


def test_the_last_network_from_nothing_never_learns_val(
    images: ImageFiles, tmp_path: Path, tasks: list[FitTask]
):
    made, _ = go("nothing", images, tmp_path)
    assert tasks[-1].key == FitKey.single_network()
    assert tasks[-1].held_out.tolist() == made.rows("val").tolist()
    assert tasks[-1].rows.tolist() == made.rows("train").tolist()


def test_fine_tuning_that_does_not_help_is_thrown_away_with_a_note(
    images: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[FitTask]
):
    scores = iter([0.6, 0.5])
    monkeypatch.setattr(pipeline, "mean_average_precision", lambda *args: next(scores))
    made, trained = go("cross", images, tmp_path)
    assert "0.500 against 0.600" in trained.notes[0]
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "mean_average_precision", lambda *args: 0.6)
        _, frozen = go("frozen", images, tmp_path / "frozen")
    head = trained.model.state_dict()["head.fc.weight"]
    assert head.shape == frozen.model.state_dict()["head.fc.weight"].shape
    assert len(made.images) == len(trained.logits_NK)


def test_the_mean_of_networks_is_the_mean_of_their_weights(
    images: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    states: list[dict[str, torch.Tensor]] = []

    def fit(model: TagModel, task: FitTask, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        with torch.no_grad():
            for tensor in model.state_dict().values():
                if tensor.is_floating_point():
                    tensor.add_(len(states) + 1)
        states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return []

    scores = iter([0.5, 0.6])
    monkeypatch.setattr(fit_network, "train_network", fit)
    monkeypatch.setattr(pipeline, "mean_average_precision", lambda *args: next(scores))
    _, trained = go("cross", images, tmp_path)
    for name, tensor in trained.model.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (states[0][name] + states[1][name]) / 2)


@pytest.mark.parametrize("way", ["single", "cross", "nothing"])
def test_a_network_that_is_done_is_not_trained_again(
    way: str, images: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made, first = go(way, images, tmp_path)

    def again(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(fit_network, "train_network", again)
    _, second = go(way, images, tmp_path)
    np.testing.assert_array_equal(first.logits_NK, second.logits_NK)
    for dynamics in (first.dynamics, second.dynamics):  # of every image that some part or half held out
        assert (
            np.flatnonzero(np.isfinite(dynamics.mean_NK).all(1)).tolist()
            == made.rows("train", "val").tolist()
        )
    np.testing.assert_array_equal(first.dynamics.mean_NK, second.dynamics.mean_NK)
    np.testing.assert_array_equal(first.dynamics.std_NK, second.dynamics.std_NK)
    assert first.history == second.history
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    assert made.rows("test").size


def weights_of(images: ImageFiles, tmp_path: Path, keep: float) -> dict[str, torch.Tensor]:
    """Weights of the averaged network that kept a share of its start."""
    chosen = settings(fold_models=2, wise_ft_share=keep)
    folder = tmp_path / str(keep)
    folder.mkdir()
    trained = train_model(
        training_data(images, features=True),
        chosen,
        make_accelerator(chosen),
        Checkpoint(folder),
        track=no_track,
    )
    assert not trained.notes, "the heads were kept: this seed says nothing about the networks"
    return trained.model.state_dict()


def test_weights_that_keep_a_share_of_their_start_lie_on_the_line_to_it(
    images: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pipeline, "mean_average_precision", lambda labels_NK, logits_NK: 0.5)
    ends = {keep: weights_of(images, tmp_path, keep) for keep in (0.0, 0.25, 1.0)}
    moved = 0.0
    for name, tuned in ends[0.0].items():
        if tuned.is_floating_point():
            between = 0.75 * tuned + 0.25 * ends[1.0][name]
            torch.testing.assert_close(ends[0.25][name], between, atol=1e-5, rtol=1e-4)
            moved += (tuned - ends[1.0][name]).abs().sum().item()
    assert moved > 0
