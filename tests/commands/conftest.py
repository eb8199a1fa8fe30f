"""Small trainings that the tests of the commands share, and commands run as a person would run them."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SMALL = {
    "device": "cpu",
    "image.size": 32,
    "image.workers": 0,
    "backbone.levels": 1,
    "features.epochs": 3,
    "train.precision": "fp32",
    "train.epochs": 2,
    "train.batch_size": 16,
    "train.members": 1,
}


class End(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def options(**chosen: Any) -> list[str]:
    """``section.key=value`` texts of a training that takes a second; ``train__epochs=3`` changes one."""
    tree = SMALL | {key.replace("__", "."): value for key, value in chosen.items()}
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in tree.items()]


def train_argv(data: Path, run: Path, *more: str, **chosen: Any) -> list[str]:
    """The arguments of a small training from random weights."""
    sets = [word for text in options(**chosen) for word in ("--set", text)]
    named = ["--backbone", "test_resnet", "--weights", "none"]
    return ["train", "--data", str(data), "--run", str(run), *named, *sets, *more]


@pytest.fixture
def tagger_cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., End]:
    """``tagger ARGUMENTS`` in an empty folder: exit code, standard output, standard error."""
    from tagger import cli

    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments: str | Path) -> End:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["tagger", *map(str, arguments)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
            cli.main()
        return End(int(stop.value.code or 0), out.getvalue(), err.getvalue())

    return call


@pytest.fixture(scope="session")
def finished(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; to be read only."""
    import tagger

    path = tmp_path_factory.mktemp("finished") / "run"
    return tagger.train(demo, run=path, backbone="test_resnet", weights="none", overrides=options()).path


@pytest.fixture
def kill(tmp_path: Path) -> Callable[[Sequence[dict[str, Any]]], list[int]]:
    """Commands that are killed at chosen moments (see ``killing.py``); how each ended."""

    def call(plan: Sequence[dict[str, Any]]) -> list[int]:
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan), "utf-8")
        driver = Path(__file__).with_name("killing.py")
        done = subprocess.run(
            [sys.executable, str(driver), str(path)], capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout.splitlines()[-1]))

    return call
