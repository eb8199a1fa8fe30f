"""Our own faults and Ctrl-C: one line each, never a traceback on the screen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from small import train_argv

Cli = Callable[..., Any]


def test_a_fault_of_ours_is_one_line_and_its_traceback_is_in_a_log(
    tagger_cli: Cli, demo: Path, monkeypatch: Any
):
    def fails(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("tagger.commands.train.read_with_file_stats", fails)
    ended = tagger_cli(*train_argv(demo, Path("run")))
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "ZeroDivisionError: oh no" in ended.err
    assert "Traceback" in Path("tagger-error.log").read_text()


def test_ctrl_c_is_one_line(tagger_cli: Cli, demo: Path, monkeypatch: Any):
    def stopped(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tagger.commands.train.read_with_file_stats", stopped)
    ended = tagger_cli(*train_argv(demo, Path("run")))
    assert (ended.code, ended.err) == (
        130,
        "tagger: Stopped. Continue with --resume.\n",
    )
