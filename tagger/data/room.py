"""How much memory may decoding take at once in a process? What is larger waits until others are done.

A photo of 100 megapixels takes half a gigabyte while it is decoded; several threads that meet one each would take it
several times. Small ones hardly ever wait: 20 photos of 6 megapixels fit beside each other.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ROOM = 512_000_000  # bytes


class Room:
    """``with room.take(size):`` no more than ``room.size`` is taken at a time, except by one that is alone.

    >>> room = Room(10)
    >>> with room.take(4), room.take(6): print(room.taken)
    10
    """

    def __init__(self, size: int = ROOM):
        self.size = size
        self._begin()
        if hasattr(os, "register_at_fork"):  # in a process forked meanwhile nobody would give it back
            os.register_at_fork(after_in_child=self._begin)

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Wait until there is room for ``size``; it is given back at the end of the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self.taken or self.taken + size <= self.size)
            self.taken += size
        try:
            yield
        finally:
            with self._changed:
                self.taken -= size
                self._changed.notify_all()

    def _begin(self) -> None:
        self._changed, self.taken = threading.Condition(), 0
