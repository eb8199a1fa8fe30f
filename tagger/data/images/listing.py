"""Listing of the images in a folder: found by suffix, in sorted order, with what cannot be used."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tagger.data.images.image_files import (
    IMAGE_SUFFIXES,
    RAW_SUFFIXES,
    beside_their_photo,
    is_foreign_folder,
    shots,
    suffix_of,
)
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.text import counted, shortlist


class LeftAlone:
    """What a listing leaves alone on purpose: other programs' folders, and raw files beside their photo."""

    def __init__(self) -> None:
        self.folders: list[str] = []
        self.beside: list[str] = []  # raw and HEIC files of a shot whose photo is read

    def sentences(self) -> list[str]:
        """What a person is told; empty if nothing was left alone.

        >>> left = LeftAlone()
        >>> left.folders += ["@eaDir", "a/@eaDir"]
        >>> left.sentences()
        ["left alone: 2 folders of other programs ('@eaDir', 'a/@eaDir')"]
        """
        found = []
        if self.folders:
            names = shortlist([repr(folder) for folder in self.folders], most=3)
            found.append(f"left alone: {counted(len(self.folders), 'folder')} of other programs ({names})")
        if self.beside:
            is_raw = all(suffix_of(file) in RAW_SUFFIXES for file in self.beside)
            raws = counted(len(self.beside), "raw file" if is_raw else "raw or HEIC file")
            found.append(f"left alone: {raws} beside a photo of the same name (one shot, one photo)")
        return found


@dataclass(frozen=True)
class Listing:
    """The images of a folder: sorted posix paths relative to it, and what could not be listed.

    ``left_alone`` are sentences on what was left alone on purpose.
    """

    files: tuple[str, ...]
    problems: tuple[Problem, ...]
    left_alone: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """Files of a shot whose photo is listed."""


def list_images(root: str | Path, pairs: str = "raw") -> Listing:
    """All images in ``root`` and below it; ``pairs`` says which files are one shot (``data.pairs``).

    TaggerError if ``root`` is not a folder or cannot be read, or for pairs where ``pairs`` is ``refuse``.
    """
    problems: list[Problem] = []
    left = LeftAlone()
    known = "separate" if pairs == "refuse" else pairs
    files = tuple(iter_images(root, on_problem=problems.append, left_alone=left, pairs=known))
    if pairs == "refuse":
        _check_no_pairs(files)
    return Listing(files, tuple(problems), tuple(left.sentences()), tuple(left.beside))


def _check_no_pairs(files: Sequence[str]) -> None:
    found = shots(files)
    if found:
        named = shortlist([" and ".join(names) for names in found])
        raise TaggerError(
            f"data.pairs=refuse: {counted(len(found), 'shot')} with several files: {named}. If they are one photo:"
            " --set data.pairs=share, or photos of their own: --set data.pairs=separate"
        )


def iter_images(
    root: str | Path,
    *,
    on_problem: Callable[[Problem], None] | None = None,
    left_alone: LeftAlone | None = None,
    pairs: str = "raw",
) -> Iterator[str]:
    """Iterate over the paths of images relative to ``root`` (posix), in sorted order.

    Only the names of the folders on the current path are held in memory. Hidden files and folders
    (``.name``) are skipped. Other programs' folders (``@eaDir``) and raw files beside a photo of the same name
    are left alone; ``left_alone`` collects them. Links are followed, each target once, and never into a
    folder that is listed anyway. Unreadable folders, broken links, pipes, and names that are not UTF-8 go to
    ``on_problem``. TaggerError if ``root`` itself cannot be read.
    """
    root = check_folder(root)
    report = on_problem or (lambda problem: None)
    left = left_alone or LeftAlone()
    try:
        stack = [_scan_folder(root, "", left, pairs)]
    except OSError as error:
        raise TaggerError(
            f"{root}: the folder cannot be read ({_os_reason(error)}). Change its permissions"
        ) from None
    followed = [Path(os.path.realpath(root))]
    while stack:
        folder = stack[-1]
        if not folder.names:
            stack.pop()
            continue
        name = folder.names.pop()
        path = folder.prefix + name
        if name[-1] == "/":
            path = path[:-1]
            try:
                if _should_enter(root, path, followed):
                    stack.append(_scan_folder(root, path, left, pairs))
            except OSError as error:
                reason = f"the folder cannot be read ({_os_reason(error)}): its images are left out"
                report(Problem(path, None, reason))
        elif (name in folder.irregular or not path.isascii()) and (reason := _unusable_reason(root, path)):
            report(Problem(_escaped(path), None, reason))
        else:
            yield path


def check_folder(root: str | Path) -> Path:
    """``root`` as a Path; TaggerError, with the nearest folder beside it, if there is no such folder."""
    root = Path(root)
    if root.is_dir():
        return root
    if root.exists():
        raise TaggerError(
            f"{root}: this is a file, not a folder. Give the folder that holds the images: {root.parent}"
        )
    raise TaggerError(f"{root}: there is no such folder.{suggest_sibling(root)}")


def suggest_sibling(path: Path) -> str:
    """`` Did you mean 'x'?`` for a path that does not exist, from the names in its parent folder; or nothing."""
    try:
        return did_you_mean(path.name, sorted(entry.name for entry in path.absolute().parent.iterdir()))
    except OSError:
        return ""


class _Folder(NamedTuple):
    """Names of one folder in reverse order, folders with a slash; ``irregular`` ones are not regular files.

    A folder is sorted as its name with the slash, so that the paths come out in sorted order.
    """

    prefix: str
    names: list[str]
    irregular: set[str]


def _scan_folder(root: Path, path: str, left: LeftAlone, pairs: str) -> _Folder:
    """The names in a folder. ``scandir`` says which are regular files, without a ``stat`` of each."""
    here = os.path.basename(path or os.path.abspath(root))
    found = _Folder(f"{path}/" if path else "", [], set())
    with os.scandir(root / path) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            is_image = suffix_of(name) in IMAGE_SUFFIXES
            if entry.is_file(follow_symlinks=False):
                if is_image:
                    found.names.append(name)
            elif _is_folder(entry):
                if is_foreign_folder(name, here):
                    left.folders.append(found.prefix + name)
                else:
                    found.names.append(f"{name}/")
            elif is_image:
                found.names.append(name)
                found.irregular.add(name)
    paired = beside_their_photo(found.names, pairs)
    left.beside += [found.prefix + name for name in sorted(paired)]
    return found._replace(names=sorted((name for name in found.names if name not in paired), reverse=True))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _should_enter(root: Path, path: str, followed: list[Path]) -> bool:
    """True for a real folder, and for a link to a folder that is not listed anyway; it is added to ``followed``."""
    if not (root / path).is_symlink():
        return True
    target = Path(os.path.realpath(root / path))
    for full_path in followed:
        if full_path.is_relative_to(target):
            return False
        if target.is_relative_to(full_path) and not any(
            p.startswith(".") for p in target.relative_to(full_path).parts
        ):
            return False
    followed.append(target)
    return True


def _unusable_reason(root: Path, path: str) -> str:
    """Why a path with an image's suffix cannot be used, or nothing."""
    full_path = root / path
    if not os.path.isfile(full_path):
        return "a broken link" if os.path.islink(full_path) else "not a regular file"
    return "" if path.isascii() or path == _escaped(path) else "its name is not valid UTF-8. Rename it"


def _escaped(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _os_reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
