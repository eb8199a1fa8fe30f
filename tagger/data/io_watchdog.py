"""Watchdog for stalled file reads: names the file that a thread has been waiting for.

    with watch_read(path): ...                  # around each read of a user's file
    with report_stalled_reads(screen.say): ...  # prints "waiting for photos/a.jpg since 10 s"

Each thread notes the file that it reads; a watcher thread checks the notes once a second. A read costs half
a microsecond more.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType

FIRST_REPORT_SECONDS = 10.0  # before the first line; each next line comes after twice the time
POLL_SECONDS = 1.0
PrintLine = Callable[[str], None]
_OPEN_READS: dict[int, tuple[str | os.PathLike[str], float]] = {}  # thread -> (file, start time)


class watch_read:
    """Context manager: this thread reads ``path`` inside the block."""

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
    """Lines on reads that take too long; the next line on the same read comes after twice the time.

    >>> reporter = StallReporter()
    >>> [reporter.lines({1: ("a.jpg", 0.0)}, now) for now in (5, 10, 15, 21)]
    [[], ['still waiting for a.jpg after 10 s'], [], ['still waiting for a.jpg after 21 s']]
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
                found.append(f"still waiting for {os.fspath(path)} after {now - since:.0f} s")
                wait *= 2
            due[thread, since] = wait
        self._due = due
        return found


@contextmanager
def report_stalled_reads(say: PrintLine) -> Iterator[None]:
    """Context manager: ``say`` is called with a line on each stalled read of this process."""
    end = threading.Event()
    watcher = threading.Thread(target=_poll, args=(say, end), name="waiting", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        end.set()


def report_stalled_reads_to_stderr() -> None:
    """Report stalled reads on standard error until this process ends (for processes that only read)."""
    _OPEN_READS.clear()  # a forked process inherits its parent's entries
    threading.Thread(
        target=_poll, args=(_write_stderr, threading.Event()), name="waiting", daemon=True
    ).start()


def _poll(say: PrintLine, end: threading.Event) -> None:
    reporter = StallReporter()
    while not end.wait(POLL_SECONDS):
        for line in reporter.lines(_OPEN_READS.copy(), monotonic()):
            say(line)


def _write_stderr(line: str) -> None:
    os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))
