"""A disk with no room left: one line names the file and the room, nothing half-written stays, and it goes on.

Here the system refuses to let any file grow beyond a limit (RLIMIT_FSIZE), which needs no disk of its own;
what a small disk says is in ``tests/commands/test_small_disk.py``.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from small import train_argv

from tagger.runs import RunFolder
from tagger.runs.ownership import MARK

resource = pytest.importorskip("resource", reason="limits of the size of files are Unix's")
Cli = Callable[..., Any]
UNLIKE = {
    "log.txt",
    "README.md",
    "config.toml",
    "metrics.json",
    "written.jsonl",
}  # with times or the run's name


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(end: Any, *words: str) -> None:
    """The command stopped with one line that has all the words."""
    assert (end.code, end.err.count("\n")) == (2, 1), end
    for word in words:
        assert word in end.err, end.err


def unlike(out: Path, whole: Path) -> list[str]:
    """Files under their own name in one folder that are not as in the other."""
    found = []
    for path in out.rglob("*"):
        place = path.relative_to(out)
        begun = place.parts[0] == "checkpoint" or place.parts[0].endswith(".parts")
        if path.is_file() and not begun and place.name not in UNLIKE:
            found += [str(place)] * (
                place.name.startswith(".") or path.read_bytes() != (whole / place).read_bytes()
            )
    return found


def test_a_training_that_finds_no_room_goes_on_to_the_same_bytes(tagger_cli: Cli, demo: Path):
    way = {"head_stage__enabled": True, "train__epochs": 1}
    assert tagger_cli(*train_argv(demo, Path("whole"), **way)).code == 0
    run, named = Path("run"), []
    for size in (100, 8_000, 100_000, 400_000):
        argv = (
            ("train", "--resume", "--run", run)
            if (run / "config.toml").exists()
            else train_argv(demo, run, **way)
        )
        with no_file_above(size):
            end = tagger_cli(*argv)
        if end.code == 0:
            break
        refused(end, "File too large (run/")
        named.append(end.err.partition("(run/")[2].partition(")")[0])
        assert unlike(run, Path("whole")) == []
        assert not RunFolder(run).finished
    assert len(set(named)) >= 3, named  # text, tables, decoded pixels, weights: each stopped once
    assert tagger_cli("train", "--resume", "--run", run).code == 0
    assert unlike(run, Path("whole")) == []


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "coco", "xmp", "imagefolder"])
def test_a_prediction_that_finds_no_room(tagger_cli: Cli, demo: Path, finished: Path, format: str):
    folder = format in ("xmp", "imagefolder")
    whole, out = (Path(name if folder else f"{name}.{format}") for name in ("whole", "out"))
    argv = ("predict", demo / "new", "--run", finished, "--format", format, "--out")
    assert tagger_cli(*argv, whole).code == 0
    files = [path for path in whole.rglob("*") if path.is_file()] if folder else [whole]
    largest = max(path.stat().st_size for path in files if path.name not in UNLIKE)
    with no_file_above(largest - 1):
        refused(tagger_cli(*argv, out), "File too large (")
    if out.is_dir():
        assert unlike(out, whole) == []
    else:
        assert not out.exists()
    assert tagger_cli(*argv, out, "--resume").code == 0
    assert (unlike(out, whole) == []) if folder else out.read_bytes() == whole.read_bytes()
    assert {path.name for path in Path().rglob(".*")} == ({".tagger"} if format == "xmp" else set())


def test_pictures_and_corrected_labels_that_find_no_room(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path
):
    photos = shutil.copytree(demo, tmp_path / "photos", ignore=shutil.ignore_patterns(".tagger"))
    photo = next((demo / "new").iterdir())
    assert tagger_cli("apply", "--run", finished, "--data", photos, "--out", "labels.csv").code == 0
    with no_file_above(1_000):
        refused(tagger_cli("explain", photo, "--run", finished, "--out", "drawn"), "File too large (drawn/")
        refused(
            tagger_cli("apply", "--run", finished, "--data", photos, "--out", "more.csv"),
            "File too large (more.csv",
        )
    assert not Path("more.csv").exists()
    left = [path.name for path in Path("drawn").rglob("*") if path.is_file()]
    assert left == [MARK]  # which says that the folder is ours, and no picture


def test_whoever_writes_the_line_tells_what_is_needed_and_left(
    tagger_cli: Cli, demo: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(number: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tagger.runs.atomic.os.posix_fallocate", full)
    end = tagger_cli(*train_argv(demo, Path("run"), train__epochs=1))
    refused(
        end, "No space left on device: it takes 0.", " MB, and ", " MB are left (run/checkpoint/", "--resume"
    )


def test_a_log_that_finds_no_room_is_named(tagger_cli: Cli, demo: Path, monkeypatch: pytest.MonkeyPatch):
    with no_file_above(0):
        refused(tagger_cli(*train_argv(demo, Path("run"))), "File too large (run")
    assert not os.path.exists("run/config.toml")
