"""What a user can mend: one line, what and where and what to do (exit code 2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class TaggerError(Exception):
    """A mistake that the user can fix. Its text is the whole message; no traceback is shown."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a data set: its file, row (1 = first line of the file, None = no row), and reason."""

    file: str
    row: int | None
    reason: str

    def __str__(self) -> str:
        """``labels.csv, row 3: no image 'x.jpg'``.

        >>> str(Problem("labels.csv", 3, "no image 'x.jpg'"))
        "labels.csv, row 3: no image 'x.jpg'"
        """
        where = self.file if self.row is None else f"{self.file}, row {self.row}"
        return f"{where}: {self.reason}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'focal'?`` or nothing.

    >>> did_you_mean("focla", ["bce", "focal"])
    " Did you mean 'focal'?"
    >>> did_you_mean("zzz", ["bce", "focal"])
    ''
    """
    near = get_close_matches(str(word), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
