"""Ownership of files: only files with known names, in folders that tagger marked as its own, are removed.

Nothing is removed or overwritten because of its place or its ending alone: people keep things everywhere. A
folder of working files gets the mark before its first file and loses it after its last one.
"""

import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from tagger.errors import TaggerError
from tagger.text import shortlist

MARK = ".made-by-tagger"
SENTENCE = "tagger works in this folder. It removes only files that it wrote itself; all others stay.\n"
LONGEST = 255  # bytes of a name in most file systems
TEMPORARY = re.compile(r"\.(?P<name>.+)\.\d+-[0-9a-f]{8}\.part", re.DOTALL)


def temporary_name(name: str) -> str:
    """The name of an unfinished file: of this process, and with a random part that nobody else's file has."""
    end = f".{os.getpid()}-{token_hex(4)}.part"
    room = LONGEST - len(end) - 1
    encoded = os.fsencode(name)
    return f".{name if len(encoded) <= room else encoded[:room].decode('utf-8', 'ignore')}{end}"


def finished_name(name: str) -> str | None:
    """The name that an unfinished file would have got; None for a file of another kind.

    >>> finished_name(".a.csv.12-0a1b2c3d.part"), finished_name(".a.csv.12.part"), finished_name("a.csv")
    ('a.csv', None, None)
    """
    found = TEMPORARY.fullmatch(name)
    return found["name"] if found else None


def mark(folder: Path, note: str = "") -> None:
    """Make the folder if need be, and write the mark into it, with a ``note``."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / temporary_name(MARK)
    try:
        temporary.write_text(SENTENCE + note, "utf-8", newline="\n")
        os.replace(temporary, folder / MARK)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(
            error.errno, error.strerror, str(folder / MARK)
        ) from None  # a full disk names no file itself


def marked(folder: Path) -> str | None:
    """The note of the mark in the folder; None if there is no mark of ours."""
    try:
        text = (folder / MARK).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text.removeprefix(SENTENCE) if text.startswith(SENTENCE) else None


def names_in(folder: Path) -> Iterator[str]:
    """Everything below the folder that is no real folder, relative to it, with ``/``; the mark is left out."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*files, *links):
            path = Path(place, name).relative_to(folder).as_posix()
            if path != MARK:
                yield path


def is_ours(path: str, names: re.Pattern[str]) -> bool:
    """Whether a relative path, or what an unfinished file would become, is one of the ``names``.

    >>> is_ours("a/.b.csv.12-0a1b2c3d.part", re.compile("a/b.csv")), is_ours("a/c.csv", re.compile("a/b.csv"))
    (True, False)
    """
    place, slash, name = path.rpartition("/")
    whole = finished_name(name)
    return bool(names.fullmatch(path if whole is None else f"{place}{slash}{whole}")) or whole == MARK


def check_claim(folder: Path, names: re.Pattern[str], advice: str) -> None:
    """Pass if files of these names may be written in the folder: they are ours, or not there. TaggerError otherwise."""
    if marked(folder) is None:
        check_absent(folder, [path for path in names_in(folder) if names.fullmatch(path)], advice)


def check_absent(folder: Path, strangers: Iterable[str], advice: str) -> None:
    """TaggerError if there are ``strangers``: files that tagger would overwrite and has not written."""
    if found := sorted(strangers):
        them = "it" if len(found) == 1 else "them"
        raise TaggerError(
            f"{folder}: {shortlist(found, 5)} would be overwritten, and tagger did not write {them}. {advice}"
        )


def check_own_csv(path: Path, header: str, advice: str = "Move it away, or name another --out.") -> None:
    """Pass if there is no such file, or it begins with the ``header`` of ours; TaggerError otherwise."""
    if os.path.lexists(path) and not begins_with(path, f"{header}\n"):
        check_absent(path.parent, [path.name], advice)


def begins_with(path: Path, text: str) -> bool:
    """Whether it is a file that begins so, after a byte order mark if it has one."""
    expected = text.encode()
    try:
        with path.open("rb") as file:
            return file.read(len(BOM_UTF8) + len(expected)).removeprefix(BOM_UTF8).startswith(expected)
    except OSError:
        return False


def clear(folder: Path, names: re.Pattern[str]) -> None:
    """Remove our files, the mark, and what is then empty, if the folder has the mark; else only an empty folder.

    What cannot be removed stays: it is waste, and no reason to fail.
    """
    if marked(folder) is not None:
        remove(folder, names)
        with suppress(OSError):
            (folder / MARK).unlink()
    if folder.is_dir():
        with suppress(OSError):
            folder.rmdir()


def remove(folder: Path, names: re.Pattern[str]) -> None:
    """Remove the files of these names from a folder that is marked, and the folders in it that are empty then."""
    for path in [path for path in names_in(folder) if is_ours(path, names)]:
        with suppress(OSError):
            (folder / path).unlink()
        remove_empty(folder, Path(path).parent)


def remove_empty(folder: Path, place: Path) -> None:
    """Remove the sub-folder ``place`` of ``folder``, and those it lies in, as far as they are empty."""
    for inner in (place, *place.parents):
        if inner == Path():
            return
        try:
            (folder / inner).rmdir()
        except OSError:
            return
