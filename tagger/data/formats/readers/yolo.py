"""Reader of YOLO text files, one per image with one object a line, and of the file of class names.

An image has the label of every object's class; boxes and outlines are ignored. An empty text file means that
no label applies. An image without a text file is left out: YOLO treats it as empty, but perhaps nobody has
labelled it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import path_title, read_head
from tagger.data.formats.text_file import read_text
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.text import counted

OBJECT_LINE = re.compile(r"([0-9]+)(?:\.0*)?(?:\s+[-+0-9.eE]+){4,}")
YAML_SUFFIXES = (".yaml", ".yml")
CLASS_FILES = ("classes.txt", "obj.names", "_darknet.labels")


class YoloReader:
    """Reader of ``data.yaml``, ``classes.txt`` or ``obj.names``, with text files in ``labels/`` or beside images."""

    def __init__(self, *, progress: ProgressCallback = no_progress):
        self.progress = progress

    def detect(self, images: ImageLookup) -> Path | None:
        """The file of class names in the data folder, if an image has a text file of this format."""
        path = _find_class_file(images.root)
        return path if path and any(_is_yolo(text_path) for _, text_path in _text_files(images)) else None

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a file of class names, or a folder with one, if an image has a text file of this format."""
        has_names = path.is_file() and _names_classes(path)
        has_names = has_names or (path.is_dir() and _find_class_file(path) is not None)
        return has_names and any(_is_yolo(text_path) for _, text_path in _text_files(images))

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every image with a text file; a line that cannot be read is a problem, and only that line is left out."""
        names_path = path if path.is_file() else _find_class_file(path) or path
        names = _read_class_names(names_path)
        builder = LongTableBuilder(name for name in names if name)
        num_read = 0
        for done, (file, text_path) in enumerate(_text_files(images), 1):
            self.progress(done)
            location = text_path.relative_to(images.root).as_posix()
            try:
                text = read_text(text_path)
            except TaggerError as error:
                builder.problems.append(Problem(location, None, f"left out: {error}"))
                continue
            labels: dict[str, None] = {}
            for row, line in enumerate(text.splitlines(), 1):
                reason = _add_label(line.strip(), names, labels, names_path.name)
                if reason:
                    builder.problems.append(Problem(location, row, reason))
            builder.add_image(file, yes=labels, location=location)
            num_read += 1
        if not num_read:
            raise TaggerError(
                f"{names_path.name}: no image in {images.root} has a .txt file in labels/ or beside it"
            )
        found = f"classes named: {len(names):,}, {counted(num_read, '.txt file')}"
        rest = len(images.files) - num_read
        left_out = f"; {counted(rest, 'image')} without one" if rest else ""
        return builder.build(
            names_path.name, f"{names_path.name} (YOLO, {found}{left_out}; boxes are ignored)"
        )


def _add_label(line: str, names: list[str], labels: dict[str, None], where: str) -> str:
    """Add the label of one line to ``labels``; return why that is impossible, or ""."""
    if not line:
        return ""
    match = OBJECT_LINE.fullmatch(line)
    if not match:
        return f"{line[:30]!r} is no class number followed by at least four numbers"
    number = match[1].lstrip("0")[:9] or "0"
    if int(number) >= len(names) or not names[int(number)]:
        return f"class {number} has no name in {where}"
    labels[names[int(number)]] = None
    return ""


def _find_class_file(folder: Path) -> Path | None:
    """The file of class names in the folder, else in one of its sub-folders; None without any."""
    for pattern in ("", "*/"):
        for name in ("data.yaml", *(f"*{suffix}" for suffix in YAML_SUFFIXES), *CLASS_FILES, "*.names"):
            for path in sorted(folder.glob(pattern + name)):
                if path.is_file() and _names_classes(path):
                    return path
    return None


def _names_classes(path: Path) -> bool:
    if path.suffix.lower() in YAML_SUFFIXES:
        return re.search(rb"^[\"']?names[\"']?\s*:", read_head(path, 1 << 16), re.MULTILINE) is not None
    return path.name in CLASS_FILES or path.suffix == ".names"


def _text_files(images: ImageLookup) -> Iterator[tuple[str, Path]]:
    """(image, text file) pairs: images/ replaced by labels/ in the path, the same path in labels/, or beside it."""
    for file in images.files:
        parts = file.rpartition(".")[0].split("/")
        at = max((k for k, part in enumerate(parts[:-1]) if part == "images"), default=-1)
        swapped = [[*parts[:at], "labels", *parts[at + 1 :]]] if at >= 0 else []
        for candidate in (*swapped, ["labels", *parts], parts):
            name = "/".join(candidate) + ".txt"
            if (
                candidate[-1] + ".txt" not in CLASS_FILES
                and images.has_path(name)
                and (images.root / name).is_file()
            ):
                yield file, images.root / name
                break


def _is_yolo(path: Path) -> bool:
    first = read_head(path, 200).decode("utf-8", "replace").strip().split("\n", 1)
    line = first[0].strip()
    return bool(line) and (
        OBJECT_LINE.fullmatch(line) is not None or (len(first) == 1 and OBJECT_LINE.match(line) is not None)
    )


def _read_class_names(path: Path) -> list[str]:
    """The class names by number, "" for a number without a name. TaggerError if there are no names."""
    if not path.is_file():
        raise TaggerError(
            f"{path_title(path)}: there is no data.yaml, classes.txt or obj.names that names the classes"
        )
    text = read_text(path)
    if path.suffix.lower() not in YAML_SUFFIXES:
        names = [line.strip() for line in text.rstrip().splitlines()]
    else:
        names = _yaml_names(path, text)
    if not any(names):
        raise TaggerError(
            f"{path.name}: it names no classes. Write one name a line, or in data.yaml names: [cat, dog]"
        )
    return names


def _yaml_names(path: Path, text: str) -> list[str]:
    try:
        # The base loader keeps every word as written: a class may be called 'no', which is false in YAML.
        content: Any = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        row = f", row {mark.line + 1}" if mark else ""
        raise TaggerError(
            f"{path.name}{row}: this is not valid YAML ({getattr(error, 'problem', error)})"
        ) from None
    except (RecursionError, ValueError):
        raise TaggerError(f"{path.name}: this YAML is nested too deep") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        named = dict(enumerate(names))
    elif isinstance(names, dict) and all(isinstance(k, str) and k.isdecimal() and len(k) < 6 for k in names):
        named = {int(number): name for number, name in names.items()}
    else:
        raise TaggerError(f"{path.name}: 'names' should be a list of names, or a table of numbers and names")
    wrong = [number for number, name in named.items() if not isinstance(name, str)]
    if wrong:
        raise TaggerError(f"{path.name}: the name of class {wrong[0]} is no text")
    return [named.get(number, "").strip() for number in range(max(named, default=-1) + 1)]
