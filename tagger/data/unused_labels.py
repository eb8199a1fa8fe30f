"""Tables and annotation files in a data folder that are not read, so that none is passed over in silence."""

import os
from collections.abc import Iterable
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.text import counted

TABLES = (
    ".csv",
    ".tsv",
    ".parquet",
    ".jsonl",
    ".ndjson",
    ".manifest",
    ".json",
    ".xml",
    ".xlsx",
    ".xls",
    ".ods",
)
TEXTS = (".txt", ".caption", ".yaml", ".yml", ".names", ".data", ".dat")
OUR_NAMES = ("labels.toml",)
MAX_NAMED = 20  # of one kind; the others are counted


def unused_label_files(images: ImageLookup, read: Path, named: Iterable[Path]) -> list[str]:
    """Titles of the tables and annotation files in the folder and one level below, without those that are read.

    ``read`` are the labels in use, and ``named`` other ones that are named already. Texts beside an image with its
    name are counted by suffix.
    """
    known = [Path(os.path.abspath(path)) for path in (read, *named)]
    sidecars: dict[str, int] = {}
    titles = []
    for path in _candidates(images.root):
        if any(path == other or (other in path.parents and other != images.root) for other in known):
            continue
        if path.suffix.lower() in TEXTS and images.has_stem(path.stem):
            sidecars[path.suffix.lower()] = sidecars.get(path.suffix.lower(), 0) + 1
        elif not images.has_stem(path.stem):
            titles.append(os.path.relpath(path, images.root).replace(os.sep, "/"))
    sidecars.pop(".txt", None)  # named as sidecars or YOLO where they are not read
    more = [f"{len(titles) - MAX_NAMED} more tables or annotation files"] * (len(titles) > MAX_NAMED)
    return [
        *titles[:MAX_NAMED],
        *more,
        *(
            f"{counted(number, f'{suffix} file')} beside images"
            for suffix, number in sorted(sidecars.items())
        ),
    ]


def _candidates(root: Path) -> list[Path]:
    """The visible files with the suffix of a table or an annotation in the folder and its sub-folders, sorted."""
    found = []
    for folder in (root, *_entries(root, folders=True)):
        for path in _entries(folder, folders=False):
            if path.suffix.lower() in (*TABLES, *TEXTS) and path.name not in OUR_NAMES:
                found.append(path)
    return sorted(found)


def _entries(folder: Path, *, folders: bool) -> list[Path]:
    """The visible files, or folders, in a folder; none if it cannot be listed, which is reported elsewhere."""
    try:
        with os.scandir(folder) as entries:
            named = [entry for entry in entries if not entry.name.startswith((".", "@", "#"))]
            return [folder / e.name for e in named if (e.is_dir() if folders else e.is_file())]
    except OSError:
        return []
