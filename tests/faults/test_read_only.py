"""Where nothing can be written a command says so before it begins to work; where it need not write, it works."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moments import decided_store
from mounting import mount, unmount
from small import train_argv

from tagger.runs import RunFolder

Cli = Callable[..., Any]


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], Path]]:
    """``read_only(folder)``: the folder as it is, but nothing can be written there; by a mount where we are root."""
    changed: list[Path] = []

    def lock(folder: Path) -> Path:
        if os.geteuid():
            folder.chmod(0o555)
            changed.append(folder)
            return folder
        for options in (["--bind", str(folder)], ["-o", "remount,ro,bind"]):
            mount(folder, *options)
            if folder not in changed:
                changed.append(folder)
        return folder

    yield lock
    for folder in changed:
        if os.geteuid():
            folder.chmod(0o755)
        else:
            unmount(folder)


def refused_at_once(end: Any, place: Path) -> None:
    """One line that names the place, and no other: the work had not begun."""
    assert (end.code, end.out, end.err.count("\n")) == (2, "", 1), end
    assert f"tagger: {place}: nothing can be written there (" in end.err
    assert "Give access, or name another folder." in end.err


def test_a_run_that_cannot_be_written(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path, read_only: Any
):
    disk = tmp_path / "disk"
    begun = RunFolder(disk / "begun")
    begun.save_settings(RunFolder(finished).load_settings())
    read_only(disk)
    refused_at_once(tagger_cli(*train_argv(demo, disk / "run")), disk / "run")
    refused_at_once(tagger_cli("train", "--resume", "--run", begun.path), begun.path)
    store = f"sqlite:///{tmp_path / 'review.db'}"
    refused_at_once(
        tagger_cli("retrain", "--run", finished, "--store", store, "--out", disk / "new"), disk / "new"
    )


@pytest.mark.parametrize("format", ["csv", "xmp", "imagefolder", "folders"])
def test_an_output_that_cannot_be_written(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path, read_only: Any, format: str
):
    disk = tmp_path / "disk"
    (disk / "tags").mkdir(parents=True)
    read_only(disk)
    out = disk / "tags.csv" if format == "csv" else disk / "tags"
    end = tagger_cli("predict", demo / "new", "--run", finished, "--format", format, "--out", out)
    refused_at_once(end, out / "metadata.jsonl" if format == "imagefolder" else out)
    store = f"sqlite:///{tmp_path / 'review.db'}"
    if format in ("csv", "xmp"):
        argv = ("apply", "--run", finished, "--store", store, "--format", format, "--out", out)
        refused_at_once(tagger_cli(*argv), out)


def test_photos_and_a_run_that_are_only_read(
    tagger_cli: Cli,
    demo: Path,
    finished: Path,
    tmp_path: Path,
    read_only: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    photos, run = tmp_path / "photos", tmp_path / "run"
    for source, copy in ((demo, photos), (finished, run)):
        shutil.copytree(
            source, copy, ignore=shutil.ignore_patterns(".tagger")
        )  # other tests may have opened a store
        read_only(copy)
    url = decided_store(RunFolder(run), tmp_path / "review.db")
    assert tagger_cli(*train_argv(photos, Path("new"), train__epochs=1)).code == 0
    assert tagger_cli("predict", photos / "new", "--run", run).code == 0
    assert tagger_cli("evaluate", "--data", photos, "--run", run).code == 0
    assert tagger_cli("apply", "--run", run, "--store", url, "--out", "labels.csv").code == 0
    assert not (photos / ".tagger").exists()
    end = tagger_cli("suspects", "--run", run, "--store", url)
    assert (end.code, end.err.count("\n")) == (2, 1)
    assert str(run) in end.err
