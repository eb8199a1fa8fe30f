"""Memory budget of image decoding: a thread waits until enough of it is free.

What is larger waits until others are done.

A photo of 100 megapixels takes half a gigabyte while it is decoded; several threads that meet one each
would take it several times. Small ones hardly ever wait: 20 photos of 6 megapixels fit beside each other.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BUDGET_BYTES = 512_000_000  # bytes


class MemoryBudget:
    """``with room.take(size):`` no more than ``room.size`` is taken at a time, except by one that is alone.

    >>> room = MemoryBudget(10)
    >>> with room.reserve(4), room.reserve(6): print(room.reserved)
    10
    """

    def __init__(self, size: int = BUDGET_BYTES):
        self.size = size
        self._reset()
        if hasattr(os, "register_at_fork"):  # in a process forked meanwhile nobody would give it back
            os.register_at_fork(after_in_child=self._reset)

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Wait until there is room for ``size``; it is given back at the end of the block."""
        with self._condition:
            self._condition.wait_for(lambda: not self.reserved or self.reserved + size <= self.size)
            self.reserved += size
        try:
            yield
        finally:
            with self._condition:
                self.reserved -= size
                self._condition.notify_all()

    def _reset(self) -> None:
        self._condition = threading.Condition()
        self.reserved = 0
