"""Small photos of noise with a label file, and what a refusal looks like. No test itself."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Labels = Callable[[int], str]


def make_photos(
    root: Path, count: int, labels: Labels | None = lambda i: ["cat", "dog", "cat|dog", ""][i % 4]
) -> Path:
    """So many images of noise in ``root``, with a ``labels.csv`` unless ``labels`` is None."""
    root.mkdir()
    rng = np.random.default_rng(0)
    for n in range(count):
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(root / f"{n:02d}.png")
    if labels:
        write_rows(root, [[f"{n:02d}.png", labels(n)] for n in range(count)])
    return root


def write_rows(root: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("file", "labels")) -> None:
    """A ``labels.csv``."""
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def refused(ended: Any, *words: str) -> None:
    """The command ended with exit code 2 and one line without a traceback that holds the words."""
    assert ended.code == 2, ended
    assert ended.err.startswith("tagger: ")
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err + ended.out
    for word in words:
        assert word in ended.err, ended.err
    assert not Path("tagger-error.log").exists()
