"""Input photos of a command: the files and folders named, each photo with a unique output name."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tagger.data import list_images
from tagger.errors import TaggerError
from tagger.text import shortlist


class Photo(NamedTuple):
    """A photo, and a file name of its own for what is made of it, relative to where that goes."""

    path: Path
    name: str


def find_photos(given: Iterable[str | Path], *, out: Path, suffix: str) -> list[Photo]:
    """The files, and the images in the folders and below them, each once; names are unique and end with
    ``ending``.

    What lies in ``out`` is none of the photos. TaggerError: a path that is not there, a folder without
    images.
    """
    photos: dict[Path, str] = {}
    missing = []
    for path in map(Path, given):
        if path.is_dir():
            files = [file for file in list_images(path).files if not _within(path / file, out)]
            if not files:
                raise TaggerError(f"{path}: there are no photos in it.")
            photos |= {path / file: file for file in files if path / file not in photos}
        elif path.exists():
            photos.setdefault(path, path.name)
        else:
            missing.append(str(path))
    if missing:
        raise TaggerError(f"No such file or folder: {shortlist(missing)}.")
    if not photos:
        raise TaggerError("Which photos? Name files or folders.")
    names = unique_names([Path(name).with_suffix("").as_posix() for name in photos.values()])
    return [Photo(path, f"{name}{suffix}") for path, name in zip(photos, names, strict=True)]


def unique_names(wanted: Iterable[str]) -> list[str]:
    """The names; one that is taken gets the first free number.

    >>> unique_names(["a", "b", "a", "a-2", "a"])
    ['a', 'b', 'a-2', 'a-2-2', 'a-3']
    """
    taken: dict[str, str] = {}
    for name in wanted:
        free = name
        number = 1
        while free.casefold() in taken:  # some disks take A.png and a.png for one file
            number += 1
            free = f"{name}-{number}"
        taken[free.casefold()] = free
    return list(taken.values())


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
