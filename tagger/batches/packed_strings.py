"""A sequence of strings in one block of memory, which processes can share.

A list of texts costs a hundred bytes a name, and each process that looks at one copies its page: Python
counts references in the text itself.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class PackedStrings(Sequence[str]):
    """Texts that are read as a sequence and kept as bytes.

    >>> names = PackedStrings(["a.jpg", "ü.jpg"])
    >>> len(names), names[1], names[-2], list(names.take([1]))
    (2, 'ü.jpg', 'a.jpg', ['ü.jpg'])
    """

    def __init__(self, texts: Iterable[str]):
        buffer = bytearray()
        ends = array("q", [0])
        for text in texts:
            buffer += text.encode(
                "utf-8", "surrogateescape"
            )  # names that are not UTF-8 come back as they were
            ends.append(len(buffer))
        self._bytes = np.frombuffer(bytes(buffer), np.uint8)
        self._ends = np.array(ends)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "PackedStrings": ...
    def __getitem__(self, index: int | slice) -> "str | PackedStrings":
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        row = range(len(self))[index]
        return self._bytes[self._ends[row] : self._ends[row + 1]].tobytes().decode("utf-8", "surrogateescape")

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> "PackedStrings":
        """The texts of some rows, in that order."""
        return PackedStrings(self[int(row)] for row in rows)


def pack_strings(files: Sequence[str]) -> PackedStrings:
    """The names packed; those that are packed already come back as they are."""
    return files if isinstance(files, PackedStrings) else PackedStrings(files)
