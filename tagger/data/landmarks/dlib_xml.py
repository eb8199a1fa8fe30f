"""Reader of dlib's XML (imglab, shape predictors): images with boxes, and the parts of each box."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from tagger.arrays import Floats
from tagger.data.formats.readers.annotation_files import contains_all, load_xml
from tagger.data.landmarks.base import Shape, ShapeList, number, points_of, walk_files
from tagger.errors import TaggerError


class DlibReader:
    """Reader of ``<image file=...><box ...><part name='00' x=... y=.../>``."""

    def files(self, path: Path) -> list[Path]:
        """XML files with a data set of dlib and at least one part."""
        return walk_files(path, ".xml", lambda file: contains_all(file, b"<dataset", b"<part", opening=b"<"))

    def read(self, files: Sequence[Path], root: Path) -> ShapeList:
        """A shape for each box with parts that is not marked ``ignore``."""
        found = ShapeList()
        for file in files:
            try:
                tree = load_xml(file)
            except TaggerError as error:
                found.malformed.append(str(error))
                continue
            for at, image in enumerate(tree.iter("image"), 1):
                _read_image(file, at, image, found)
        return found


def _read_image(path: Path, at: int, image: Element, found: ShapeList) -> None:
    """Add the shapes of one image."""
    name = (image.get("file") or "").strip()
    if not name:
        found.malform(path, f"image {at}", "it has no file")
        return
    boxes = [box for box in image.iter("box") if box.get("ignore", "0") in ("0", "")]
    with_parts = [(at, box) for at, box in enumerate(boxes, 1) if box.find("part") is not None]
    for at_box, box in with_parts:
        try:
            points_P2 = _points(box)
            area = number(box.get("width", "0")) * number(box.get("height", "0"))
        except ValueError as error:
            found.malform(path, f"image {name!r}, box {at_box}", str(error))
        else:
            found.shapes.append(Shape((name,), points_P2, path, area=area))
    if not with_parts:
        found.lack((name,), path, "its boxes have no parts" if boxes else "it has no box")


def _points(box: Element) -> Floats:
    """The parts in the order of their names: numbers as numbers."""
    parts = [(part.get("name") or "", part.get("x"), part.get("y")) for part in box.iter("part")]
    names = [name for name, _, _ in parts]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"part {doubled[0]!r} is there twice")
    if all(name.isdecimal() for name in names):
        parts.sort(key=lambda part: int(part[0]))
    for name, x, y in parts:
        try:
            points_of([(x, y)])
        except ValueError as error:
            raise ValueError(f"part {name!r}: {error}") from None
    return points_of([(x, y) for _, x, y in parts])
