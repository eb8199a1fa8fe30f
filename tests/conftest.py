"""What every test stands on: one thread, no network, and the optional folder of real data."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded; subprocesses inherit it
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and weights, which is no part of the project; skipped where it is absent."""
    path = Path(os.environ.get("TAGGER_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip("no folder of shared data ($TAGGER_SHARED or ../shared)")
    return path
