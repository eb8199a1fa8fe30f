"""Errors that a user can fix: one line with what is wrong, where, and what to do (exit code 2)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

# Control characters, which a terminal would execute, marks that change the writing direction, and surrogates.
_UNPRINTABLE = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class TaggerError(Exception):
    """An error that the user can fix. Its text is the whole message; no traceback is shown."""


@dataclass(frozen=True)
class Problem:
    """A problem of a data set: its file, row (1 = first line of the file, None = no row), and reason."""

    file: str
    row: int | None
    reason: str

    def __str__(self) -> str:
        """``labels.csv, row 3: no image 'x.jpg'``.

        >>> str(Problem("labels.csv", 3, "no image 'x.jpg'"))
        "labels.csv, row 3: no image 'x.jpg'"
        """
        where = self.file if self.row is None else f"{self.file}, row {self.row}"
        return printable(f"{where}: {self.reason}", lines=False)


def first_reasons(problems: Sequence[Problem], most: int = 3) -> str:
    """The first problems as sentences, with their rows, and the number of the others.

    >>> first_reasons([Problem("a.csv", row, f"no image {row}") for row in (2, 3, 4, 5)], 2)
    'Row 2: no image 2. Row 3: no image 3. And 2 more.'
    """
    shown = []
    for problem in problems[:most]:
        where = problem.file if problem.row is None else f"Row {problem.row}"
        shown.append(f"{where}: {problem.reason.rstrip('.')}" + "." * (problem.reason[-1:] != "?"))
    more = len(problems) - most
    return " ".join([*shown, *([f"And {more:,} more."] if more > 0 else [])])


def printable(text: str, *, lines: bool = True) -> str:
    r"""The text with control characters escaped; line ends too, unless ``lines`` is true.

    >>> print(printable("a\x1b[31m.jpg"), printable("a\nb", lines=False))
    a\x1b[31m.jpg a\nb
    """
    seen = _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)
    return seen if lines else seen.replace("\n", "\\n")


def did_you_mean(word: str, known: Iterable[str], former: Mapping[str, str] | None = None) -> str:
    """`` Did you mean 'focal'?`` or nothing. ``former``: names of before that may be meant, and what each is now.

    >>> did_you_mean("focla", ["bce", "focal"])
    " Did you mean 'focal'?"
    >>> did_you_mean("membrs", ["lr"], {"members": "fold_models"})
    " Did you mean 'fold_models' (formerly 'members')?"
    >>> did_you_mean("zzz", ["bce", "focal"])
    ''
    """
    former = former or {}
    known = list(known)
    near = get_close_matches(str(word), [*known, *former], n=1)
    if not near:
        return ""
    if near[0] in known:
        return f" Did you mean {near[0]!r}?"
    return f" Did you mean {former[near[0]]!r} (formerly {near[0]!r})?"
