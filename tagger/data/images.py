"""Which images lie in a folder? Found by suffix, in one fixed order, with everything odd reported."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tagger.errors import Problem, TaggerError, did_you_mean

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Listing:
    """The images of a folder: sorted posix paths relative to it, and what could not be listed."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]


def list_images(root: str | Path) -> Listing:
    """All images in ``root`` and below it. TaggerError if ``root`` is no folder or cannot be read."""
    problems: list[Problem] = []
    files = tuple(iter_images(root, on_problem=problems.append))
    return Listing(files, tuple(problems))


def iter_images(root: str | Path, *, on_problem: Callable[[Problem], None] | None = None) -> Iterator[str]:
    """Paths of images relative to ``root`` (posix), one by one, in the order that ``sorted`` would give them.

    Memory is that of one chain of folders, however many images there are. Hidden files and folders (``.name``) are
    passed over. Links are followed, each target once, and never into what is walked anyway. Unreadable folders, broken
    links, pipes, and names that are not UTF-8 go to ``on_problem``. TaggerError if ``root`` itself cannot be read.
    """
    root = check_folder(root)
    report = on_problem or (lambda problem: None)
    try:
        stack = [_entries(root, "")]
    except OSError as error:
        raise TaggerError(f"{root}: the folder cannot be read ({_why(error)}). Change its permissions") from None
    followed = [Path(os.path.realpath(root))]
    base = str(root)  # joining Paths would take longer than asking the disk
    while stack:
        if not stack[-1]:
            stack.pop()
            continue
        path, is_folder = stack[-1].pop()
        if is_folder:
            try:
                if _leads_elsewhere(root, path, followed):
                    stack.append(_entries(root, path))
            except OSError as error:
                report(Problem(path, None, f"the folder cannot be read ({_why(error)}): its images are left out"))
        elif reason := _why_not(base, path):
            report(Problem(_printable(path), None, reason))
        else:
            yield path


def check_folder(root: str | Path) -> Path:
    """``root`` as a Path; TaggerError, with the nearest folder beside it, if there is no such folder."""
    root = Path(root)
    if root.is_dir():
        return root
    if root.exists():
        raise TaggerError(f"{root}: this is a file, not a folder. Give the folder that holds the images: {root.parent}")
    raise TaggerError(f"{root}: there is no such folder.{nearest_beside(root)}")


def nearest_beside(path: Path) -> str:
    """`` Did you mean 'x'?`` for a path that does not exist, from what lies in its parent; or nothing."""
    try:
        return did_you_mean(path.name, sorted(entry.name for entry in path.absolute().parent.iterdir()))
    except OSError:
        return ""


def _entries(root: Path, folder: str) -> list[tuple[str, bool]]:
    """(path, is it a folder) of what matters in one folder, last first.

    A folder sorts as its name with the slash, so that the walk as a whole comes out as a sorted list of paths.
    """
    found = []
    with os.scandir(root / folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                found.append((path, True))
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                found.append((path, False))
    return sorted(found, key=lambda item: item[0] + "/" * item[1], reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _leads_elsewhere(root: Path, path: str, followed: list[Path]) -> bool:
    """True for a real folder, and for a link to what is not walked anyway; the latter joins ``followed``."""
    if not (root / path).is_symlink():
        return True
    target = Path(os.path.realpath(root / path))
    for place in followed:
        if place.is_relative_to(target):
            return False
        if target.is_relative_to(place) and not any(p.startswith(".") for p in target.relative_to(place).parts):
            return False
    followed.append(target)
    return True


def _why_not(root: str, path: str) -> str:
    """Why a path with an image's suffix cannot be used, or nothing."""
    place = os.path.join(root, path)
    if not os.path.isfile(place):
        return "a link to nothing" if os.path.islink(place) else "not a regular file"
    return "" if path.isascii() or path == _printable(path) else "its name is not valid UTF-8. Rename it"


def _printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
