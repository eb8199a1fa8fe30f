"""File locks between processes, held by the operating system, so that a killed process frees them.

A lock that the operating system holds, so that kill -9 frees it too.

    with run.locked("train", screen.say): ...
    with locked(output_lock(out), "predict", out): ...

The lock (flock) belongs to the open file, not to the file's existence: a file that a killed process left
behind locks nothing. It holds a line on who is at work. Windows and some network file systems have no such
locks: ``warn`` is told.
"""

import errno
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from tagger.errors import TaggerError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LINE = re.compile(rb"[\w ]+, process \d+ on .*, since \d{4}-\d\d-\d\d \d\d:\d\d\n")
_HELD_FDS: set[int] = (
    set()
)  # files that a forked child closes: else a reader's process would outlive the lock's owner


class BusyError(TaggerError):
    """Another process is at work there: its text says which, where and since when."""


@contextmanager
def locked(
    path: Path, command: str, location: Path, *, warn: Callable[[str], None] | None = None
) -> Iterator[None]:
    """For as long as the block runs no other process gets the lock ``path``; Busy if one has it already.

    ``doing`` and ``place`` are what the other one is told: which command is at work, and where. A missing
    folder is made, and removed again if the block leaves it empty. TaggerError if nothing can be written
    there: before hours of work, not after.
    """
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    fd = _acquire(path, command, location, warn or _ignore_warning)
    try:
        yield
    finally:
        with suppress(OSError):  # while it is still locked: who opened it meanwhile sees that it is gone
            path.unlink(missing_ok=True)
        _HELD_FDS.discard(fd)
        os.close(fd)
        _remove_empty(made)


def output_lock(out: Path, *, folder: bool = False) -> Path:
    """Where the lock for an output lies: beside a file, hidden, or in a ``folder`` that gets many files.

    >>> output_lock(Path("a/x.csv")).as_posix(), output_lock(Path("photos"), folder=True).as_posix()
    ('a/.x.csv.lock', 'photos/.tagger.lock')
    """
    return out / ".tagger.lock" if folder else out.with_name(f".{out.name}.lock")


def _acquire(path: Path, command: str, location: Path, warn: Callable[[str], None]) -> int:
    """The open, locked file; tried again where its last owner removed it between our opening and locking it."""
    while True:
        fd = _open_lock_file(path, location)
        try:
            if fcntl is None:
                raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with os.fdopen(fd, "r", encoding="utf-8", errors="replace") as file:
                who = file.readline().strip() or "it has just begun"
            raise BusyError(
                f"{location}: another tagger is at work here ({who}). Wait until it ends, or stop it."
            ) from None
        except OSError:
            warn(f"{location}: this disk has no locks. See to it that only one tagger works here at a time.")
        if _is_same_file(path, fd):
            _check_ours(path, fd)
            _HELD_FDS.add(fd)
            since = f"{datetime.now():%Y-%m-%d %H:%M}"
            line = f"{command}, process {os.getpid()} on {socket.gethostname()}, since {since}\n"
            with suppress(OSError):  # a disk that is full is told by who writes what matters
                os.truncate(fd, 0)
                os.write(fd, line.encode())
            return fd
        os.close(fd)


def _check_ours(path: Path, fd: int) -> None:
    """TaggerError if the file is no lock of ours; it is closed then, and stays as it is."""
    with suppress(OSError):
        before = os.pread(fd, 999, 0) if hasattr(os, "pread") else b""
        if before and not LINE.fullmatch(before):
            os.close(fd)
            raise TaggerError(
                f"{path}: tagger keeps its lock here, and did not write this file. Move it away."
            )


def _open_lock_file(path: Path, location: Path) -> int:
    """The file, opened for writing; tried again where its last owner removed the empty folder meanwhile."""
    for _ in range(9):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            failed = error
            if not isinstance(
                error, FileNotFoundError | FileExistsError
            ):  # it went before, or while, mkdir looked
                break
    reason = (failed.strerror or str(failed)).lower()
    raise TaggerError(
        f"{location}: nothing can be written there ({reason}). Give access, or name another place."
    )


def _is_same_file(path: Path, fd: int) -> bool:
    """Whether the open file is the one that has the name ``path``."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def _remove_empty(folders: list[Path]) -> None:
    """Remove the folders, deepest first, that hold nothing."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _close_in_child() -> None:
    """In a forked child: its copies of the open files hold no lock any more."""
    for fd in _HELD_FDS:
        os.close(fd)
    _HELD_FDS.clear()


def _ignore_warning(text: str) -> None:
    """Tells nobody."""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
