"""Reader of COCO keypoints: x, y and visibility of each point of a person; visibility 0 is an absent point."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tagger.arrays import Floats
from tagger.data.formats.readers.annotation_files import contains_all, load_json
from tagger.data.landmarks.base import Shape, ShapeList, number, walk_files
from tagger.errors import TaggerError


class CocoKeypointReader:
    """Reader of ``annotations[].keypoints`` with the file names of ``images``."""

    def files(self, path: Path) -> list[Path]:
        """COCO files with keypoints."""
        marks = (b'"images"', b'"annotations"', b'"keypoints"')
        return walk_files(path, ".json", lambda file: contains_all(file, *marks, opening=b"{"))

    def read(self, files: Sequence[Path], root: Path) -> ShapeList:
        """A shape for each object with keypoints that is no crowd."""
        found = ShapeList()
        for file in files:
            try:
                content = load_json(file)
            except TaggerError as error:
                found.malformed.append(str(error))
                continue
            names = _image_names(file, content, found)
            for at, entry in enumerate(_entries(content, "annotations"), 1):
                _read_object(file, at, entry, names, found)
        return found


def _entries(content: Any, part: str) -> list[Any]:
    value = content.get(part) if isinstance(content, dict) else None
    return value if isinstance(value, list) else []


def _image_names(path: Path, content: Any, found: ShapeList) -> dict[Hashable, str]:
    """{id: file name} of the images."""
    names: dict[Hashable, str] = {}
    for at, image in enumerate(_entries(content, "images"), 1):
        name = image.get("file_name") if isinstance(image, dict) else None
        if isinstance(name, str) and isinstance(image.get("id"), int | str):
            names[image["id"]] = name
        else:
            found.malform(path, f"'images', entry {at}", "it has no id or no file_name")
    return names


def _read_object(path: Path, at: int, entry: Any, names: dict[Hashable, str], found: ShapeList) -> None:
    """Add the shape of one object."""
    if not isinstance(entry, dict) or not entry.get("keypoints") or entry.get("iscrowd"):
        return
    key = entry.get("image_id")
    where = f"'annotations', entry {at}"
    if not isinstance(key, int | str) or key not in names:
        found.malform(path, where, f"its image {key!r} is not in 'images'")
        return
    try:
        points_P2 = _points(entry["keypoints"])
        area = number(entry.get("area") or 0)
    except ValueError as error:
        found.malform(path, where, str(error))
        return
    if np.isnan(points_P2).all():
        found.lack((names[key],), path, "all its keypoints are absent (visibility 0)")
    else:
        found.shapes.append(Shape((names[key],), points_P2, path, area=area))


def _points(values: Any) -> Floats:
    """Points (P, 2) of x, y, visibility, ...; NaN where the visibility is 0."""
    if not isinstance(values, list) or len(values) % 3:
        raise ValueError("its keypoints are no list of x, y, visibility")
    triples_P3 = np.array([number(value) for value in values], np.float64).reshape(-1, 3)
    return np.where(triples_P3[:, 2:] > 0, triples_P3[:, :2], np.nan)
