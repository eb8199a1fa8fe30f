"""Tables of landmarks: rows of a CSV file, and its columns of points."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagger.arrays import Floats
from tagger.data.formats.delimited import guess_delimiter
from tagger.data.formats.text_file import read_text
from tagger.data.landmarks.base import points_of
from tagger.errors import TaggerError

FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_path", "image_file", "image_name", "path")
HEAD = 1 << 20  # characters of a file that show its header
COORDINATE = re.compile(r"(x|y)_?(\d+)")

TableRow = tuple[int, list[str]]  # the line that it starts on, its cells


@dataclass(frozen=True)
class PointTable:
    """The rows of a table below its header. Names of columns are without blanks around them."""

    path: Path
    columns: tuple[str, ...]
    rows: list[TableRow]

    def column(self, *names: str) -> int | None:
        """The first of these columns that is there, whatever its capitals; None if none is."""
        small = [name.lower() for name in self.columns]
        return next((small.index(name) for name in names if name in small), None)


def header(path: Path) -> tuple[str, ...]:
    """The names in a file's first line; none if it cannot be read as text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline(HEAD)
    except (OSError, UnicodeError):
        return ()
    try:
        cells = next(csv.reader([line], delimiter=guess_delimiter(line, path.suffix.lower())), [])
    except csv.Error:
        return ()
    return tuple(cell.strip() for cell in cells)


def read_table(path: Path) -> PointTable:
    """The table in a file. TaggerError, which lists the rows, if some have another number of cells."""
    text = read_text(path)
    delimiter = guess_delimiter(text[:4096], path.suffix.lower())
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = tuple(cell.strip() for cell in next(lines, []))
        rows = list(_numbered(lines, len(columns)))
    except csv.Error as error:
        raise TaggerError(f"{path.name}, row {lines.line_num}: broken quoting ({error})") from None
    return PointTable(path, columns, rows)


def _numbered(lines: Iterator[list[str]], width: int) -> Iterator[TableRow]:
    """The rows that are not blank, with their lines; blank cells at the end that the header lacks are cut off."""
    for line, cells in enumerate(lines, 2):
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if any(cell.strip() for cell in cells):
            yield line, [cell.strip() for cell in cells]


def point_columns(columns: Sequence[str], *, small_only: bool = False) -> list[tuple[int, int]]:
    """(column of x, column of y) of each point, in the order of their numbers; nothing if a number lacks one.

    >>> point_columns(["file", "x_0", "x_1", "y_0", "y_1", "X_0"], small_only=True)
    [(1, 3), (2, 4)]
    >>> point_columns(["x0", "x1", "y0"])
    []
    """
    at: dict[tuple[str, int], int] = {}
    for place, name in enumerate(columns):
        found = COORDINATE.fullmatch(name if small_only else name.lower())
        if found:
            at.setdefault((found[1], int(found[2])), place)
    numbers = sorted({number for _, number in at})
    if any((axis, n) not in at for n in numbers for axis in "xy"):
        return []
    return [(at["x", n], at["y", n]) for n in numbers]


def row_points(row: Sequence[str], columns: Sequence[tuple[int, int]], width: int) -> Floats:
    """The points of a row; ValueError if its cells are too few or too many, or a coordinate is no number."""
    if len(row) != width:
        raise ValueError(f"{len(row)} cells where the first line has {width}")
    return points_of([(row[x], row[y]) for x, y in columns])
