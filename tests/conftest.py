"""What every test stands on: one thread, no network, drawn photos, a small run, commands as a person runs them.

The only conftest (``architecture/test_layers.py``): pytest's doctest collection takes several of that name for one
module.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import hypothesis
import pytest
from small import options
from time_by_file import TimeByFile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded; subprocesses inherit it
os.environ.setdefault("HF_HUB_OFFLINE", "1")
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # tests in the background would hand down that it is ignored
# No test fails because a machine is busy. The same draws each time, so that a change is judged by what it changes; the
# long tests (make torture) draw anew.
DRAWN_ANEW = bool(os.environ.get("TAGGER_DRAW_ANEW"))
hypothesis.settings.register_profile("tagger", deadline=None, derandomize=not DRAWN_ANEW)
hypothesis.settings.load_profile("tagger")

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--time-by-file N``."""
    parser.addoption(
        "--time-by-file", type=int, metavar="N", help="print which N test files take the most time"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Time the files if that is asked for."""
    if (longest := config.getoption("--time-by-file")) is not None:
        config.pluginmanager.register(TimeByFile(longest))


def pytest_runtest_setup() -> None:
    """Note when the test began, for what ``faults/torture.py`` records."""
    os.environ["TAGGER_TEST_BEGAN"] = str(monotonic())


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and weights, which is no part of the project; skipped where it is absent."""
    path = Path(os.environ.get("TAGGER_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip("no folder of shared data ($TAGGER_SHARED or ../shared)")
    return path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 drawn photos of 32 x 32 with labels and 12 new ones; to be read only."""
    from data_tools.demo import make_demo

    return make_demo(tmp_path_factory.mktemp("demo") / "data", num_images=80, num_new=12, size=32)


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """``photos(20, lambda i: "cat" if i % 2 else "")``: images of noise with a ``labels.csv``."""
    from noise_photos import make_photos

    return lambda *what, **more: make_photos(tmp_path / "data", *what, **more)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """``folder(["a.jpg", "b/c.png"], **{"labels.csv": "..."})``: each "image" holds its own path as bytes."""

    def make(images: Sequence[str] = ("a.jpg", "b.jpg", "c.jpg"), **texts: str) -> Path:
        for name, text in ({name: name for name in images} | texts).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(text.encode())
        return tmp_path

    return make


class End(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def tagger_cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., End]:
    """``tagger ARGUMENTS`` in an empty folder: exit code, standard output, standard error.

    The traceback of a fault of ours is printed, so that it is read where a test fails.
    """
    from tagger import cli

    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments: str | Path) -> End:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["tagger", *map(str, arguments)])
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as stop,
        ):
            cli.main()
        if stop.value.code == 1 and Path("tagger-error.log").exists():
            print(Path("tagger-error.log").read_text("utf-8"))
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
        driver = ROOT / "tests" / "commands" / "killing.py"
        done = subprocess.run(
            [sys.executable, str(driver), str(path)], capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout.splitlines()[-1]))

    return call
