"""Reader of OpenFace's CSV: a row a frame, or a row a face of one photo.

A row belongs to the photo that a column ``file`` names, else to the photo that the file is called like, else to the
photo whose name has the frame's number, in the folder that the file is called like if there is one. Rows with
``success`` 0 have no face.
"""

from collections.abc import Sequence
from pathlib import Path

from tagger.data.landmarks.base import Shape, ShapeList, file_names, number, walk_files
from tagger.data.landmarks.point_table import (
    FILE_COLUMNS,
    PointTable,
    TableRow,
    header,
    point_columns,
    read_table,
    row_points,
)
from tagger.errors import TaggerError

MARKS = {"frame", "success", "confidence", "face", "face_id"}  # columns of which OpenFace writes at least two


class OpenFaceReader:
    """Reader of ``frame, face_id, timestamp, confidence, success, ..., x_0, ..., y_67``."""

    def files(self, path: Path) -> list[Path]:
        """CSV files with points and at least two of OpenFace's columns."""
        return walk_files(path, ".csv", is_openface)

    def read(self, files: Sequence[Path], root: Path) -> ShapeList:
        """A shape for each row with a face."""
        found = ShapeList()
        for file in files:
            try:
                table = read_table(file)
            except TaggerError as error:
                found.malformed.append(str(error))
                continue
            columns = point_columns(table.columns, small_only=True)
            for row in table.rows:
                _read_row(table, row, columns, root, found)
        return found


def is_openface(path: Path) -> bool:
    """Whether a table is OpenFace's."""
    names = header(path)
    return len(MARKS.intersection(names)) > 1 and bool(point_columns(names, small_only=True))


def _read_row(
    table: PointTable, row: TableRow, columns: Sequence[tuple[int, int]], root: Path, found: ShapeList
) -> None:
    """Add the shape of one row."""
    line, cells = row
    try:
        points_P2 = row_points(cells, columns, len(table.columns))
        success = table.column("success")
        has_face = success is None or number(cells[success]) > 0
        names, by_number = _photo_names(table, cells, root)
    except ValueError as error:
        found.malform(table.path, f"row {line}", str(error))
        return
    if has_face:
        found.shapes.append(Shape(names, points_P2, table.path, by_number=by_number))
    else:
        found.lack(names, table.path, "no face was found in it (success = 0)", by_number=by_number)


def _photo_names(table: PointTable, cells: Sequence[str], root: Path) -> tuple[tuple[str, ...], bool]:
    """(what the photo of a row may be called, whether that may be a number in its name)."""
    named = table.column(*FILE_COLUMNS)
    if named is not None:
        return (cells[named],), False
    frame = table.column("frame")
    if frame is None or len({row[frame] for _, row in table.rows if frame < len(row)}) < 2:
        return file_names(table.path, root), False
    place = number(cells[frame])
    if place != int(place):
        raise ValueError(f"{cells[frame]!r} is no number of a frame")
    return (f"{table.path.stem}/{int(place)}",), True
