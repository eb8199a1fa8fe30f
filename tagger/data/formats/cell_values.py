"""Meaning of a table's cell: yes, no or unknown, as the usual words say or as the settings do."""

import re
from collections.abc import Iterable

from tagger.arrays import NO, UNKNOWN, YES
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions

BLANK = "blank"  # the word that stands for an empty cell in a setting
WHOLE_NUMBER = re.compile(r"([+-]?)0*(\d+)(\.0*|,0+)?")  # 1.0, and 1,0 of a spreadsheet with decimal commas
MEANINGS = {"yes": YES, "no": NO, "unknown": UNKNOWN}
DEFAULTS = ReadOptions()


class CellValues:
    """What each cell means. A word in a setting goes before the usual meaning; an empty cell is else *unknown*.

    >>> values = CellValues(ReadOptions(no=("-1",), unknown=("0",)))
    >>> [values.of(cell) for cell in ("1.0", " -1 ", "0", "", "red")]
    [1, 0, -1, -1, None]
    """

    def __init__(self, read_options: ReadOptions):
        self.words: dict[str, int] = {"": UNKNOWN}
        chosen = {name: getattr(read_options, name) for name in MEANINGS}
        own = [name for name in MEANINGS if chosen[name] != getattr(DEFAULTS, name)]
        for name in sorted(MEANINGS, key=lambda name: name in own):
            for word in map(normal_cell, chosen[name]):
                self.words["" if word == BLANK else word] = MEANINGS[name]
        _check_distinct({name: chosen[name] for name in own})
        self.own = {"" if w == BLANK else w for name in own for w in map(normal_cell, chosen[name])}
        self.cutoff = None if read_options.cutoff == "none" else float(read_options.cutoff)
        self.is_usual = not own and self.cutoff is None
        self._known: dict[str, int | None] = {}

    def of(self, cell: str) -> int | None:
        """YES, NO or UNKNOWN; None if the cell is no word of the three."""
        if cell not in self._known:
            if len(self._known) > 10_000:  # a column of numbers: do not keep them all
                self._known.clear()
            self._known[cell] = self._meaning(normal_cell(cell))
        return self._known[cell]

    def _meaning(self, word: str) -> int | None:
        """What a word means: as it is set, else by the cut-off if it is a number, else as usual."""
        number = None if self.cutoff is None or word in self.own else number_of(word)
        if number is None:
            return self.words.get(word)
        return YES if number >= float(self.cutoff or 0) else NO

    def of_number(self, cell: str, yes_from: float) -> int | None:
        """YES or NO for a number, by ``yes_from``; UNKNOWN for an empty cell and words for it; None for others."""
        if (value := number_of(cell)) is not None:
            return YES if value >= yes_from else NO
        return UNKNOWN if self.of(cell) == UNKNOWN else None

    def written(self) -> tuple[str, str, str]:
        """The words for unknown, no and yes in a table that is read under the same settings."""
        usual = {UNKNOWN: "", NO: "0", YES: "1"}
        numbers = [] if self.cutoff is None else [f"{self.cutoff:g}", f"{self.cutoff - 1:g}"]
        words = [
            next((other for other in (word, *self.words, *numbers) if self.of(other) == value), word)
            for value, word in usual.items()
        ]
        return words[0], words[1], words[2]

    def sentence(self) -> str:
        """``; yes: x, no: blank`` if settings changed the usual meaning, else nothing."""
        if self.is_usual:
            return ""
        listed = {
            name: [w or BLANK for w, v in self.words.items() if v == value]
            for name, value in MEANINGS.items()
        }
        words = ", ".join(f"{name}: {' or '.join(words)}" for name, words in listed.items() if words)
        return f"; {words}" + ("" if self.cutoff is None else f"; numbers from {self.cutoff:g} on: yes")


def number_of(cell: str) -> float | None:
    """The number in a cell, also with a decimal comma or a percent sign; None for anything else.

    >>> number_of("0,5"), number_of("85%"), number_of("nan"), number_of("1e400"), number_of("2024-05-01")
    (0.5, 0.85, None, None, None)
    """
    text = cell.strip()
    scale = 0.01 if text.endswith("%") else 1
    try:
        number = float(text.removesuffix("%").replace(",", ".") if text.count(",") < 2 else text) * scale
    except ValueError:
        return None
    return number if abs(number) < 1e300 else None


def normal_cell(cell: str) -> str:
    """A cell in small letters without blanks around it; a whole number in its shortest form.

    >>> normal_cell(" Yes "), normal_cell("1.0"), normal_cell("-01"), normal_cell("-0"), normal_cell("1,0")
    ('yes', '1', '-1', '0', '1')
    """
    text = cell.strip().lower()
    number = WHOLE_NUMBER.fullmatch(text)
    if not number or not text.isascii():
        return {"100%": "1", "0%": "0"}.get(text, text)
    return ("-" if number[1] == "-" and number[2] != "0" else "") + number[2]


def _check_distinct(chosen: dict[str, Iterable[str]]) -> None:
    """TaggerError if one word is in two settings."""
    home: dict[str, str] = {}
    for name, words in chosen.items():
        for word in map(normal_cell, words):
            if home.setdefault(word, name) != name:
                raise TaggerError(
                    f"{word!r} cannot mean two things: data.{home[word]} and data.{name} both name it"
                )
