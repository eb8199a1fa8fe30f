"""File locks between processes, held by the operating system, so that a killed process frees them.

    with run.locked("train", screen.say): ...
    with locked(output_lock(out), "predict", out): ...

The lock (flock) belongs to the open file, not to the file's existence: a file that a killed process left
behind locks nothing. It holds a line on its owner. Windows and some network file systems have no such locks:
then ``warn`` gets a sentence.
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
# A forked child closes these files: else a reader's process would outlive the lock's owner.
_HELD_FDS: set[int] = set()


class BusyError(TaggerError):
    """Another process holds the lock. The text says which one, where and since when."""


@contextmanager
def locked(
    path: Path, command: str, location: Path, *, warn: Callable[[str], None] | None = None
) -> Iterator[None]:
    """For as long as the block runs no other process gets the lock ``path``; BusyError if one has it.

    ``command`` and ``location`` are for the other one's message. A missing
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


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock now; False where nobody can tell. Nothing is written."""
    if fcntl is None:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


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
                who = file.readline().strip() or "it has just started"
            raise BusyError(
                f"{location}: another tagger process is running here ({who}). Wait until it ends, or stop it."
            ) from None
        except OSError:
            warn(f"{location}: this disk has no file locks. Run only one tagger process here at a time.")
        if _is_same_file(path, fd):
            _check_ours(path, fd)
            _HELD_FDS.add(fd)
            since = f"{datetime.now():%Y-%m-%d %H:%M}"
            line = f"{command}, process {os.getpid()} on {socket.gethostname()}, since {since}\n"
            with suppress(OSError):  # a full disk is reported by the writer of the results
                os.truncate(fd, 0)
                os.write(fd, line.encode())
            return fd
        os.close(fd)


def _check_ours(path: Path, fd: int) -> None:
    """TaggerError if the file is no lock of ours; then it is closed and not changed."""
    with suppress(OSError):
        before = os.pread(fd, 999, 0) if hasattr(os, "pread") else b""
        if before and not LINE.fullmatch(before):
            os.close(fd)
            raise TaggerError(
                f"{path} is the name of tagger's lock, but tagger did not write this file. Move it away."
            )


def _open_lock_file(path: Path, location: Path) -> int:
    """The file, opened for writing; tried again where its last owner removed the empty folder meanwhile."""
    for _ in range(9):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            failed = error
            if not isinstance(error, FileNotFoundError | FileExistsError):  # the folder was removed meanwhile
                break
    reason = (failed.strerror or str(failed)).lower()
    raise TaggerError(
        f"{location}: nothing can be written there ({reason}). Give access, or name another folder."
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
