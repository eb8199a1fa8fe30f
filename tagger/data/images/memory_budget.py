"""Memory budget of image decoding: a thread waits until enough of it is free.

A photo of 100 megapixels takes half a gigabyte while it is decoded; several threads would take it several
times. Small photos hardly ever wait: 20 of 6 megapixels fit at the same time.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BUDGET_BYTES = 512_000_000


class MemoryBudget:
    """A number of bytes that threads reserve parts of; one that is alone may take more than there is.

    >>> memory = MemoryBudget(10)
    >>> with memory.reserve(4), memory.reserve(6): print(memory.reserved)
    10
    """

    def __init__(self, size: int = BUDGET_BYTES):
        self.size = size
        self._reset()
        if hasattr(os, "register_at_fork"):  # a forked process does not have the threads that would free it
            os.register_at_fork(after_in_child=self._reset)

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Context manager: wait until ``size`` bytes are free, and free them again at the end of the block."""
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
