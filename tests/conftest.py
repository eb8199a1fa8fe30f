"""What every test stands on: one thread, no network, a small drawn data set, and the optional folder of real data."""

import os
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded; subprocesses inherit it
os.environ.setdefault("HF_HUB_OFFLINE", "1")
hypothesis.settings.register_profile("tagger", deadline=None)  # no test fails because a machine is busy
hypothesis.settings.load_profile("tagger")

ROOT = Path(__file__).parents[1]


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
