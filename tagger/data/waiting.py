"""Which file is being waited for? A drive that stalls is told apart from a slow network, by name.

    with reading(path): ...            # whoever reads a file of the user's
    with watched(screen.say): ...      # whoever has a screen: "waiting for photos/a.jpg since 10 s"

One entry a thread is kept of what it reads, and looked at once a second; a read costs half a microsecond more.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType

PATIENCE = 10.0  # seconds before the first line; then after twice as long each time
LOOK = 1.0  # seconds between two looks
Say = Callable[[str], None]
_NOW: dict[int, tuple[str | os.PathLike[str], float]] = {}  # thread -> what it reads, since when


class reading:
    """``with reading(path):`` this thread reads the file meanwhile."""

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]):
        self.path = path

    def __enter__(self) -> None:
        _NOW[threading.get_ident()] = self.path, monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _NOW.pop(threading.get_ident(), None)


class Patience:
    """Lines for what is waited for too long, each file's next line after twice the time.

    >>> patience = Patience()
    >>> [patience.lines({1: ("a.jpg", 0.0)}, now) for now in (5, 10, 15, 21)]
    [[], ['waiting for a.jpg since 10 s'], [], ['waiting for a.jpg since 21 s']]
    """

    def __init__(self) -> None:
        self._due: dict[tuple[int, float], float] = {}

    def lines(self, reads: dict[int, tuple[str | os.PathLike[str], float]], now: float) -> list[str]:
        """One line for each read that is due now."""
        found, due = [], {}
        for thread, (path, since) in reads.items():
            wait = self._due.get((thread, since), PATIENCE)
            if now - since >= wait:
                found.append(f"waiting for {os.fspath(path)} since {now - since:.0f} s")
                wait *= 2
            due[thread, since] = wait
        self._due = due
        return found


@contextmanager
def watched(say: Say) -> Iterator[None]:
    """While the block runs, ``say`` is told of each file that a thread of this process waits for."""
    end = threading.Event()
    watcher = threading.Thread(target=_watch, args=(say, end), name="waiting", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        end.set()


def watch_process() -> None:
    """In a process that only reads, for as long as it lives: lines go to standard error as they are."""
    _NOW.clear()  # a fork knows what its parent read
    threading.Thread(target=_watch, args=(_tell, threading.Event()), name="waiting", daemon=True).start()


def _watch(say: Say, end: threading.Event) -> None:
    patience = Patience()
    while not end.wait(LOOK):
        for line in patience.lines(_NOW.copy(), monotonic()):
            say(line)


def _tell(line: str) -> None:
    os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))
