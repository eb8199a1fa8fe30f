"""Two at work in one place: the second is told who the first is, and nothing of either is mixed."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moments import empty_store
from small import train_argv

from tagger.runs import BusyError, RunFolder, locked

HOLD = """import sys, time
from pathlib import Path
from tagger.runs import RunFolder, locked, output_lock
kind, path = sys.argv[1], Path(sys.argv[2])
if kind == "run":
    lock = RunFolder(path).locked("train", print)
else:
    lock = locked(output_lock(path, folder=kind == "folder"), "predict", path)
with lock:
    print("held", flush=True)
    time.sleep(600)
"""
Cli = Callable[..., Any]


@contextmanager
def held(kind: str, path: Path) -> Iterator[int]:
    """Another process that has the lock of a run or an output, killed (SIGKILL) at the end; its number."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, kind, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield other.pid
        finally:
            other.send_signal(signal.SIGKILL)


def refused(end: Any, *words: object) -> None:
    """The command stopped at once with one line that has all the words."""
    assert (end.code, end.out, end.err.count("\n")) == (2, "", 1), end
    for word in words:
        assert str(word) in end.err, end.err


def test_a_second_training_in_one_run_is_told_who_the_first_is(tagger_cli: Cli, demo: Path, tmp_path: Path):
    run = tmp_path / "run"
    with held("run", run) as number:
        who = f"train, process {number} on {socket.gethostname()}, since "
        refused(tagger_cli(*train_argv(demo, run)), run, who, "Wait until it ends, or stop it.")
        assert [path.name for path in run.rglob("*") if path.is_file()] == ["lock"]
    again = tagger_cli(
        *train_argv(demo, run, train__epochs=1)
    )  # it was killed: its lock is free, the file is there
    assert again.code == 0, again.err
    assert not (run / "checkpoint").exists()


def test_two_that_go_on_with_one_training(tagger_cli: Cli, finished: Path, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    run.save_settings(RunFolder(finished).load_settings())
    with held("run", run.path):
        refused(tagger_cli("train", "--resume", "--run", run.path), "another tagger process is running here")


def test_a_second_retraining_is_refused_and_the_run_it_comes_from_can_be_read(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path
):
    new, store = tmp_path / "new", empty_store(tmp_path / "review.db")
    with held("run", new) as number:
        argv = ("retrain", "--run", finished, "--store", store, "--out", new)
        refused(tagger_cli(*argv), new, f"process {number}")
        assert tagger_cli("apply", "--run", finished, "--store", store, "--out", "labels.csv").code == 0
        assert tagger_cli("predict", demo / "new", "--run", finished).code == 0
        assert tagger_cli("compare", finished, finished).code == 0


@pytest.mark.parametrize(("format", "kind"), [("csv", "file"), ("txt", "folder"), ("folders", "file")])
def test_a_second_prediction_into_one_output(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path, format: str, kind: str
):
    out = tmp_path / "tags"
    argv = ("predict", demo / "new", "--run", finished, "--format", format, "--out", out)
    with held(kind, out):
        refused(tagger_cli(*argv), out, "predict, process")
        assert not [path for path in out.glob("*") if not path.name.startswith(".")]
    assert tagger_cli(*argv).code == 0
    assert not list(tmp_path.rglob(".*lock"))


def test_a_child_process_does_not_hold_the_lock_of_its_parent(tmp_path: Path):
    # A reader's process lives on for some seconds when the command was killed.
    code = """import os, sys, time
from pathlib import Path
from tagger.runs import locked
with locked(Path(sys.argv[1]), "train", Path("x")):
    parent = os.getpid()
    if os.fork():
        os._exit(0)  # as after kill -9: nothing is tidied
    while os.getppid() == parent:
        time.sleep(0.01)
    print("alone", flush=True)
    time.sleep(600)"""
    command = [sys.executable, "-c", code, tmp_path / "lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "alone\n"
        with locked(tmp_path / "lock", "train", tmp_path):
            pass
        parent.stdout.close()
        os.killpg(parent.pid, signal.SIGKILL)


def test_a_disk_without_locks_is_said_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("tagger.runs.lock.fcntl.flock", refuse)
    said: list[str] = []
    with locked(tmp_path / "lock", "train", tmp_path, warn=said.append):
        pass
    assert "this disk has no file locks" in said[0]


def test_threads_that_take_turns_never_meet(tmp_path: Path):
    inside, met = [], []

    def work(_: int) -> int:
        for turn in range(10_000):
            try:
                with locked(tmp_path / "new" / "lock", "train", tmp_path):
                    inside.append(1)
                    met.append(len(inside))
                    inside.pop()
                    return turn
            except BusyError:
                continue
        return -1

    with ThreadPoolExecutor(4) as pool:
        assert -1 not in pool.map(work, range(200))
    assert set(met) == {1}


def test_a_folder_that_goes_while_it_is_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "new").mkdir()
    is_dir, asked = Path.is_dir, []

    def goes(path: Path) -> bool:
        """mkdir has found the folder and asks what it is, when its last owner removes it."""
        if path == tmp_path / "new" and not asked:
            asked.append(path.rmdir())
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", goes)
    with locked(tmp_path / "new" / "lock", "train", tmp_path):
        assert asked
        assert (tmp_path / "new" / "lock").exists()
