"""A disk that is full, or fails: one line, nothing half-written, and with room it goes on to the same result."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mounting import mount, unmount
from noise_photos import refused
from small import train_argv

from tagger.runs import RunFolder

Cli = Callable[..., Any]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """``small_disk("300k")``: a disk with that much room, or given that much room anew."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = False

    def make(size: str) -> Path:
        nonlocal mounted
        kind = ["-o", f"remount,size={size}"] if mounted else ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
        mount(path, *kind)
        mounted = True
        return path

    yield make
    if mounted:
        unmount(path)


@pytest.mark.parametrize("size", ["24k", "100k", "400k", "3m", "6m"])
def test_a_training_on_a_full_disk_goes_on_when_there_is_room(
    tagger_cli: Cli, demo: Path, finished: Path, small_disk: Any, size: str
):
    run = small_disk(size) / "run"
    argv = train_argv(demo, run, head_stage__enabled=True, train__epochs=1)
    refused(tagger_cli(*argv), "No space left on device", str(run), "--resume")
    small_disk("60m")
    ended = (
        tagger_cli("train", "--resume", "--run", run) if (run / "config.toml").exists() else tagger_cli(*argv)
    )
    assert ended.code == 0, ended.err
    assert RunFolder(run).finished
    assert not list(run.glob(".*"))


def test_a_prediction_on_a_full_disk_goes_on_when_there_is_room(
    tagger_cli: Cli, demo: Path, finished: Path, small_disk: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tagger.commands.steps.predict_table.CHUNK", 10)
    disk = small_disk("24k")
    argv = ["predict", demo / "images", "--run", finished, "--out"]
    refused(tagger_cli(*argv, disk / "tags.csv"), "No space left on device", "--resume")
    done_before = sorted(path.name for path in (disk / ".tags.csv.parts").iterdir())
    assert any(name.endswith("0.json") for name in done_before)  # what was finished is kept
    small_disk("1m")
    assert tagger_cli(*argv, disk / "tags.csv", "--resume").code == 0
    assert tagger_cli(*argv, "whole.csv").code == 0
    assert (disk / "tags.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert [path.name for path in disk.iterdir()] == ["tags.csv"]


@pytest.mark.parametrize("moment", range(1, 30, 7))
def test_a_write_that_fails_is_one_line_and_the_training_can_go_on(
    tagger_cli: Cli, demo: Path, monkeypatch: pytest.MonkeyPatch, moment: int
):
    """As on a full disk, where no small disk can be mounted: the n-th file cannot be written."""
    fsync, calls = os.fsync, iter(range(1, 1000))

    def full(number: int) -> None:
        if next(calls) == moment:
            raise OSError(28, "No space left on device")
        fsync(number)

    argv = train_argv(demo, Path("run"), train__epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr("tagger.runs.atomic.os.fsync", full)
        refused(
            tagger_cli(*argv), "No space left on device: it takes more than the ", " MB that are left (run/"
        )
    again = (
        tagger_cli("train", "--resume", "--run", "run")
        if Path("run/config.toml").exists()
        else tagger_cli(*argv)
    )
    assert again.code == 0, again.err
