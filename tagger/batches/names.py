"""A million file names in one piece of memory, so that processes that read images can share it.

A list of texts costs a hundred bytes a name, and each process that looks at one copies its page: Python counts
references in the text itself.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Names(Sequence[str]):
    """Texts that are read as a sequence and kept as bytes.

    >>> names = Names(["a.jpg", "ü.jpg"])
    >>> len(names), names[1], names[-2], list(names.take([1]))
    (2, 'ü.jpg', 'a.jpg', ['ü.jpg'])
    """

    def __init__(self, texts: Iterable[str]):
        buffer, ends = bytearray(), array("q", [0])
        for text in texts:
            buffer += text.encode("utf-8", "surrogateescape")  # names that are not UTF-8 come back as they were
            ends.append(len(buffer))
        self._bytes = np.frombuffer(bytes(buffer), np.uint8)
        self._ends = np.array(ends)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Names": ...
    def __getitem__(self, place: int | slice) -> "str | Names":
        if isinstance(place, slice):
            return self.take(range(len(self))[place])
        row = range(len(self))[place]
        return self._bytes[self._ends[row] : self._ends[row + 1]].tobytes().decode("utf-8", "surrogateescape")

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> "Names":
        """The texts of some rows, in that order."""
        return Names(self[int(row)] for row in rows)


def pack(files: Sequence[str]) -> Names:
    """The names packed; those that are packed already come back as they are."""
    return files if isinstance(files, Names) else Names(files)
