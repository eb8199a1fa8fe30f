"""Output that nobody reads any more: the command goes on, and ends as it would have ended.

``tagger evaluate --out X | head -1`` closes the pipe after one line. A line that cannot be told is no reason
to lose work: from then on it goes to the null device. The same holds for a terminal that is gone.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

GONE = (errno.EPIPE, errno.EIO)  # a pipe without a reader, a terminal that was closed


class ForgivingStream:
    """A text stream that writes to the null device once its reader is gone. All else is as the stream has it."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text, or nothing if nobody reads."""
        try:
            return self._stream.write(text)
        except OSError as error:
            _silence(self._stream, error)
            return len(text)

    def writelines(self, lines: Any) -> None:
        """Write all lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what was held back, or nothing if nobody reads."""
        try:
            self._stream.flush()
        except OSError as error:
            _silence(self._stream, error)


def _silence(stream: TextIO, error: OSError) -> None:
    """Lead the stream to the null device if its reader is gone; any other error is raised again."""
    if error.errno not in GONE:
        raise error
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())  # also what the stream still holds, and what libraries write
    finally:
        os.close(nowhere)


@contextmanager
def forgiving_output() -> Iterator[None]:
    """Context manager: standard output and standard error may be closed by their reader at any time."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and ForgivingStream(stream) for stream in before)  # type: ignore[assignment]
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with suppress(ValueError):  # closed by the program itself
                stream.flush()
        sys.stdout, sys.stderr = before
