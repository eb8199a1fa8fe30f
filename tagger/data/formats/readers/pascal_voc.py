"""Reader of Pascal VOC XML, one file per image: an image has the label of every object in it.

Boxes and parts are ignored. A label that has only objects marked ``difficult`` is *unknown*, as in the
classification task of the VOC development kit.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import (
    ImageEntry,
    add_entries,
    load_xml,
    path_title,
    read_head,
    to_label,
)
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.text import counted, shortlist

ROOT_TAG = re.compile(rb"<annotation[\s>]")
ANNOTATION_FOLDERS = ("annotations", "xml", "xmls", "labels")


class PascalVocReader:
    """Reader of ``NAME.xml`` in ``Annotations/`` or beside ``NAME.jpg``."""

    def __init__(self, *, progress: ProgressCallback = no_progress):
        self.progress = progress

    def detect(self, images: ImageLookup) -> Path | None:
        """The folder ``Annotations``, or the data folder, if it holds XML files of this format."""
        return next((f for f in _folders(images.root, images) if next(_files(f, images), None)), None)

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a file of this format, or a folder with one."""
        return next(_files(path, images), None) is not None

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """One image per XML file, named by its ``filename`` or by the XML file; broken files are problems."""
        builder = LongTableBuilder()
        entries = []
        broken = []
        for done, file in enumerate(_files(path, images), 1):
            self.progress(done)
            try:
                entries.append(_entry(file, images, builder))
            except TaggerError as error:
                broken.append(Problem(file.name, None, f"left out: {error}"))
        builder.problems += broken
        if broken and not entries:
            listed = shortlist([problem.reason.removeprefix("left out: ") for problem in broken], 3)
            raise TaggerError(
                f"{path_title(path)}: none of its {counted(len(broken), 'XML file')} can be read: {listed}"
            )
        known = add_entries(builder, path, entries, images)
        summary = f"{path_title(path)} (Pascal VOC, {counted(known, 'XML file')}; boxes are ignored)"
        return builder.build(path_title(path), summary)


def _folders(root: Path, images: ImageLookup) -> list[Path]:
    """The folders called Annotations in the data folder, then the folder itself."""
    return [*sorted(p for p in root.glob("*/") if p.name.lower() in ANNOTATION_FOLDERS), root]


def _files(path: Path, images: ImageLookup) -> Iterator[Path]:
    """The files of this format: the path itself, or in the folder, in folders ``Annotations``, beside images."""
    found = {path} if path.is_file() else set()
    if path.is_dir():
        inside = [
            p
            for pattern in ("*/", "*/*/")
            for p in path.glob(pattern)
            if p.name.lower() in ANNOTATION_FOLDERS
        ]
        found = {f / name for f in (path, *inside) for name in _names(f) if name.lower().endswith(".xml")}
        prefix = os.path.relpath(os.path.abspath(path), images.root).replace(os.sep, "/")
        below = images.files if prefix == "." else [f for f in images.files if f.startswith(prefix + "/")]
        beside = (os.path.splitext(file)[0] + ".xml" for file in below)
        found |= {images.root / name for name in beside if images.has_path(name)}
    named = sorted(p for p in found if p.suffix.lower() == ".xml")
    return (p for p in named if p.is_file() and ROOT_TAG.search(read_head(p)))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _entry(path: Path, images: ImageLookup, builder: LongTableBuilder) -> ImageEntry:
    root = load_xml(path)
    if root.tag != "annotation":
        raise TaggerError(
            f"{path.name}: this is no Pascal VOC file: its root is <{root.tag}>, not <annotation>"
        )
    yes: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for at, thing in enumerate(root.findall("object"), 1):
        name = to_label(thing.findtext("name"))
        if not name:
            builder.problems.append(Problem(path.name, None, f"object {at} has no name: left out"))
        else:
            (unknown if _text(thing, "difficult") == "1" else yes)[name] = None
    only_difficult = tuple(name for name in unknown if name not in yes)
    named = _text(root, "filename")
    suffixes = dict.fromkeys([Path(named).suffix, ".jpg", ".jpeg", ".png", ".JPG"])
    same_stem = tuple(os.fspath(path.with_suffix(suffix)) for suffix in suffixes if suffix)
    renamed = () if images.has_stem(Path(named).stem) else tuple(os.path.basename(name) for name in same_stem)
    return ImageEntry(
        named or path.stem, (*same_stem, *renamed), tuple(yes), only_difficult, location=path.name
    )


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()
