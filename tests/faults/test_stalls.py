"""A drive that stalls: the file that is waited for is named, and Ctrl-C ends the command whoever hangs in the read."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small import train_argv

HANGS = """import sys, time
import tagger.exit_codes, tagger.cli, tagger.data.io_watchdog, tagger.data.images.hashes, tagger.batches.dataset

tagger.data.io_watchdog.FIRST_REPORT_SECONDS = 0.3
tagger.data.io_watchdog.POLL_SECONDS = 0.05
tagger.exit_codes.FORCE_EXIT_SECONDS = 0.5
place, name = sys.argv[1:3]
where = tagger.data.images.hashes if place == "identify_file" else tagger.batches.dataset
call = getattr(where, place)

def hang(path, *more, **options):
    if str(path).endswith(name):
        print("hanging", file=sys.stderr, flush=True)
        while True:
            time.sleep(0.1)  # as a read that the system takes up again after each signal
    return call(path, *more, **options)

setattr(where, place, hang)
sys.argv[1:] = sys.argv[3:]
tagger.cli.main()
"""


@contextmanager
def stalled(
    place: str, name: str, argv: list[str], folder: Path, threads: int = 1
) -> Iterator["subprocess.Popen[str]"]:
    """A command in whose process reading the file ``name`` never ends."""
    command = [sys.executable, "-c", HANGS, place, name, *argv]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def stopped(process: "subprocess.Popen[str]", *words: str) -> None:
    """When it hangs it says a line with all the words, twice, and ends upon Ctrl-C with its usual line."""
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    assert "hanging\n" in said  # reads up to it
    for _ in range(2):
        assert any(all(word in line for word in words) for line in said)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "tagger: Stopped. Continue with --resume.\n" in process.stderr.read()


def test_a_prediction_in_several_threads(demo: Path, finished: Path, tmp_path: Path):
    name = sorted(path.name for path in (demo / "new").iterdir())[5]
    argv = ["predict", str(demo / "new"), "--run", str(finished), "--out", "tags.csv"]
    with stalled("load_image", name, argv, tmp_path, threads=2) as process:
        stopped(process, "still waiting for ", f"{name} after ")
    assert not (tmp_path / "tags.csv").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_training(demo: Path, tmp_path: Path, workers: int):
    name = sorted(path.name for path in (demo / "images").iterdir())[7]
    argv = train_argv(demo, tmp_path / "run", image__workers=workers, train__epochs=1)
    with stalled("load_image", name, argv, tmp_path) as process:
        stopped(process, "still waiting for ", f"{name} after ")
    assert "waiting for" in (tmp_path / "run" / "log.txt").read_text() or workers


def test_files_that_are_hashed(demo: Path, tmp_path: Path):
    name = sorted(path.name for path in (demo / "images").iterdir())[7]
    argv = train_argv(demo, tmp_path / "run", train__epochs=1)
    with stalled("identify_file", name, argv, tmp_path) as process:
        stopped(process, "still waiting for ", f"{name} after ")
    assert not (tmp_path / "run").joinpath("config.toml").exists()
