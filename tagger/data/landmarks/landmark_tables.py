"""Reader of landmark tables, as MediaPipe's are saved: a row a photo (``file,x_0,y_0,z_0``), or a row a point."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.arrays import Floats
from tagger.data.landmarks.base import Shape, ShapeList, file_names, number, points_of, walk_files
from tagger.data.landmarks.mediapipe import relative_shapes
from tagger.data.landmarks.openface import is_openface
from tagger.data.landmarks.point_table import (
    FILE_COLUMNS,
    PointTable,
    header,
    point_columns,
    read_table,
    row_points,
)
from tagger.errors import TaggerError

POINT_COLUMNS = (
    "landmark",
    "landmark_id",
    "landmark_index",
    "point",
    "point_id",
    "keypoint",
    "index",
    "idx",
    "id",
)
FACE_COLUMNS = ("face", "face_id", "face_index")
FaceKey = tuple[tuple[str, ...], str]


class LandmarkTableReader:
    """Reader of CSV files with coordinates that are not OpenFace's."""

    def files(self, path: Path) -> list[Path]:
        """CSV files with columns of x and y."""
        return walk_files(path, ".csv", _is_table)

    def read(self, files: Sequence[Path], root: Path) -> ShapeList:
        """A shape for each photo, or for each face of one."""
        found = ShapeList()
        for file in files:
            try:
                table = read_table(file)
            except TaggerError as error:
                found.malformed.append(str(error))
                continue
            columns = point_columns(table.columns)
            read = _wide_shapes(table, columns, root, found) if columns else _long_shapes(table, root, found)
            found.shapes += relative_shapes(read)
        return found


def _is_table(path: Path) -> bool:
    names = header(path)
    small = {name.lower() for name in names}
    is_long = {"x", "y"} <= small and bool(small.intersection(POINT_COLUMNS))
    return (is_long or bool(point_columns(names))) and not is_openface(path)


def _wide_shapes(
    table: PointTable, columns: Sequence[tuple[int, int]], root: Path, found: ShapeList
) -> list[Shape]:
    """A shape for each row."""
    named = table.column(*FILE_COLUMNS)
    shapes = []
    for line, cells in table.rows:
        try:
            points_P2 = row_points(cells, columns, len(table.columns))
        except ValueError as error:
            found.malform(table.path, f"row {line}", str(error))
        else:
            names = file_names(table.path, root) if named is None else (cells[named],)
            shapes.append(Shape(names, points_P2, table.path))
    return shapes


def _long_shapes(table: PointTable, root: Path, found: ShapeList) -> list[Shape]:
    """A shape for each photo, or face of one, from rows of one point each, in the order of their numbers."""
    groups: dict[FaceKey, dict[float, Floats]] = {}
    for line, cells in table.rows:
        try:
            if len(cells) != len(table.columns):
                raise ValueError(f"{len(cells)} cells where the first line has {len(table.columns)}")
            key, place = _face_key(table, cells, root), number(_cell(table, cells, POINT_COLUMNS))
            group = groups.setdefault(key, {})
            if place in group:
                raise ValueError(f"point {place:g} of {key[0][0]!r} is there twice")
            group[place] = points_of([(_cell(table, cells, ("x",)), _cell(table, cells, ("y",)))])
        except ValueError as error:
            found.malform(table.path, f"row {line}", str(error))
    return [
        Shape(names, np.concatenate([points[place] for place in sorted(points)]), table.path)
        for (names, _), points in groups.items()
        if points
    ]


def _face_key(table: PointTable, cells: Sequence[str], root: Path) -> FaceKey:
    """(names of the photo, which face of it) of a row."""
    file = _cell(table, cells, FILE_COLUMNS)
    return (file,) if file else file_names(table.path, root), _cell(table, cells, FACE_COLUMNS)


def _cell(table: PointTable, cells: Sequence[str], names: Sequence[str]) -> str:
    """The cell in the first of these columns that is there; "" without one."""
    column = table.column(*names)
    return "" if column is None else cells[column]
