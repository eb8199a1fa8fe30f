"""Is another process at work here? A lock that the operating system holds, so that kill -9 frees it too.

    with run.locked("train", screen.say): ...
    with locked(output_lock(out), "predict", out): ...

The lock (flock) belongs to the open file, not to the file's existence: a file that a killed process left behind locks
nothing. It holds a line on who is at work. Windows and some network file systems have no such locks: ``warn`` is told.
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
_HELD: set[int] = set()  # files that a forked child closes: else a reader's process would outlive the lock's owner


class Busy(TaggerError):
    """Another process is at work there: its text says which, where and since when."""


@contextmanager
def locked(path: Path, doing: str, place: Path, *, warn: Callable[[str], None] | None = None) -> Iterator[None]:
    """For as long as the block runs no other process gets the lock ``path``; Busy if one has it already.

    ``doing`` and ``place`` are what the other one is told: which command is at work, and where. A missing folder is
    made, and removed again if the block leaves it empty. TaggerError if nothing can be written there: before hours of
    work, not after.
    """
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    number = _acquired(path, doing, place, warn or _nobody)
    try:
        yield
    finally:
        with suppress(OSError):  # while it is still locked: who opened it meanwhile sees that it is gone
            path.unlink(missing_ok=True)
        _HELD.discard(number)
        os.close(number)
        _remove_empty(made)


def output_lock(out: Path, *, folder: bool = False) -> Path:
    """Where the lock for an output lies: beside a file, hidden, or in a ``folder`` that gets many files.

    >>> output_lock(Path("a/x.csv")).as_posix(), output_lock(Path("photos"), folder=True).as_posix()
    ('a/.x.csv.lock', 'photos/.tagger.lock')
    """
    return out / ".tagger.lock" if folder else out.with_name(f".{out.name}.lock")


def _acquired(path: Path, doing: str, place: Path, warn: Callable[[str], None]) -> int:
    """The open, locked file; tried again where its last owner removed it between our opening and locking it."""
    while True:
        number = _opened(path, place)
        try:
            if fcntl is None:
                raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with os.fdopen(number, "r", encoding="utf-8", errors="replace") as file:
                who = file.readline().strip() or "it has just begun"
            raise Busy(f"{place}: another tagger is at work here ({who}). Wait until it ends, or stop it.") from None
        except OSError:
            warn(f"{place}: this disk has no locks. See to it that only one tagger works here at a time.")
        if _is_still(path, number):
            _check_ours(path, number)
            _HELD.add(number)
            line = f"{doing}, process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%Y-%m-%d %H:%M}\n"
            with suppress(OSError):  # a disk that is full is told by who writes what matters
                os.truncate(number, 0)
                os.write(number, line.encode())
            return number
        os.close(number)


def _check_ours(path: Path, number: int) -> None:
    """TaggerError if the file is no lock of ours; it is closed then, and stays as it is."""
    with suppress(OSError):
        before = os.pread(number, 999, 0) if hasattr(os, "pread") else b""
        if before and not LINE.fullmatch(before):
            os.close(number)
            raise TaggerError(f"{path}: tagger keeps its lock here, and did not write this file. Move it away.")


def _opened(path: Path, place: Path) -> int:
    """The file, opened for writing; tried again where its last owner removed the empty folder meanwhile."""
    for _ in range(9):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            failed = error
            if not isinstance(error, FileNotFoundError | FileExistsError):  # it went before, or while, mkdir looked
                break
    reason = (failed.strerror or str(failed)).lower()
    raise TaggerError(f"{place}: nothing can be written there ({reason}). Give access, or name another place.")


def _is_still(path: Path, number: int) -> bool:
    """Whether the open file is the one that has the name ``path``."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(number))
    except FileNotFoundError:
        return False


def _remove_empty(folders: list[Path]) -> None:
    """Remove the folders, deepest first, that hold nothing."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _let_go() -> None:
    """In a forked child: its copies of the open files hold no lock any more."""
    for number in _HELD:
        os.close(number)
    _HELD.clear()


def _nobody(text: str) -> None:
    """Tells nobody."""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
