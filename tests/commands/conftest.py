"""What several tests of commands start from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from noise_photos import make_photos


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """``photos(20, lambda i: "cat" if i % 2 else "")``: images of noise with a ``labels.csv``."""
    return partial(make_photos, tmp_path / "data")
