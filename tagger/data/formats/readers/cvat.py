"""Reader of "CVAT for images 1.1" XML: tags, boxes and all other shapes give labels.

Attributes and coordinates are ignored. Video exports (``<track>``) are refused, as their frames are not image
files.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import (
    AnnotationFileReader,
    ImageEntry,
    add_entries,
    find_files,
    load_xml,
    path_title,
    read_head,
    to_label,
)
from tagger.errors import Problem, TaggerError
from tagger.text import counted


class CvatReader(AnnotationFileReader):
    """Reader of ``annotations.xml`` in the data folder or one of its folders."""

    def files(self, path: Path) -> list[Path]:
        """XML files with the root ``<annotations>``."""
        return [p for p in find_files(path, ".xml") if b"<annotations>" in read_head(p)]

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every image of the export with its labels; the task's unused labels are labels too."""
        builder = LongTableBuilder()
        num_known = 0
        for file in self.files(path):
            root = load_xml(file)
            if root.tag != "annotations":
                raise TaggerError(
                    f"{file.name}: this is no CVAT file: its root is <{root.tag}>, not <annotations>"
                )
            if root.find("track") is not None and root.find("image") is None:
                raise TaggerError(
                    f"{file.name}: a CVAT export of a video. Export it as 'CVAT for images 1.1'"
                )
            for label in root.iterfind("meta//labels/label"):
                if label.find("parent") is None and (name := to_label(label.findtext("name"))):
                    builder.add_label(name, file.name)
            num_known += add_entries(builder, file, _entries(root, file, builder), images)
        summary = (
            f"{path_title(path)} (CVAT, {counted(num_known, 'image')}; shapes and attributes are ignored)"
        )
        return builder.build(path_title(path), summary)


def _entries(root: Element, path: Path, builder: LongTableBuilder) -> Iterator[ImageEntry]:
    for at, image in enumerate(root.findall("image"), 1):
        location = f"image {image.get('id', at)}"
        labels: dict[str, None] = {}
        for shape in image:
            name = to_label(shape.get("label"))
            if name:
                labels[name] = None
            else:
                builder.problems.append(
                    Problem(path.name, None, f"{location}: a <{shape.tag}> without a label: left out")
                )
        yield ImageEntry(image.get("name", ""), yes=tuple(labels), location=location)
