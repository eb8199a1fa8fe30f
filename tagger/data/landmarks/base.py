"""Interface of readers of landmark files, one shape of points, and rows that are malformed."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tagger.arrays import Floats
from tagger.errors import TaggerError
from tagger.text import counted, shortlist

MAX_ROWS_NAMED = 20  # malformed rows that one error names


@dataclass(frozen=True)
class Shape:
    """The landmarks of one object as a file has them: points (P, 2), x and y, NaN where a point is absent.

    Coordinates are pixels of the upright photo, the centre of the first one at 0, 0; where ``relative`` is true they
    are shares of its width and height instead. ``names``: what the photo may be called, the best first. ``by_number``:
    a name may be the only number in a photo's name. ``area`` (of the object's box, 0: not known) tells which of
    several objects is the largest.
    """

    names: tuple[str, ...]
    points_P2: Floats
    file: Path
    relative: bool = False
    by_number: bool = False
    area: float = 0.0


@dataclass
class ShapeList:
    """What a reader found: shapes, malformed rows, and (shape without points, reason) of photos without landmarks."""

    shapes: list[Shape] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    without: list[tuple[Shape, str]] = field(default_factory=list)

    def malform(self, path: Path, where: str, reason: str) -> None:
        """Note a malformed row or entry of a file."""
        self.malformed.append(f"{path.name}, {where}: {reason}")

    def lack(self, names: tuple[str, ...], path: Path, reason: str, *, by_number: bool = False) -> None:
        """Note why a photo has no landmarks."""
        self.without.append((Shape(names, np.empty((0, 2)), path, by_number=by_number), reason))

    def check(self) -> None:
        """TaggerError that names the malformed rows, if there are any."""
        if self.malformed:
            raise TaggerError(
                f"{counted(len(self.malformed), 'malformed row')} of landmarks:"
                f" {shortlist(self.malformed, MAX_ROWS_NAMED)}. Mend or remove what is malformed."
            )


class LandmarkReader(Protocol):
    """The interface of a reader of landmark files."""

    def files(self, path: Path) -> list[Path]:
        """The files of this format: ``path`` itself, or those in it and below it."""

    def read(self, files: Sequence[Path], root: Path) -> ShapeList:
        """All shapes in the files, which were found at or below ``root``."""


def walk_files(path: Path, suffix: str, accepts: Callable[[Path], bool]) -> list[Path]:
    """``path`` itself, or the visible files in it and below it, that have the suffix and are accepted; sorted."""
    if path.is_file():
        return [path] if path.suffix.lower() == suffix and accepts(path) else []
    return sorted(file for file in _visible_files(path, suffix) if accepts(file))


def _visible_files(root: Path, suffix: str) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if name.lower().endswith(suffix) and name[0] != ".")


def number(value: Any) -> float:
    """A finite number of a cell or JSON value; ValueError, which quotes it, if it is none.

    >>> number(" 1.5"), number(2)
    (1.5, 2.0)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{_quoted(value)} is no number")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{_quoted(value)} is no number") from None
    if not math.isfinite(found):
        raise ValueError(f"{_quoted(value)} is no finite number")
    return found


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def points_of(pairs: Sequence[Sequence[Any]]) -> Floats:
    """Points (P, 2) of rows that begin with x and y; ValueError with the first value that is no number.

    >>> points_of([("1", "2"), (3, 4, 5)]).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    if any(len(pair) < 2 for pair in pairs):
        raise ValueError("a point has no x and y")
    return np.array([[number(pair[0]), number(pair[1])] for pair in pairs], np.float64).reshape(-1, 2)


def file_names(path: Path, root: Path) -> tuple[str, ...]:
    """What the photo of a landmark file that is called like it may be named: its path below ``root``, its stem.

    >>> file_names(Path("/data/a/x.pts"), Path("/data"))
    ('a/x', 'x')
    """
    below = path.with_suffix("")
    inside = below.relative_to(root).as_posix() if path.is_relative_to(root) and path != root else below.name
    return tuple(dict.fromkeys((inside, below.name)))
