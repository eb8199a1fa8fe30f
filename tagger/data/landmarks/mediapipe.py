"""Readers of MediaPipe's landmarks as people save them: JSON, and CSV wide or long.

MediaPipe gives x and y as shares of the photo's width and height, and a depth z, which is not used. A file in which no
coordinate is above 2 is read so; in any other they are pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tagger.data.formats.readers.annotation_files import contains_all, load_json
from tagger.data.landmarks.base import Shape, ShapeList, file_names, points_of, walk_files
from tagger.data.landmarks.point_table import FILE_COLUMNS
from tagger.errors import TaggerError

MAX_RELATIVE = 2.0  # a face may reach out of its photo
LISTS = (
    *("face_landmarks", "faceLandmarks", "multi_face_landmarks", "multiFaceLandmarks"),
    *("pose_landmarks", "poseLandmarks", "multi_hand_landmarks", "hand_landmarks", "handLandmarks"),
    *("landmarks", "landmark", "keypoints"),
)  # where a list of points is found in an object; the first that is there counts
MAX_DEPTH = 5  # lists in lists


class MediaPipeReader:
    """Reader of JSON: points with ``x`` and ``y`` in lists, a photo each or named by ``file`` or by their key."""

    def files(self, path: Path) -> list[Path]:
        """JSON files that hold points with an x and a y, and are no COCO file."""
        return walk_files(path, ".json", _is_mediapipe)

    def read(self, files: Sequence[Path], root: Path) -> ShapeList:
        """A shape for each list of points."""
        found = ShapeList()
        for file in files:
            try:
                content = load_json(file)
            except TaggerError as error:
                found.malformed.append(str(error))
                continue
            shapes = list(_file_shapes(file, content, root, found))
            found.shapes += relative_shapes(shapes)
        return found


def relative_shapes(shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes of one file, marked as relative if no coordinate is large."""
    tops = [np.abs(shape.points_P2).max() for shape in shapes if shape.points_P2.size]
    relative = bool(tops) and max(tops) <= MAX_RELATIVE
    return [replace(shape, relative=relative) for shape in shapes]


def _is_mediapipe(path: Path) -> bool:
    return (
        any(contains_all(path, b'"x"', b'"y"', opening=opening) for opening in (b"{", b"["))
        and not contains_all(path, b'"annotations"', b'"images"', opening=b"{")
        and not contains_all(path, b'"annotations"', b'"result"', opening=b"[")  # Label Studio
    )


def _file_shapes(path: Path, content: Any, root: Path, found: ShapeList) -> Iterator[Shape]:
    """The shapes of a file: of one photo that it is called like, or of several that it names."""
    for names, where, value in _photos(path, content, root):
        lists = list(_point_lists(value))
        if not lists:
            found.lack(names, path, "no landmarks were found in it")
        for points in lists:
            try:
                yield Shape(names, points_of(_coordinates(points)), path)
            except ValueError as error:
                found.malform(path, where, str(error))


def _photos(path: Path, content: Any, root: Path) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """(names of the photo, where in the file, its value) of each photo."""
    if isinstance(content, list) and content and all(map(_file_name, content)):
        for at, entry in enumerate(content, 1):
            yield (_file_name(entry),), f"entry {at}", entry
    elif isinstance(content, dict) and not any(key in content for key in LISTS):
        for name, value in content.items():
            yield (name,), f"entry {name!r}", value
    else:
        named = _file_name(content)
        yield (named,) if named else file_names(path, root), "the whole", content


def _file_name(entry: Any) -> str:
    """The photo that an entry names; "" if it names none."""
    if not isinstance(entry, dict):
        return ""
    names = [entry[key] for key in FILE_COLUMNS if isinstance(entry.get(key), str)]
    return names[0] if names else ""


def _point_lists(value: Any, depth: int = 0) -> Iterator[list[Any]]:
    """Every list of points in a value, a face each."""
    if isinstance(value, Mapping):
        inner = next((value[key] for key in LISTS if key in value), None)
        if inner is not None and depth < MAX_DEPTH:
            yield from _point_lists(inner, depth + 1)
    elif isinstance(value, list) and value and depth < MAX_DEPTH:
        if any(_is_point(entry) for entry in value):
            yield value
        else:
            for entry in value:
                yield from _point_lists(entry, depth + 1)


def _is_point(entry: Any) -> bool:
    if isinstance(entry, Mapping):
        return "x" in entry or "y" in entry
    return (
        isinstance(entry, list)
        and len(entry) in (2, 3)
        and not any(isinstance(e, list | dict) for e in entry)
    )


def _coordinates(points: Sequence[Any]) -> list[tuple[Any, Any]]:
    """(x, y) of each point; ValueError with its number if one lacks a coordinate."""
    pairs = []
    for at, point in enumerate(points):
        pair = (point.get("x"), point.get("y")) if isinstance(point, Mapping) else point
        try:
            points_of([pair] if isinstance(pair, Sequence) else [()])
        except ValueError as error:
            raise ValueError(f"point {at}: {error}") from None
        pairs.append((pair[0], pair[1]))
    return pairs
