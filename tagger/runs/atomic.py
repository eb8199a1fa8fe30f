"""Atomic writes: a file is whole or absent; disk errors that name the file and the space left."""

import errno
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tagger.runs.ownership import finished_name, temporary_name

PROBE = bytes(1 << 20)  # a full disk has no space for so many bytes
MILLISECOND = 1_000_000  # nanoseconds
NO_SPACE_ERRNOS = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
DISK_ERRNOS = (*NO_SPACE_ERRNOS, errno.EFBIG, errno.EROFS, errno.EIO)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it becomes ``path`` only if the block ends without an error.

    A full disk is an OSError that names ``path`` and the room there is, whoever writes: torch and
    safetensors raise errors of their own.
    """
    temporary = path.with_name(temporary_name(path.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except Exception as error:
        cause = error if isinstance(error, OSError) else _disk_cause(temporary)
        temporary.unlink(missing_ok=True)
        if cause is None:
            raise
        raise disk_error(cause, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def disk_error(error: OSError, path: Path, needed: int | None = None) -> OSError:
    """The error as one that names ``path`` and, where there is no room, what it takes (bytes) and what is left."""
    reason = error.strerror or str(error)
    if error.errno is not None and error.errno in NO_SPACE_ERRNOS:
        left = format_megabytes(shutil.disk_usage(path.parent).free)
        takes = (
            f"more than the {left} that are left"
            if needed is None
            else f"{format_megabytes(needed)}, and {left} are left"
        )
        reason = f"{os.strerror(error.errno)}: it takes {takes}"
    return OSError(error.errno, reason, error.filename or str(path))


def format_megabytes(size: int) -> str:
    """A number of bytes as text, in megabytes.

    >>> format_megabytes(3_260_000), format_megabytes(9)
    ('3.3 MB', '0.0 MB')
    """
    return f"{size / 1e6:,.1f} MB"


def _disk_cause(path: Path) -> OSError | None:
    """The disk's own error, if it has no room to append to what could not be written; None if it has."""
    try:
        with path.open("ab") as file:
            file.write(PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error if error.errno in DISK_ERRNOS else None
    return None


def write_text(path: Path, text: str) -> None:
    """The text as UTF-8 in ``path``, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8", newline="\n")


def make_newest(path: Path) -> None:
    """Give the file a later time than files of its name in the neighbouring folders.

    So the last run is the newest one even if the clock was set back meanwhile.
    """
    with suppress(OSError):
        others = [
            other.stat().st_mtime_ns for other in path.parent.parent.glob(f"*/{path.name}") if other != path
        ]
        latest = max(others, default=0)
        if path.stat().st_mtime_ns <= latest:
            os.utime(path, ns=(latest + MILLISECOND, latest + MILLISECOND))


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove what killed processes left of unfinished files called ``name`` (a pattern) in ``folder``."""
    for leftover in folder.glob(".*.part"):
        whole = finished_name(leftover.name)
        if whole is not None and fnmatchcase(whole, name):
            leftover.unlink(missing_ok=True)


def create_memmap(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A new ``.npy`` file, memory-mapped for writing, its room on the disk taken at once.

    Without that a disk that fills up would end the process (SIGBUS) in the middle of an assignment; so it
    is an OSError here, and no file is left.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):  # not on macOS
            with path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise disk_error(error, path, size) from None
    return array
