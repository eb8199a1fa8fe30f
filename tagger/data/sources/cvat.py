"""Labels in CVAT's "CVAT for images 1.1" XML: tags, boxes and all other shapes give an image their label.

Attributes and coordinates are ignored. Video exports (``<track>``) are refused: their frames are no image files.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from tagger.data.image_index import ImageIndex
from tagger.data.long_table import LongTable, LongTableBuilder
from tagger.data.sources.annotation_files import (
    Entry,
    ExportSource,
    add_entries,
    files_near,
    head,
    label_name,
    load_xml,
    title,
)
from tagger.data.wording import counted
from tagger.errors import Problem, TaggerError


class Cvat(ExportSource):
    """``annotations.xml`` in the data folder or a folder in it."""

    def files(self, path: Path) -> list[Path]:
        """XML files with the root ``<annotations>``."""
        return [p for p in files_near(path, ".xml") if b"<annotations>" in head(p)]

    def read(self, path: Path, images: ImageIndex) -> LongTable:
        """Every image of the export, with its labels; labels of the task that are never used stay labels."""
        builder = LongTableBuilder()
        num_known = 0
        for file in self.files(path):
            root = load_xml(file)
            if root.tag != "annotations":
                raise TaggerError(f"{file.name}: this is no CVAT file: its root is <{root.tag}>, not <annotations>")
            if root.find("track") is not None and root.find("image") is None:
                raise TaggerError(f"{file.name}: a CVAT export of a video. Export it as 'CVAT for images 1.1'")
            for label in root.iterfind("meta//labels/label"):
                if label.find("parent") is None and (name := label_name(label.findtext("name"))):
                    builder.label(name, file.name)
            num_known += add_entries(builder, file, _entries(root, file, builder), images)
        summary = f"{title(path)} (CVAT, {counted(num_known, 'image')}; shapes and attributes are ignored)"
        return builder.build(title(path), summary)


def _entries(root: Element, path: Path, builder: LongTableBuilder) -> Iterator[Entry]:
    for at, image in enumerate(root.findall("image"), 1):
        place = f"image {image.get('id', at)}"
        labels: dict[str, None] = {}
        for shape in image:
            name = label_name(shape.get("label"))
            if name:
                labels[name] = None
            else:
                builder.problems.append(Problem(path.name, None, f"{place}: a <{shape.tag}> without a label: left out"))
        yield Entry(image.get("name", ""), yes=tuple(labels), place=place)
