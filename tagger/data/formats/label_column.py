"""Cutting of the cells of a column of labels into labels, told from the whole column.

A sign is believed to separate labels where the parts are labels of their own: they stand alone in other cells, or
fewer parts than cells explain the column. It is believed to belong to the names where no part is ever used
twice in many cells. Anything between is asked for: both readings are named, each with its setting.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tagger.data.formats.cell_types import ListCell
from tagger.data.formats.list_cells import parse_bare_list, parse_list
from tagger.text import set_options

STRONG_SIGNS = (";", ",", "\t", "\n")  # rare in names
WEAK_SIGNS = ("#", "/", "&", "+", " and ", " ")  # usual in names
LISTS = "lists"
QUOTED_PART = re.compile(r'^\s*"([^"]+)"\s*$')  # "sky";"sea"
BULLET = re.compile(r"^\s*[-*•]\s+")  # a list, as people write one on lines
WHOLE_FLOAT = re.compile(r"-?\d+\.0+")
FLOAT = re.compile(r"-?\d*\.\d+(e-?\d+)?")
MIN_WHOLE = {
    True: 10,
    False: 5,
}  # cells without a shared part from which on a sign (strong, weak) is in the names
MIN_REPEATED = 20  # rows from which on repeated cells say something


class AmbiguousCells(Exception):
    """Cells that may be one label or several: each separator that may be meant, with a cell that shows it."""

    def __init__(self, examples: Mapping[str, str]):
        super().__init__(examples)
        self.examples = dict(examples)

    def readings(self) -> str:
        """What the cells may mean, each with the setting that says so."""
        parts = [
            f"{_shown(cell)} may be {len(split_text(cell, sign))} labels with {set_options({'label_separator': sign})}"
            for sign, cell in self.examples.items()
        ]
        return f"{' or '.join(parts)} or one label with {set_options({'label_separator': 'none'})}"


def choose_separator(cells: Mapping[str, int], known: Collection[str] = ()) -> str:
    """The sign between labels, ``none`` or ``lists``, of a column with these cells and how often each occurs.

    ``known`` are names that are certainly labels. AmbiguousCells if two readings are likely.

    >>> choose_separator({"sea, sky": 3, "sky": 4, "sea": 1}), choose_separator({"cat|dog": 1})
    (',', '|')
    """
    texts = {cell: times for cell, times in cells.items() if cell.strip() and not isinstance(cell, ListCell)}
    for sign in ("|", "none", *STRONG_SIGNS, *WEAK_SIGNS):
        if known and all(set(split_text(cell, sign)) <= set(known) for cell in texts):
            return sign
    if _are_lists(texts):
        return LISTS
    if any("|" in cell for cell in texts):
        return "|"
    return _told_sign(texts)


def split_text(cell: str, separator: str) -> list[str]:
    """The labels of a cell, each once.

    >>> split_text("cat| dog |cat", "|"), split_text("clear  primary", " "), split_text("red, white", "none")
    (['cat', 'dog'], ['clear', 'primary'], ['red, white'])
    """
    parts: Sequence[str] | None = None
    if isinstance(cell, ListCell):
        parts = cell.parts
    elif separator == LISTS:
        parts = parse_list(cell)
        parts = parse_bare_list(cell) if parts is None else parts
    if parts is None:
        parts = [cell] if separator in ("none", LISTS) else cell.split(separator)
        parts = [QUOTED_PART.sub(r"\1", part) for part in parts] if separator in STRONG_SIGNS else parts
        bullets = separator == "\n" and all(BULLET.match(part) for part in parts if part.strip())
        parts = [BULLET.sub("", part) for part in parts] if bullets else parts
    return list(dict.fromkeys(filter(None, map(str.strip, parts))))


def reads_back(cells: Sequence[str], labels: Sequence[Sequence[str]]) -> bool:
    """True if a column of these cells is read as these labels without a setting.

    >>> reads_back(["cat|dog", ""], [["cat", "dog"], []]), reads_back(["red, white"], [["red, white"]])
    (True, False)
    """
    column = ClassNumbers.of(cells)
    try:
        separator = choose_separator(Counter(cells))
    except AmbiguousCells:
        return False
    return not column.any and all(
        split_text(cell, separator) == list(names) for cell, names in zip(cells, labels, strict=True)
    )


@dataclass(frozen=True)
class ClassNumbers:
    """Whether a column holds only numbers with a point: class numbers such as 7.0, or fractions, which are no names."""

    whole: bool
    fractions: bool

    @property
    def any(self) -> bool:
        """True for a column of such numbers."""
        return self.whole or self.fractions

    @classmethod
    def of(cls, cells: Collection[str]) -> "ClassNumbers":
        """What the cells of a column hold; empty cells and lists do not count."""
        texts = [cell.strip() for cell in cells if cell.strip() and not isinstance(cell, ListCell)]
        if not texts or not all(FLOAT.fullmatch(text) for text in texts):
            return cls(whole=False, fractions=False)
        whole = all(WHOLE_FLOAT.fullmatch(text) for text in texts)
        return cls(whole=whole, fractions=not whole)


def _are_lists(cells: Collection[str]) -> bool:
    """True if a cell is a list that JSON or Python reads, or if all stand in brackets."""
    return any(parse_list(cell) is not None for cell in cells) or (
        bool(cells) and all(parse_bare_list(cell) is not None for cell in cells)
    )


def _told_sign(texts: Mapping[str, int]) -> str:
    """The only sign that the cells show to separate labels, or ``none``; signs that are rare in names go first."""
    strong = {sign: _verdict(texts, sign, strong=True) for sign in STRONG_SIGNS}
    likely = [sign for sign, verdict in strong.items() if verdict == "split"]
    weak = {sign: _verdict(texts, sign, strong=False) for sign in WEAK_SIGNS}
    if weak[" and "] != "absent":
        weak[" "] = "absent"  # else "and" would be a label
    rivals = [
        sign for sign in weak if weak[sign] in ("split", "ambiguous") and _explains_more(texts, sign, likely)
    ]
    if len(likely) == 1 and not rivals:
        return likely[0]
    open_ = likely + rivals or [sign for sign, verdict in strong.items() if verdict == "ambiguous"]
    likely_weak = [sign for sign, verdict in weak.items() if verdict == "split"]
    if not open_ and len(likely_weak) == 1:
        return likely_weak[0]
    open_ += [sign for sign, verdict in weak.items() if verdict in ("split", "ambiguous") and not likely]
    if not open_:
        return "none"
    signs = [sign for sign in open_ if not _cuts_beside(texts, sign)] or open_
    raise AmbiguousCells(
        {sign: next(cell for cell in texts if len(split_text(cell, sign)) > 1) for sign in signs}
    )


def _explains_more(texts: Collection[str], weak: str, likely: Sequence[str]) -> bool:
    """True if a usual sign leaves fewer labels than the only likely one: ``a;b cat``, ``dog a;b``, ``a;b``."""
    if len(likely) != 1 or _cuts_beside(texts, weak):
        return False
    parts = [{part for text in texts for part in split_text(text, sign)} for sign in (weak, likely[0])]
    return len(parts[0]) < len(parts[1])


def _cuts_beside(texts: Collection[str], sign: str) -> bool:
    """True if a blank only stands after another sign: ``a, b`` is no list of ``a,`` and ``b``."""
    return sign == " " and any(
        part.endswith(STRONG_SIGNS[:2]) for text in texts for part in split_text(text, sign)
    )


def _verdict(cells: Mapping[str, int], sign: str, *, strong: bool) -> str:
    """``split``, ``whole`` or ``ambiguous``: what the cells say of a sign; ``absent`` if it joins nothing."""
    parts_of = {cell: split_text(cell, sign) for cell in cells}
    several = [cell for cell in cells if len(parts_of[cell]) > 1]
    if not several:
        return "absent"
    times = Counter(part for parts in parts_of.values() for part in parts)
    alone = {parts[0] for parts in parts_of.values() if len(parts) == 1}
    shared = [cell for cell in several if any(times[part] > 1 for part in parts_of[cell])]
    if all(part in alone for cell in several for part in parts_of[cell]):
        return "split"
    if not shared and len(several) >= MIN_WHOLE[strong]:
        return "whole"
    if sign in "/&+" and (not shared or any(cell.strip().startswith(sign) for cell in several)):
        return "whole"  # such as the names of Open Images: /m/01yrx
    if strong:
        is_split = len(shared) == len(several) and len(times) <= len(cells) and len(cells) > 3
        return "split" if is_split else "ambiguous"
    return _weak_verdict(cells, parts_of, times, shared)


def _weak_verdict(
    cells: Mapping[str, int],
    parts_of: Mapping[str, list[str]],
    times: Mapping[str, int],
    shared: Sequence[str],
) -> str:
    """The verdict on a sign that many names hold: parts must explain many cells of several lengths."""
    several = [cell for cell in cells if len(parts_of[cell]) > 1]
    own_part = [cell for cell in several if any(times[part] == 1 for part in parts_of[cell])]
    repeated = sum(cells.values()) >= max(MIN_REPEATED, 4 * len(cells))
    if repeated and len(several) > 2 and 10 * len(own_part) >= 9 * len(several):
        return "whole"
    lengths = {len(parts) for parts in parts_of.values()}
    explained = 2 * len(times) <= len(cells) and len(cells) >= 8
    return "split" if explained and len(lengths) > 2 and 10 * len(shared) >= 9 * len(several) else "ambiguous"


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else cell[:60] + "...")
