"""Watchdog for stalled file reads: names the file that a thread has been waiting for.

A drive that stalls is told apart from a slow network, by name.

    with reading(path): ...            # whoever reads a file of the user's
    with watched(screen.say): ...      # whoever has a screen: "waiting for photos/a.jpg since 10 s"

One entry a thread is kept of what it reads, and looked at once a second; a read costs half a microsecond
more.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType

FIRST_REPORT_SECONDS = 10.0  # seconds before the first line; then after twice as long each time
POLL_SECONDS = 1.0  # seconds between two looks
PrintLine = Callable[[str], None]
_OPEN_READS: dict[int, tuple[str | os.PathLike[str], float]] = {}  # thread -> what it reads, since when


class watch_read:
    """``with reading(path):`` this thread reads the file meanwhile."""

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]):
        self.path = path

    def __enter__(self) -> None:
        _OPEN_READS[threading.get_ident()] = self.path, monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        _OPEN_READS.pop(threading.get_ident(), None)


class StallReporter:
    """Lines for what is waited for too long, each file's next line after twice the time.

    >>> patience = StallReporter()
    >>> [patience.lines({1: ("a.jpg", 0.0)}, now) for now in (5, 10, 15, 21)]
    [[], ['waiting for a.jpg since 10 s'], [], ['waiting for a.jpg since 21 s']]
    """

    def __init__(self) -> None:
        self._due: dict[tuple[int, float], float] = {}

    def lines(self, reads: dict[int, tuple[str | os.PathLike[str], float]], now: float) -> list[str]:
        """One line for each read that is due now."""
        found = []
        due = {}
        for thread, (path, since) in reads.items():
            wait = self._due.get((thread, since), FIRST_REPORT_SECONDS)
            if now - since >= wait:
                found.append(f"waiting for {os.fspath(path)} since {now - since:.0f} s")
                wait *= 2
            due[thread, since] = wait
        self._due = due
        return found


@contextmanager
def report_stalled_reads(say: PrintLine) -> Iterator[None]:
    """While the block runs, ``say`` is told of each file that a thread of this process waits for."""
    end = threading.Event()
    watcher = threading.Thread(target=_poll, args=(say, end), name="waiting", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        end.set()


def report_stalled_reads_to_stderr() -> None:
    """In a process that only reads, for as long as it lives: lines go to standard error as they are."""
    _OPEN_READS.clear()  # a fork knows what its parent read
    threading.Thread(
        target=_poll, args=(_write_stderr, threading.Event()), name="waiting", daemon=True
    ).start()


def _poll(say: PrintLine, end: threading.Event) -> None:
    patience = StallReporter()
    while not end.wait(POLL_SECONDS):
        for line in patience.lines(_OPEN_READS.copy(), monotonic()):
            say(line)


def _write_stderr(line: str) -> None:
    os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))
