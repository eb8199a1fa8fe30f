"""A clock that is set back, files from the future: what is newest, what was decided last and what goes on is right."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from small import train_argv

from tagger.commands.console.progress_file import ProgressFile
from tagger.presets import load_settings
from tagger.review import Decision, Store
from tagger.runs import RunFolder, find_run, new_run_path, newest_unfinished

Cli = Callable[..., Any]
DAY = 86_400


class Backwards(datetime):
    """Each look at the clock is an hour earlier than the one before."""

    looks = count()

    @classmethod
    def now(cls, tz: Any = None) -> "Backwards":
        """An hour earlier each time."""
        return cls.fromtimestamp(2_000_000_000 - 3600 * next(cls.looks), tz)


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only ever goes back, wherever tagger looks at it."""
    ticks = count()
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0 - 3600 * next(ticks))
    monkeypatch.setattr(time, "time_ns", lambda: 10**9 * (2_000_000_000 - 3600 * next(ticks)))
    for module in (
        "tagger.runs.locate",
        "tagger.runs.lock",
        "tagger.commands.console.screen",
        "tagger.review.store",
    ):
        monkeypatch.setattr(f"{module}.datetime", Backwards)


def test_the_newest_run_is_the_one_that_was_made_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name, finished in (("b", True), ("a", True), ("d", False), ("c", False)):
        run = RunFolder(Path("runs") / name)
        run.save_settings(load_settings("quick"))
        if finished:
            run.finish({})
        for path in run.path.iterdir():  # as if the clock were set back by a day now
            was = path.stat().st_mtime_ns + DAY * 10**9
            os.utime(path, ns=(was, was))
    assert find_run().path.name == "a"
    assert newest_unfinished().path.name == "c"
    first = new_run_path("net")
    first.mkdir(parents=True)
    assert new_run_path("net") not in (first, None)  # the name's minute comes a second time


def test_a_killed_training_goes_on_to_the_same_bytes(
    tagger_cli: Cli, demo: Path, monkeypatch: pytest.MonkeyPatch, backwards: None
):
    assert tagger_cli(*train_argv(demo, Path("whole"))).code == 0

    def stop(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tagger.commands.train.finalize", stop)
        assert tagger_cli(*train_argv(demo, Path("run"))).code == 130
    for path in Path("run").rglob("*"):  # all of it from the future
        os.utime(path, (4_000_000_000, 4_000_000_000))
    assert tagger_cli("train", "--resume", "--run", "run").code == 0
    for name in ("model.safetensors", "oof.npz", "metrics.json"):
        assert (Path("run") / name).read_bytes() == (Path("whole") / name).read_bytes(), name


def test_the_last_decision_counts_whatever_the_clock_said(tagger_cli: Cli, finished: Path, tmp_path: Path):
    run, url = RunFolder(finished), f"sqlite:///{tmp_path / 'review.db'}"
    label, digest, given = run.load_labels()[0], run.load_images()["hash"][0], int(run.load_cells()[0, 0])
    now = datetime(2030, 1, 1, tzinfo=UTC)
    for seq, verdict in enumerate(("yes", "no", "yes" if given == 0 else "no")):
        store = Store.open(url, now=lambda late=now - timedelta(days=seq): late)
        store.record(
            [
                Decision(hash=digest, label=label, verdict=verdict, before=given, suggested=None, doubt=None, run="r",
                         reviewer="ann", seconds=None, client="c", seq=seq)
            ]
        )  # fmt: skip
        store.close()
    assert tagger_cli("apply", "--run", finished, "--store", url, "--out", "labels.csv").code == 0
    changed = Path("labels.changes.csv").read_text().splitlines()
    assert len(changed) == 2, changed
    assert f",{given},{1 - given}," in changed[1]


def test_progress_is_written_on_when_the_clock_goes_back(tmp_path: Path):
    ticks = count(1000, -1)
    progress = ProgressFile(tmp_path / "progress", clock=lambda: next(ticks))
    for done in range(1, 5):
        progress.step("epoch", done, 100)
    assert len((tmp_path / "progress").read_text().splitlines()) == 4
