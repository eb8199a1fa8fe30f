"""Shared steps of the readers of annotation exports: find files, parse JSON or XML, match images."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTableBuilder
from tagger.data.formats.text_file import read_text
from tagger.data.formats.xml_spans import MAX_DEPTH
from tagger.errors import Problem, TaggerError
from tagger.text import counted

HEAD_BYTES = 4096  # enough to find the root element of an XML file


@dataclass(frozen=True)
class ImageEntry:
    """One image in an annotation file: its name there, other names to try, and the cells that are not *no*."""

    name: str
    other_names: tuple[str, ...] = ()
    yes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    location: str = ""


class AnnotationFileReader:
    """Base class of readers of annotation files, which are in the data folder or in one of its folders."""

    def files(self, path: Path) -> list[Path]:
        """The files of this format: ``path`` itself, or those in it and in its sub-folders."""
        raise NotImplementedError

    def detect(self, images: ImageLookup) -> Path | None:
        """The file, or the folder that holds several."""
        return common_path(self.files(images.root), images.root)

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a file of this format, and for a folder with one."""
        return bool(self.files(path))


def find_files(root: Path, suffix: str) -> list[Path]:
    """The files with ``suffix`` in ``root`` and in its sub-folders (``train/``), sorted."""
    if root.is_file():
        return [root] if root.suffix.lower() == suffix else []
    found = []
    for folder in (root, *_list_folder(root, "", folders=True)):
        found += _list_folder(folder, suffix, folders=False)
    return sorted(found)


def _list_folder(folder: Path, suffix: str, *, folders: bool) -> list[Path]:
    """The visible files or folders in a folder; none if it cannot be listed, which is reported elsewhere."""
    try:
        with os.scandir(folder) as entries:
            named = [e for e in entries if e.name.lower().endswith(suffix) and not e.name.startswith(".")]
            return [folder / e.name for e in named if (e.is_dir() if folders else e.is_file())]
    except OSError:
        return []


def common_path(files: list[Path], root: Path) -> Path | None:
    """The only file, else the folder that all files are in, else ``root``; None without files."""
    if len(files) < 2:
        return files[0] if files else None
    return files[0].parent if len({p.parent for p in files}) == 1 else root


def path_title(path: Path) -> str:
    """``annotations/`` for a folder, ``labels.json`` for a file."""
    return f"{path.resolve().name}/" if path.is_dir() else path.name


def load_json(path: Path) -> Any:
    """The content of a JSON file. TaggerError with the line where it is broken."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise TaggerError(
            f"{path.name}, row {error.lineno}: this is not valid JSON ({error.msg}). Export it anew"
        ) from None
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets nested by the thousand
        raise TaggerError(
            f"{path.name}: this JSON cannot be read: it is nested too deep or holds huge numbers"
        ) from None


def load_xml(path: Path) -> Element:
    """The root of an XML file; entities and external references are refused. TaggerError where it is broken."""
    parser = defusedxml.ElementTree.XMLParser(target=_DepthLimitedBuilder(path.name))
    try:
        parser.feed(path.read_bytes())
        root: Element = parser.close()
    except OSError as error:
        raise TaggerError(
            f"{path}: cannot be read ({(error.strerror or type(error).__name__).lower()})"
        ) from None
    except ParseError as error:
        raise TaggerError(f"{path.name}, row {error.position[0]}: this is not valid XML ({error})") from None
    except DefusedXmlException:
        raise TaggerError(
            f"{path.name}: it declares XML entities, which are refused. Remove the DOCTYPE"
        ) from None
    except (ValueError, LookupError, RecursionError):  # an encoding that Python does not know
        raise TaggerError(f"{path.name}: this XML cannot be read. Save it as UTF-8") from None
    return root


class _DepthLimitedBuilder(TreeBuilder):
    """A TreeBuilder with a limited depth; TaggerError if elements are nested deeper."""

    def __init__(self, where: str):
        super().__init__()
        self.where = where
        self.depth = 0

    def start(self, tag: str, attributes: dict[Any, Any]) -> Element:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TaggerError(
                f"{self.where}: elements are nested more than {MAX_DEPTH} deep. Export it again"
            )
        return super().start(tag, attributes)

    def end(self, tag: str) -> Element:
        self.depth -= 1
        return super().end(tag)


def read_head(path: Path, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def contains_all(path: Path, *marks: bytes, opening: bytes) -> bool:
    """True if a file begins with ``opening`` (after white space) and contains all marks."""
    if read_head(path, 64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != opening:
        return False
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return all(mark in data for mark in marks)


def to_label(value: Any) -> str:
    """The label of a JSON value: a stripped text, or a number; otherwise "".

    >>> to_label(" cat "), to_label(7), to_label(None), to_label(["cat"])
    ('cat', '7', '', '')
    """
    if isinstance(value, str):
        return value.strip().encode("utf-8", "replace").decode()  # JSON can spell halves of characters
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def path_variants(name: str) -> tuple[str, ...]:
    """The names under which an image is looked up: as written, the path of a URL, and the bare name.

    >>> path_variants("https://host/up/a%20b.jpg?x=1")
    ('https://host/up/a%20b.jpg?x=1', '/up/a b.jpg', 'up/a b.jpg', 'a b.jpg')
    """
    path = name
    scheme, mark, rest = name.partition("://")
    if mark and scheme.isalnum():
        path = "/" + unquote(rest.partition("?")[0]).partition("/")[2]
    bare = path.replace("\\", "/").rpartition("/")[2]
    return tuple(dict.fromkeys(filter(None, (name, path, path.lstrip("/"), bare))))


def add_entries(
    builder: LongTableBuilder,
    path: Path,
    entries: Iterable[ImageEntry],
    images: ImageLookup,
    *,
    noun: str = "image",
) -> int:
    """Add entries whose image exists to ``builder`` and return their number; the others become problems.

    TaggerError if no entry names an image.
    """
    known = 0
    absent: list[Problem] = []
    for entry in entries:
        file, reason = _find(entry, images, path if path.is_dir() else path.parent)
        if file:
            builder.add_image(file, yes=entry.yes, unknown=entry.unknown, location=entry.location)
            known += 1
        else:
            reason = f"{entry.location}: {reason}" if entry.location else reason
            absent.append(Problem(path_title(path), None, reason))
    builder.problems += absent
    if not known:
        reasons = " ".join(problem.reason for problem in absent[:3])
        listed = f"none of its {counted(len(absent), noun)} is in {images.root}: {reasons}"
        raise TaggerError(
            f"{path_title(path)}: {listed if absent else f'there is no {noun} in it with labels'}"
        )
    return known


def grouped_problems(name: str, reasons: Iterable[str]) -> Iterator[Problem]:
    """One problem for each distinct reason, with the number of times that it occurs."""
    times: dict[str, int] = {}
    for reason in reasons:
        times[reason] = times.get(reason, 0) + 1
    for reason, count in times.items():
        yield Problem(name, None, reason if count == 1 else f"{reason} ({count:,} times)")


def _find(entry: ImageEntry, images: ImageLookup, beside: Path) -> tuple[str, str]:
    """``ImageLookup.find`` with the first name that is an image; the reason names the entry as written."""
    for name in dict.fromkeys((*entry.other_names, *path_variants(entry.name))):
        if "\0" not in name and (file := images.find(name, beside=beside)[0]):
            return file, ""
    return images.find(entry.name.replace("\0", ""), beside=beside)
