"""Decisions on a disk that can only be read: an archive, a DVD, the share of somebody else.

SQLite needs to write beside a database even to read it, and what it wrote last may still be in the log beside the file.
So who only reads gets a copy of both, for as long as the process runs.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_COPIES: dict[tuple[str, ...], TemporaryDirectory[str]] = {}  # removed at the end of the process


def readable(url: str) -> str:
    """The address from which decisions can be read: ``url`` itself, or a copy of a SQLite file that cannot be written.

    >>> readable("postgresql://server/db")
    'postgresql://server/db'
    """
    try:
        parsed = make_url(url)
    except ArgumentError:  # ``Store.open`` says so
        return url
    file = Path(parsed.database or "")
    if parsed.get_backend_name() != "sqlite" or not file.is_file() or is_writable(file):
        return url
    return URL.create("sqlite", database=str(readable_copy(file))).render_as_string()


def is_writable(file: Path) -> bool:
    """Whether SQLite can work on a file: it and its folder can be written."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def readable_copy(file: Path) -> Path:
    """A copy of a SQLite file, with its log; the same one for the same bytes."""
    parts = [part for end in ("", "-wal") if (part := file.with_name(file.name + end)).is_file()]
    key = tuple(f"{part.absolute()} {part.stat().st_size} {part.stat().st_mtime_ns}" for part in parts)
    if key not in _COPIES:
        _COPIES[key] = TemporaryDirectory(prefix="tagger-decisions-")
        for part in parts:
            shutil.copyfile(part, Path(_COPIES[key].name, part.name))
    return Path(_COPIES[key].name, file.name)
