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
        self.is_usual = not own
        self._known: dict[str, int | None] = {}

    def of(self, cell: str) -> int | None:
        """YES, NO or UNKNOWN; None if the cell is no word of the three."""
        if cell not in self._known:
            if len(self._known) > 10_000:  # a column of numbers: do not keep them all
                self._known.clear()
            self._known[cell] = self.words.get(normal_cell(cell))
        return self._known[cell]

    def written(self) -> tuple[str, str, str]:
        """The words for unknown, no and yes in a table that is read under the same settings."""
        usual = {UNKNOWN: "", NO: "0", YES: "1"}
        words = [
            word
            if self.words.get(word) == value
            else next((other for other, meaning in self.words.items() if meaning == value), word)
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
        return "; " + ", ".join(f"{name}: {' or '.join(words)}" for name, words in listed.items() if words)


def normal_cell(cell: str) -> str:
    """A cell in small letters without blanks around it; a whole number in its shortest form.

    >>> normal_cell(" Yes "), normal_cell("1.0"), normal_cell("-01"), normal_cell("-0"), normal_cell("1,0")
    ('yes', '1', '-1', '0', '1')
    """
    text = cell.strip().lower()
    number = WHOLE_NUMBER.fullmatch(text)
    if not number or not text.isascii():
        return text
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
