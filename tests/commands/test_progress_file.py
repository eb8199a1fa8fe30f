"""The progress file that a program reads while a command works: few lines, whole ones, the ends of each stretch."""

import json
import os
import subprocess
import sys
from itertools import count, pairwise
from pathlib import Path

import pytest

from tagger.commands.console.progress_file import ENVIRONMENT_VARIABLE, ProgressFile
from tagger.commands.console.screen import Screen


def lines(path: Path) -> list[dict[str, object]]:
    """What the file holds."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_at_most_four_lines_a_second_and_both_ends_of_a_stretch(tmp_path: Path):
    ticks = count(0, 0.01)  # each look at the clock takes 10 ms
    progress = ProgressFile(tmp_path / "progress", clock=lambda: next(ticks))
    for done in range(201):
        progress.step("epoch 1", done, 200)
    written = lines(tmp_path / "progress")
    times = [float(str(line["time"])) for line in written]
    assert [line["done"] for line in (written[0], written[-1])] == [0, 200]
    assert all(later - sooner >= 0.25 - 1e-9 for sooner, later in pairwise(times[:-1]))
    assert len(written) <= 4 * 2.01 + 2


def test_lines_on_the_screen_are_in_it_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "progress"))
    screen = Screen()
    screen.say('Ünïcode "quoted" [bold]')
    screen.say()
    assert list(screen.track(range(3), "counting")) == [0, 1, 2]
    message, first, last = (line for line in lines(tmp_path / "progress") if line.get("done") in (None, 0, 3))
    assert message["said"] == 'Ünïcode "quoted" [bold]'
    assert (first["step"], first["done"], first["total"]) == ("counting", 0, 3)
    assert last["done"] == 3


def test_without_the_variable_nothing_is_written_and_nothing_is_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert list(Screen(quiet=True).track(iter("ab"), "letters")) == [
        "a",
        "b",
    ]  # not even a length is asked for


def test_the_python_api_writes_none_for_a_command_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "progress"))
    Screen(quiet=True).say("inner")
    assert not (tmp_path / "progress").exists()


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path):
    progress = ProgressFile(tmp_path / "absent" / "progress")
    progress.step("epoch 1", 0, 2)
    progress.message("still here")
    assert not (tmp_path / "absent").exists()


def test_a_command_reports_as_it_goes(finished: Path, demo: Path, tmp_path: Path):
    code = "from tagger.cli import main; main()"
    argv = ["predict", str(demo / "new"), "--run", str(finished), "--out", str(tmp_path / "tags.csv")]
    env = os.environ | {ENVIRONMENT_VARIABLE: str(tmp_path / "progress")}
    subprocess.run([sys.executable, "-c", code, *argv], check=True, env=env, capture_output=True)
    written = lines(tmp_path / "progress")
    steps = [line for line in written if "step" in line]
    assert any({"step": "tagging", "done": 12, "total": 12}.items() <= step.items() for step in steps)
    assert str(written[-1]["said"]).startswith("12 photos tagged")
