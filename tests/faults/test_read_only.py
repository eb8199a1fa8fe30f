"""Where nothing can be written a command says so before it begins to work; where it need not write, it works."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from moments import decided_store, empty_store
from mounting import mount, unmount
from small import train_argv

from tagger.review import Decision, Store
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
    store = empty_store(tmp_path / "review.db")
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
    store = empty_store(tmp_path / "review.db")
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


def test_decisions_on_a_disk_that_is_only_read(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path, read_only: Any
):
    """The app was killed there: its last decisions are in SQLite's log beside the file. They count, too."""
    photos, live = tmp_path / "photos", tmp_path / "live"
    shutil.copytree(demo, photos, ignore=shutil.ignore_patterns(".tagger"))
    live.mkdir()
    url = decided_store(RunFolder(finished), live / "review.db")
    store = Store.open(url)  # open: what it writes from now on is in its log only
    images, label = RunFolder(finished).load_images(), RunFolder(finished).load_labels()[1]
    store.record([Decision(hash=images["hash"][1], label=label, verdict="yes", before=0, suggested=1, doubt=None,
                           run="r", reviewer="ann", seconds=None, client="late", seq=1)])  # fmt: skip
    shutil.copytree(live, photos / ".tagger")
    store.close()
    assert (photos / ".tagger" / "review.db-wal").stat().st_size
    read_only(photos)
    argv = ("--run", finished, "--data", photos)
    end = tagger_cli("apply", *argv, "--out", "labels.csv")
    assert end.code == 0, end.err
    assert "10 decisions in sqlite:///" in end.out
    assert "10 decisions" in tagger_cli("decisions", "export", *argv, "--out", "all.csv").out
    assert tagger_cli("decisions", "history", *argv).code == 0
    assert tagger_cli("decisions", "backup", *argv, "--out", "backup.db").code == 0
    with closing(sqlite3.connect("backup.db")) as backup:
        assert backup.execute("SELECT count(*) FROM decisions").fetchone() == (10,)
    end = tagger_cli("decisions", "import", "all.csv", *argv, "--reviewer", "ann")
    assert (end.code, "nothing new" in end.out) == (0, True)
    assert tagger_cli("retrain", *argv, "--out", "new").code == 0
    assert RunFolder("new").load_metrics()["decisions"]["number"] == 10
