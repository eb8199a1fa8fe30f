"""Small folders of "images" (any bytes will do: nothing in tagger.data decodes them)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """``folder(["a.jpg", "b/c.png"], **{"labels.csv": "..."})``: each image holds its own path as bytes."""

    def make(images: Sequence[str] = ("a.jpg", "b.jpg", "c.jpg"), **texts: str) -> Path:
        for name in images:
            write(tmp_path / name, name.encode())
        for name, text in texts.items():
            write(tmp_path / name, text.encode())
        return tmp_path

    return make


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
