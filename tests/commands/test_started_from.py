"""``train --from RUN``: its network, learnt labels and settings, on other photos."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from noise_photos import refused
from safetensors.torch import load_file
from small import options

import tagger
from tagger.runs import RunFolder

Cli = Callable[..., Any]
STILL = ["head_stage.lr=1e-12", "train.lr=1e-12"]  # what is learnt does not move
WAYS: dict[str, dict[str, Any]] = {
    "heads": {"head_stage__enabled": True, "train__epochs": 0},
    "attention": {"train__epochs": 1, "attention__depth": 2, "data__folds": 2},
    "glimpses": {
        "train__epochs": 1,
        "data__folds": 2,
        "glimpses__count": 2,
        "glimpses__grid": 4,
        "glimpses__size": 64,
    },
    "nothing": {"train__epochs": 1, "head_stage__enabled": False},
}


@pytest.fixture(scope="module", params=list(WAYS))
def old(request: pytest.FixtureRequest, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of each way of training; to be read only."""
    path = tmp_path_factory.mktemp(request.param) / "run"
    sets = options(**WAYS[request.param])
    return tagger.train(demo, run=path, backbone="test_resnet", weights="none", overrides=sets)


@pytest.fixture(scope="module")
def heads(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of heads; to be read only."""
    path = tmp_path_factory.mktemp("heads-only") / "run"
    sets = options(**WAYS["heads"])
    return tagger.train(demo, run=path, backbone="test_resnet", weights="none", overrides=sets)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 other photos; their labels lack "zero" and have "extra"."""
    from data_tools.demo import make_demo

    data = make_demo(tmp_path_factory.mktemp("other") / "data", num_images=40, num_new=2, size=32, seed=5)
    table = pd.read_csv(data / "labels.csv", keep_default_na=False)
    names = [[name for name in text.split("|") if name not in ("", "zero")] for text in table["labels"]]
    extra = [[*labels, "extra"] if n % 4 == 0 else labels for n, labels in enumerate(names)]
    table.assign(labels=["|".join(labels) for labels in extra]).to_csv(data / "labels.csv", index=False)
    return data


def test_what_was_learnt_is_where_the_training_starts(old: RunFolder, other: Path, tmp_path: Path):
    new = tagger.train(other, run=tmp_path / "new", from_run=old.path, overrides=STILL)
    names, before_names = new.load_labels(), old.load_labels()
    assert "extra" in names
    assert "zero" not in names
    shared = [name for name in names if name in before_names]
    before, after = load_file(old.model_path), load_file(new.model_path)
    for name, tensor in after.items():
        if name.startswith("backbone.") and tensor.is_floating_point():
            np.testing.assert_allclose(tensor, before[name], atol=1e-2, err_msg=name)  # batch statistics move
    new_rows, old_rows = ([list(of).index(name) for name in shared] for of in (names, before_names))
    for part in ("weight", "bias"):
        np.testing.assert_allclose(
            after[f"head.fc.{part}"][new_rows], before[f"head.fc.{part}"][old_rows], atol=1e-4
        )
    np.testing.assert_array_equal(after["head.mean"], before["head.mean"])
    gates = [name for name in before if name.startswith("attention.gate.")]
    assert bool(gates) == bool(old.load_settings().attention.depth)
    for name in gates:
        np.testing.assert_allclose(after[name], before[name], atol=1e-4, err_msg=name)
    for name in [name for name in before if name.startswith("attention.") and name.endswith("offset")]:
        np.testing.assert_allclose(after[name][new_rows], before[name][old_rows], atol=1e-4, err_msg=name)


def test_the_settings_are_the_runs_and_the_source_is_recorded(heads: RunFolder, other: Path, tmp_path: Path):
    new = tagger.train(other, run=tmp_path / "new", from_run=heads.path, overrides=["head_stage.epochs=2"])
    expected = heads.load_settings().model_dump()
    expected |= {"started_from": str(heads.path), "preset": str(heads.path)}
    expected["head_stage"] |= {"epochs": 2}
    expected["backbone"] |= {"weights": str(heads.model_path)}
    expected["data"] |= {"path": str(other)}
    assert new.load_settings().model_dump() == expected
    assert new.load_metrics()["started_from"] == str(heads.path)
    card = new.card_path.read_text("utf-8")
    assert "Started from" in card
    assert "new: 'extra'; not in these photos and left out: 'zero'" in card
    again = tagger.train(other, run=tmp_path / "preset", preset=str(new.path))  # as a preset it starts anew
    assert again.load_settings().started_from == ""


def test_few_photos_learn_more_from_a_run_than_from_nothing(heads: RunFolder, demo: Path, tmp_path: Path):
    """Heads for two epochs at a low rate on the run's own kind of photos: learnt rows order them better."""
    slow = ["head_stage.lr=1e-6", "data.val=0.3", "data.test=0.3"]
    started = tagger.train(demo, run=tmp_path / "a", from_run=heads.path, overrides=slow)
    anew = tagger.train(demo, run=tmp_path / "b", preset=str(heads.path), overrides=slow)
    maps = [run.load_metrics()["validation_map"]["heads"] for run in (started, anew)]
    assert maps[0] > maps[1] + 0.1


def test_photos_that_the_run_has_learnt_are_in_no_test_part(heads: RunFolder, demo: Path, tmp_path: Path):
    data = copytree(demo, tmp_path / "data")
    table = pd.read_csv(data / "labels.csv", keep_default_na=False)
    more = pd.DataFrame({"file": [f"new/{path.name}" for path in (data / "new").iterdir()], "labels": "one"})
    pd.concat([table.iloc[10:], more]).to_csv(data / "labels.csv", index=False)
    new = tagger.train(data, run=tmp_path / "new", from_run=heads.path)
    before = heads.load_images().set_index("file")["split"]
    after = new.load_images().set_index("file")["split"]
    common = after.index.intersection(before.index)
    assert len(common) == 70
    assert (after[common] == before[common]).all()
    assert set(after.drop(common)) <= {"train", "val", "test"}
    log = new.log_path.read_text("utf-8")
    assert "70 photos of" in log
    assert "what that run has learnt is in no test part" in log


def test_learnt_photos_alone_give_some_for_validation(heads: RunFolder, demo: Path, tmp_path: Path):
    data = copytree(demo, tmp_path / "data")
    images = heads.load_images()
    train = set(images.loc[images["split"] == "train", "file"])
    table = pd.read_csv(data / "labels.csv", keep_default_na=False)
    table[table["file"].isin(train)].to_csv(data / "labels.csv", index=False)
    parts = tagger.train(data, run=tmp_path / "new", from_run=heads.path).load_images()["split"]
    assert set(parts) == {"train", "val"}


@pytest.mark.parametrize("moment", ["tagger.commands.train.split", "tagger.commands.train.finalize"])
def test_a_stopped_training_goes_on_to_the_same_bytes(
    moment: str, heads: RunFolder, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = tagger.train(other, run=tmp_path / "whole", from_run=heads.path)

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, stop)
    with pytest.raises(KeyboardInterrupt):
        tagger.train(other, run=tmp_path / "broken", from_run=heads.path)
    monkeypatch.undo()
    broken = tagger.train(run=tmp_path / "broken", resume=True, from_run=heads.path)
    for name in ("model.safetensors", "oof.npz", "thresholds.json", "labels.parquet", "images.parquet"):
        assert (broken.path / name).read_bytes() == (whole.path / name).read_bytes(), name


REFUSED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("--preset", "quick"): ("--preset quick", "--from"),
    ("--weights", "none"): ("--weights none", "--from"),
    ("--backbone", "test_vit"): ("--backbone test_vit", "--from"),
    ("--set", "backbone.weights=none"): ("--set backbone.weights=none: --from says this",),
    ("--set", "backbone={weights='x'}"): ("--from says this",),
    ("--set", "started_from=x"): ("--from says this",),
    ("--set", "head.name=mlp"): ("head.name = 'mlp' (the run has 'linear')",),
    ("--set", "backbone.levels=2"): ("backbone.levels = 2 (the run has 1)",),
    ("--set", "attention.depth=2"): ("attention.depth = 2 (the run has 0)",),
}


@pytest.mark.parametrize("more", REFUSED)
def test_what_the_run_decides_is_refused(
    more: tuple[str, ...], heads: RunFolder, other: Path, tagger_cli: Cli
):
    refused(tagger_cli("train", "--data", other, "--from", heads.path, *more), *REFUSED[more])
    assert list(Path().iterdir()) == []


def test_what_is_no_finished_run_is_refused(other: Path, tmp_path: Path, tagger_cli: Cli):
    refused(tagger_cli("train", "--data", other, "--from", tmp_path / "none"), "no such run")
    refused(tagger_cli("train", "--data", other, "--set", "started_from=x"), "--from says this")


def test_the_model_of_a_run_is_a_file_of_weights(
    heads: RunFolder, other: Path, tmp_path: Path, tagger_cli: Cli
):
    argv = ("train", "--data", other, "--weights", heads.model_path, "--set", "train.epochs=0")
    sets = [word for text in options(train__epochs=0) for word in ("--set", text)]
    done = tagger_cli(*argv, "--backbone", "test_resnet", "--run", tmp_path / "new", *sets)
    assert done.code == 0, done.err
    before, after = load_file(heads.model_path), load_file(tmp_path / "new" / "model.safetensors")
    for name in [name for name in before if name.startswith("backbone.")]:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    refused(tagger_cli(*argv, "--backbone", "test_vit"), "the run's network is not 'test_vit'")
