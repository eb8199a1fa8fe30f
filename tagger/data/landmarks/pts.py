"""Reader of ``.pts`` files (300-W, IMM, menpo): one file a photo, called like it.

Their coordinates begin at 1, 1, as in the 300-W sets and in Matlab; they are read so.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from tagger.data.formats.text_file import read_text
from tagger.data.landmarks.base import Shape, ShapeList, file_names, points_of, walk_files
from tagger.errors import TaggerError

COUNT = re.compile(r"n_points\s*:\s*(\S+)", re.IGNORECASE)
Line = tuple[int, str]  # its number, and its text


class PtsReader:
    """Reader of ``version: 1``, ``n_points: 68`` and a point a line in braces."""

    def files(self, path: Path) -> list[Path]:
        """All files that end in ``.pts``."""
        return walk_files(path, ".pts", lambda file: True)

    def read(self, files: Sequence[Path], root: Path) -> ShapeList:
        """A shape a file."""
        found = ShapeList()
        for file in files:
            _read_file(file, root, found)
        return found


def _read_file(path: Path, root: Path, found: ShapeList) -> None:
    """Add the shape of one file, or what is malformed in it."""
    try:
        head, body = _parts(read_text(path))
    except (ValueError, TaggerError) as error:
        found.malformed.append(str(error) if isinstance(error, TaggerError) else f"{path.name}: {error}")
        return
    rows = [(line, text.replace(",", " ").split()) for line, text in body]
    good = True
    for line, cells in rows:
        try:
            if len(cells) != 2:
                raise ValueError(f"{len(cells)} values where a point has 2")
            points_of([cells])
        except ValueError as error:
            found.malform(path, f"row {line}", str(error))
            good = False
    declared = COUNT.search(head)
    if declared and declared[1] != str(len(rows)):
        found.malform(path, "n_points", f"it says {declared[1]} points, and there are {len(rows)}")
    elif good:
        points_P2 = points_of([cells for _, cells in rows]) - 1.0
        found.shapes.append(Shape(file_names(path, root), points_P2, path))


def _parts(text: str) -> tuple[str, list[Line]]:
    """(what stands before the braces, the lines within them that are not blank)."""
    opening = text.find("{")
    closing = text.find("}")
    if opening < 0 or closing < opening:
        raise ValueError("the points should stand between { and }")
    first = text.count("\n", 0, opening) + 1
    lines = enumerate(text[opening + 1 : closing].split("\n"), first)
    body = [(line, row.strip()) for line, row in lines if row.strip()]
    if not body:
        raise ValueError("there are no points in it")
    return text[:opening], body
