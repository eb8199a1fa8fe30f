"""The run folder: every load gives what save wrote, whatever the labels are called, and files are whole or absent."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tagger.runs.locate as finding_module
from tagger.data import Rule
from tagger.errors import Problem, TaggerError
from tagger.presets import load_settings
from tagger.runs import (
    RunFolder,
    atomic_write,
    create_memmap,
    find_run,
    new_run_path,
    newest_unfinished,
    write_text,
)
from tagger.scoring import choose_thresholds, fit_calibration

NAMES = ("plain", "with space", 'a,b "c"', "two\nlines", "猫", "|pipe", "ö̈", "=1+1", "0", "NaN")
N = 40


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """An empty run folder."""
    return RunFolder(tmp_path / "run")


@pytest.fixture
def labels_NK() -> np.ndarray:
    """Cells of all three kinds."""
    return np.random.default_rng(0).integers(-1, 2, (N, len(NAMES))).astype(np.int8)


def finish(path: Path, **metrics: Any) -> RunFolder:
    """The least that is a finished run."""
    run = RunFolder(path)
    run.save_settings(load_settings("quick"))
    run.finish(metrics)
    return run


def test_settings_come_back(run: RunFolder):
    settings = load_settings("quick", ["train.lr=0.123", "backbone.pad_type=same"])
    run.save_settings(settings)
    assert run.load_settings() == settings


def test_labels_and_rules_come_back_in_their_order(run: RunFolder):
    rules = (Rule("two\nlines", "猫"), Rule("plain", 'a,b "c"'))
    groups: Any = {"age": {"kind": "ordinal", "labels": ["plain", "猫"]}}
    run.save_labels(NAMES, groups, rules)
    assert run.load_labels() == NAMES
    assert run.load_rules() == rules


def test_images_come_back_with_their_odd_names(run: RunFolder):
    files = ["a b.jpg", 'q"u,o.jpg', "new\nline.png", "шаг/猫.jpg"]
    images = pd.DataFrame(
        {
            "file": files,
            "hash": list("abcd"),
            "size": [1, 2, 3, 4],
            "split": ["train"] * 4,
            "fold": [0, 1, 2, -1],
        }
    )
    run.save_images(images)
    again = run.load_images()
    assert again.columns.tolist() == images.columns.tolist()
    for column in images:
        assert again[column].tolist() == images[column].tolist()


def test_cells_come_back(run: RunFolder, labels_NK: np.ndarray):
    run.save_cells(labels_NK, NAMES)
    again = run.load_cells()
    assert again.dtype == np.int8
    np.testing.assert_array_equal(again, labels_NK)
    assert tuple(pd.read_parquet(run.path / "labels.parquet").columns) == NAMES


def test_the_decision_rule_comes_back_to_the_same_decisions(run: RunFolder, labels_NK: np.ndarray):
    probs_NK = np.random.default_rng(1).random(labels_NK.shape)
    calibration = fit_calibration(labels_NK, probs_NK, seed=0)
    thresholds = choose_thresholds(labels_NK, calibration.apply(probs_NK), "f1", min_positives=2, seed=0)
    run.save_decision_rule(thresholds, calibration, NAMES)
    same_thresholds, same_calibration = run.load_decision_rule()
    np.testing.assert_array_equal(same_thresholds.values_K, thresholds.values_K)
    assert same_thresholds.shared == thresholds.shared
    np.testing.assert_array_equal(same_calibration.apply(probs_NK), calibration.apply(probs_NK))


def test_out_of_fold_probabilities_come_back(run: RunFolder):
    probs_NK = np.random.default_rng(0).random((N, 3))
    probs_NK[3] = np.nan
    fold_N = np.arange(N) % 5 - 1
    run.save_oof(probs_NK, fold_N)
    again, folds = run.load_oof()
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, probs_NK.astype(np.float32))
    np.testing.assert_array_equal(folds, fold_N)


def test_embeddings_come_back_mapped_as_float16(run: RunFolder):
    features_ND = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)
    run.save_embeddings(features_ND)
    again = run.load_embeddings()
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(again, features_ND.astype(np.float16))


def test_history_comes_back_with_gaps(run: RunFolder):
    run.save_history(
        [{"stage": "head", "epoch": 1, "val_map": 0.1}, {"stage": "net, 1", "epoch": 1, "lr": 1e-3}]
    )
    again = run.load_history()
    assert again["stage"].tolist() == ["head", "net, 1"]
    assert again["val_map"].isna().tolist() == [False, True]


def test_an_empty_list_of_unreadable_images_comes_back_empty(run: RunFolder):
    run.save_unreadable([])
    assert run.load_unreadable() == []


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text("abc,\"'\n é"))))
def test_unreadable_images_come_back_whatever_they_are_called(
    tmp_path_factory: Any, rows: list[tuple[str, str]]
):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    problems = [Problem(file.replace("\0", "").replace("\r", ""), None, reason) for file, reason in rows]
    run.save_unreadable(problems)
    assert run.load_unreadable() == problems


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True))
def test_any_label_names_come_back(tmp_path_factory: Any, names: list[str]):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    run.save_labels(tuple(names), {}, ())
    run.save_cells(np.zeros((2, len(names)), dtype=np.int8), tuple(names))
    assert run.load_labels() == tuple(names)
    assert run.load_cells().shape == (2, len(names))


def test_metrics_come_back_and_the_checkpoint_goes(run: RunFolder):
    run.claim()
    for name in (
        "lock",
        "network-1-of-2.dynamics.safetensors",
        "half-2-of-2.pt",
        ".pixels.npy.7-0a1b2c3d.part",
    ):
        (run.checkpoint.path / name).write_bytes(b"ours")
    run.finish({"test": None, "note": "猫"})
    assert run.load_metrics() == {"test": None, "note": "猫"}
    assert not run.checkpoint.path.exists()


def test_a_checkpoint_that_outlived_its_training_goes_when_the_run_is_used(tmp_path: Path):
    run = finish(tmp_path / "run")
    run.checkpoint.path.mkdir()  # killed just after its last file was written
    assert find_run(run.path).finished
    assert not run.checkpoint.path.exists()


def test_files_that_a_killed_process_left_half_written_go_at_the_end(run: RunFolder):
    run.path.mkdir()
    (run.path / ".oof.npz.123-0a1b2c3d.part").write_bytes(b"half")
    run.finish({})
    assert [path.name for path in run.path.iterdir()] == ["metrics.json"]


def test_a_run_is_finished_when_its_metrics_are_there(run: RunFolder):
    assert not run.exists
    assert not run.finished
    run.save_settings(load_settings("quick"))
    assert run.exists
    assert not run.finished
    with pytest.raises(
        TaggerError, match=r"not finished \(no metrics.json\). Resume it: tagger train --resume --run"
    ):
        find_run(run.path)
    run.finish({})
    assert run.finished
    assert find_run(run.path).path == run.path


# not every run has these
OPTIONAL = {
    "load_dynamics",
    "load_eval_mask",
    "load_fingerprints",
    "load_suspects",
    "load_threshold_set",
    "load_notes",
}


@pytest.mark.parametrize(
    "load", [name for name in dir(RunFolder) if name.startswith("load_") and name not in OPTIONAL]
)
def test_what_is_absent_is_named(run: RunFolder, load: str):
    run.path.mkdir()
    with pytest.raises(TaggerError, match=r"no \S+ in it. Is it a run folder"):
        getattr(run, load)()


def test_a_run_that_does_not_exist_suggests_its_neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    finish(tmp_path / "first-run")
    with pytest.raises(TaggerError, match=r"no such run. Did you mean .*first-run"):
        find_run(tmp_path / "frist-run")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaggerError, match=r"no such run. There is first-run"):
        find_run("zzz")
    (tmp_path / "photos").mkdir()
    with pytest.raises(TaggerError, match="is no run folder"):
        find_run(tmp_path / "photos")


def test_without_a_name_the_newest_run_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for look in (find_run, newest_unfinished):
        with pytest.raises(TaggerError, match=r"There is no (un)?finished run in \./runs"):
            look()
    for age, name in ((30, "b"), (10, "a"), (20, "c")):
        run = finish(finding_module.RUNS_FOLDER / name)
        os.utime(run.path / "metrics.json", (1_000_000_000 - age, 1_000_000_000 - age))
    RunFolder(finding_module.RUNS_FOLDER / "z-unfinished").save_settings(load_settings("quick"))
    assert find_run().path.name == "a"
    assert newest_unfinished().path.name == "z-unfinished"


def test_two_trainings_in_one_minute_get_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    first = new_run_path("mobilenetv2_100.ra_in1k")
    assert first.name.endswith("-mobilenetv2")
    first.mkdir(parents=True)
    second = new_run_path("mobilenetv2_100.ra_in1k")
    assert second != first
    assert not second.exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")

    def breaks_off() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks_off()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = finish(tmp_path / "run", value=1)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tagger.runs.atomic.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run.finish({"value": 2})
    assert run.load_metrics() == {"value": 1}


@pytest.mark.parametrize(
    "error", [RuntimeError("unexpected pos 1730880 vs 1730776"), ValueError("I/O error")]
)
def test_a_full_disk_is_named_whoever_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def write() -> None:
        with atomic_write(tmp_path / "weights"):
            raise error

    with pytest.raises(type(error)):
        write()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tagger.runs.atomic.os.fsync", full)
    monkeypatch.setattr("tagger.runs.atomic.shutil.disk_usage", lambda path: SimpleNamespace(free=4_000_000))
    with pytest.raises(
        OSError, match=r"No space left on device: it takes more than the 4\.0 MB that are left"
    ) as said:
        write()
    assert said.value.filename == str(tmp_path / "weights")
    assert not list(tmp_path.iterdir())


def test_a_mapped_file_takes_its_room_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    array = create_memmap(tmp_path / "a.npy", np.float16, (1000, 100))
    array[:] = 1
    array.flush()
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 200_000
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.ones((1000, 100), dtype=np.float16))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tagger.runs.atomic.os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        create_memmap(tmp_path / "b.npy", np.float16, (1000, 100))
    assert error.value.filename == str(tmp_path / "b.npy")
    assert not (tmp_path / "b.npy").exists()


def test_views_are_kept_and_a_run_without_them_has_one(tmp_path: Path):
    run = RunFolder(tmp_path)
    mean_ND = np.ones((4, 3), np.float16)
    run.save_embeddings(mean_ND)
    np.testing.assert_array_equal(run.load_views(), mean_ND[None])
    views_VND = np.stack([mean_ND, 2 * mean_ND])
    run.save_views(views_VND)
    np.testing.assert_array_equal(run.load_views(), views_VND)
