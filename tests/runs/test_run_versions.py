"""Runs of other versions: an early one is read, a newer one refused with the way out; what is missing is named."""

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tomli_w

from tagger.config import FORMAT_VERSION
from tagger.renamed_settings import RENAMED
from tagger.runs import RunFolder

FIRST_COLUMNS = ["file", "hash", "size", "split", "fold"]
LATER_FILES = ("dynamics.npz", "views.npy", "neighbours.npz", "suspects.parquet", "judged.parquet")
LATER_SECTIONS = ("attention", "rules", "regularisers")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunFolder:
    """A copy of a finished run."""
    return RunFolder(shutil.copytree(finished, tmp_path / "run"))


def change_config(run: RunFolder, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite ``config.toml``."""
    path = run.path / "config.toml"
    tree = tomllib.loads(path.read_text("utf-8"))
    change(tree)
    path.write_text(tomli_w.dumps(tree), "utf-8")


def make_early(run: RunFolder) -> None:
    """What the run would have been in format 1: former names of settings, fewer settings, columns and files."""

    def forget(tree: dict[str, Any]) -> None:
        for old, new in RENAMED.items():
            (old_section, old_name), (section, name) = old.split("."), new.split(".")
            tree.setdefault(old_section, {})[old_name] = tree[section].pop(name)
        del tree["head_stage"]
        for section in LATER_SECTIONS:
            tree.pop(section, None)
        for section, keys in {
            "train": ("members", "keep", "verified_weight"),
            "image": ("grow_from", "cache"),
        }.items():
            for key in keys:
                tree[section].pop(key)
        tree["format_version"] = 1

    change_config(run, forget)
    run.save_images(run.load_images()[FIRST_COLUMNS])
    for name in LATER_FILES:
        (run.path / name).unlink(missing_ok=True)
    shutil.rmtree(run.fold_models_path, ignore_errors=True)


def test_an_early_run_gives_the_same_predictions_and_finds_suspects(
    run: RunFolder, finished: Path, demo: Path, tmp_path: Path, tagger_cli: Callable[..., Any]
):
    make_early(run)
    for path, out in ((run.path, "early.csv"), (finished, "now.csv")):
        assert tagger_cli("predict", demo, "--run", path, "--out", tmp_path / out).code == 0
    assert (tmp_path / "early.csv").read_bytes() == (tmp_path / "now.csv").read_bytes()
    for arguments in (
        ["suspects"],
        ["apply", "--out", tmp_path / "labels.csv"],
        ["evaluate", "--data", demo],
    ):
        end = tagger_cli(*arguments, "--run", run.path)
        assert end.code == 0, end.err


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, True, "two", None])
@pytest.mark.parametrize("command", ["predict", "suspects", "retrain", "apply"])
def test_another_version_is_refused_with_the_way_out_and_left_alone(
    run: RunFolder, demo: Path, tagger_cli: Callable[..., Any], command: str, version: Any
):
    change_config(
        run,
        lambda tree: tree.pop("format_version") if version is None else tree.update(format_version=version),
    )
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    more = {"predict": [demo], "apply": ["--out", "labels.csv"], "retrain": ["--out", "better"]}.get(
        command, []
    )
    end = tagger_cli(command, *more, "--run", run.path)
    assert end.code == 2
    assert f"format_version {version!r}, but this tagger reads 1 and {FORMAT_VERSION}." in end.err
    assert "Use the tagger it was made with, or train again." in end.err
    assert {
        path: path.read_bytes() for path in run.path.rglob("*") if path.is_file() and path in before
    } == before
    assert not list(Path().glob("*.csv"))


def test_a_setting_that_this_version_does_not_know_names_the_file(
    run: RunFolder, demo: Path, tagger_cli: Callable[..., Any]
):
    change_config(run, lambda tree: tree["train"].update(freeze_stages=2))
    end = tagger_cli("predict", demo, "--run", run.path)
    assert end.code == 2
    assert "config.toml: made by another version of tagger (use that one, or train again)" in end.err
    assert "unknown key 'freeze_stages' (section 'train'). Did you mean 'freeze_share'?" in end.err


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("config.toml", "predict"), ("labels.json", "predict"), ("thresholds.json", "predict"),
        ("model.safetensors", "predict"), ("images.parquet", "suspects"), ("labels.parquet", "suspects"),
        ("oof.npz", "suspects"), ("embeddings.npy", "suspects"),
    ],
)  # fmt: skip
def test_a_missing_file_is_named(
    run: RunFolder, demo: Path, tagger_cli: Callable[..., Any], name: str, command: str
):
    (run.path / name).unlink()
    end = tagger_cli(command, *([demo] if command == "predict" else []), "--run", run.path)
    assert end.code == 2, end.err
    assert name in end.err
    assert end.err.strip().count("\n") == 0


def test_files_that_are_not_known_are_left_alone(run: RunFolder, demo: Path, tagger_cli: Callable[..., Any]):
    (run.path / "notes.txt").write_text("mine")
    (run.path / "later").mkdir()
    (run.path / "later" / "of-a-newer-version.bin").write_bytes(b"x")
    assert tagger_cli("predict", demo, "--run", run.path, "--out", "p.csv").code == 0
    assert tagger_cli("suspects", "--run", run.path).code == 0
    run.finish(run.load_metrics())
    assert (run.path / "notes.txt").read_text() == "mine"
    assert (run.path / "later" / "of-a-newer-version.bin").read_bytes() == b"x"


def test_the_shape_of_a_run_is_that_of_its_version(finished: Path):
    """Whoever changes this changes what other versions read: mend the readers for old runs, or raise FORMAT_VERSION."""
    run = RunFolder(finished)
    with np.load(run.path / "oof.npz", allow_pickle=False) as oof:
        arrays = {name: str(oof[name].dtype) for name in oof.files}
    thresholds = json.loads((run.path / "thresholds.json").read_text("utf-8"))
    assert FORMAT_VERSION == 2
    assert pq.read_schema(run.path / "images.parquet").names[:5] == FIRST_COLUMNS
    assert pq.read_schema(run.path / "labels.parquet").names == list(run.load_labels())
    assert arrays == {"probs": "float32", "fold": "int16"}
    assert np.load(run.path / "embeddings.npy", mmap_mode="r").dtype == np.float16
    assert set(json.loads((run.path / "labels.json").read_text("utf-8"))) == {"labels", "groups", "rules"}
    assert set(thresholds) - {"note"} == {"aim", "shared", "labels"}
    assert set(thresholds["labels"][0]) >= {"value", "how", "interval", "positives", "label", "calibration"}
    assert set(pd.read_csv(run.path / "history.csv")) >= {
        "stage",
        "epoch",
        "train_loss",
        "val_loss",
        "val_map",
        "lr",
    }
