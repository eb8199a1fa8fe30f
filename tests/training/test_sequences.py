"""Training with frames before: what is learnt, from whom, and what stays as it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from moving_bars import OPTIONS, draw_clips
from safetensors.torch import load_file
from small import options, train_argv
from typer.testing import CliRunner

import tagger
from tagger.batches import ImageFiles
from tagger.cli import app
from tagger.config import Settings, check_settings
from tagger.data import split_images
from tagger.data.frame_windows import Frames
from tagger.errors import TaggerError
from tagger.runs import Checkpoint, RunFolder
from tagger.training.device import make_accelerator
from tagger.training.features import Features
from tagger.training.head.cross_fit import cross_fit_heads
from tagger.training.head.cross_fit_sequences import cross_fit_sequences
from tagger.training.pipeline import train_model
from tagger.training.training_data import TrainingData

N, K, D = 160, 2, 6


def settings(**sequence: Any) -> Settings:
    """Heads and LSTMs of a second, on a tiny network."""
    return check_settings(
        {
            "device": "cpu",
            "data": {"sequences": "name"},
            "backbone": {"name": "test_resnet", "weights": "none", "levels": 1},
            "image": {"size": 32, "workers": 0},
            "head_stage": {"epochs": 2},
            "train": {"epochs": 0, "precision": "fp32"},
            "sequence": {"length": 4, "hidden": 8, "epochs": 12, "batch_size": 32, **sequence},
        }
    )


def moving_data() -> TrainingData:
    """20 sequences of 8 frames. The second label is whether a feature rises; the first is noise."""
    rng = np.random.default_rng(0)
    sequence_N, place_N = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    rises_N = sequence_N % 2
    labels_NK = np.stack([rng.random(N) < 0.4, rises_N], axis=1).astype(np.int8)
    views_VND = rng.normal(size=(2, N, D)).astype(np.float16)
    views_VND[..., 0] = np.where(rises_N, place_N, 7 - place_N)
    split = split_images(
        labels_NK, [str(n) for n in range(N)], groups=sequence_N * 8, val=0.1, test=0.2, folds=4
    )
    images = ImageFiles(Path(), [f"{n}.png" for n in range(N)], size=32)
    features = Features(views_VND, {})
    return TrainingData(
        images, labels_NK, split.split, split.fold, features, frames=Frames(sequence_N, place_N)
    )


def no_track(items: Any, description: str) -> Any:
    """No progress."""
    return items


def cross_fit(data: TrainingData, chosen: Settings) -> Any:
    """The LSTMs of each fold on top of its heads."""
    heads = cross_fit_heads(data.features.pooled_VND, data.labels_NK, data.fold_N, chosen, track=no_track)
    return heads, cross_fit_sequences(data, heads, chosen, track=no_track)


def test_the_direction_of_a_movement_is_learnt_out_of_fold():
    data = moving_data()
    heads, fitted = cross_fit(data, settings(lr=0.02, epochs=50, batch_size=16))
    known = np.flatnonzero((data.fold_N >= 0) & (data.frames.place_N >= 2))
    right = [
        (of[known, 1] > 0) == (data.labels_NK[known, 1] == 1) for of in (heads.logits_NK, fitted.logits_NK)
    ]
    assert np.mean(right[0]) < 0.75
    assert np.mean(right[1]) > 0.95
    assert np.isnan(fitted.logits_NK[data.fold_N < 0]).all()
    assert [row["epoch"] for row in fitted.history] == list(range(1, 51))


def test_no_lstm_learns_from_labels_of_its_own_fold_or_of_the_test_split():
    data, chosen = moving_data(), settings(epochs=2)
    changed_NK = data.labels_NK.copy()
    own = (data.fold_N == 1) | (data.fold_N < 0)
    changed_NK[own] = 1 - changed_NK[own]
    _, before = cross_fit(data, chosen)
    _, after = cross_fit(replace(data, labels_NK=changed_NK), chosen)
    same = [
        all(
            torch.equal(a, b)
            for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True)
        )
        for one, two in zip(before.members, after.members, strict=True)
    ]
    assert same == [False, True, False, False]
    assert np.array_equal(before.logits_NK[data.fold_N == 1], after.logits_NK[data.fold_N == 1])


def test_frames_of_other_sequences_change_nothing():
    data, chosen = moving_data(), settings(epochs=1)
    _, fitted = cross_fit(data, chosen)
    alone = Frames(np.arange(N), np.zeros(N, np.int64))
    _, single = cross_fit(replace(data, frames=alone), chosen)
    first = (data.frames.place_N == 0) & (data.fold_N >= 0)
    assert not np.array_equal(fitted.logits_NK[~first], single.logits_NK[~first])
    windows = data.frames.windows(4)
    assert (np.where(windows < 0, np.arange(N)[:, None], windows) // 8 == np.arange(N)[:, None] // 8).all()


def test_with_no_step_the_model_is_the_frame_model_bit_for_bit(tmp_path):
    """One epoch at a rate of nothing: scores, and the logits of the test split, are those without the LSTM."""
    data, chosen = moving_data(), settings(epochs=1, lr=1e-30, weight_decay=0)
    made = {}
    for name, one in (("on", chosen), ("off", chosen.model_copy(update={"sequence": Settings().sequence}))):
        made[name] = train_model(data, one, make_accelerator(one), Checkpoint(tmp_path), track=no_track)
    assert np.array_equal(made["on"].frame_logits_NK, made["off"].logits_NK)
    np.testing.assert_allclose(made["on"].logits_NK, made["off"].logits_NK, atol=1e-6)
    assert made["off"].frame_logits_NK is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["sequence.length=4"], "nothing says which photos are frames of one sequence"),
        (["sequence.length=4", "data.sequences=name", "train.epochs=2"], "frozen backbone.*--preset quick"),
        (["sequence.length=4", "data.sequences=name", "sequence.undersample=lefty"], "'lefty' is no label"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, wrong, said):
    photos = draw_clips(tmp_path / "photos", clips=6)
    chosen = options(train__epochs=0)
    with pytest.raises(TaggerError, match=said):
        tagger.train(
            photos, run=tmp_path / "run", backbone="test_resnet", weights="none", overrides=[*chosen, *wrong]
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunFolder]:
    """A run on bars that move left or right."""
    folder = tmp_path_factory.mktemp("moving")
    photos = draw_clips(folder / "photos")
    result = CliRunner().invoke(app, train_argv(photos, folder / "run", **OPTIONS))
    assert result.exit_code == 0, result.output
    return photos, RunFolder(folder / "run")


def test_a_run_on_moving_bars_knows_the_way_and_says_what_the_frames_before_gave(run):
    _, folder = run
    found = folder.load_metrics()["sequence"]
    assert found["kept"]
    assert found["map"]["sequence"] > 0.75
    assert found["map"]["sequence"] > found["map"]["frame"] + 0.15
    assert set(found["per_label"]) == {"left", "right"}
    assert "frames before" in folder.card_path.read_text("utf-8")
    tensors = load_file(folder.model_path)
    assert {name for name in tensors if name.startswith("sequences.members.1.lstm")}


def test_the_frame_model_is_the_one_of_a_run_without_sequences(run, tmp_path):
    photos, folder = run
    off = {key: value for key, value in OPTIONS.items() if not key.startswith("sequence__")}
    result = CliRunner().invoke(app, train_argv(photos, tmp_path / "off", **off))
    assert result.exit_code == 0, result.output
    before, after = load_file(tmp_path / "off" / "model.safetensors"), load_file(folder.model_path)
    assert {name for name in after if not name.startswith("sequences.")} == set(before)
    for name in [one for one in before if one.startswith("backbone.")]:
        assert torch.equal(before[name], after[name])
    for name in [one for one in before if one.startswith("head.")]:
        torch.testing.assert_close(before[name], after[name], rtol=1e-4, atol=1e-5)
