"""Readings of unusual words in cells (``-1``, ``x``, ``ja``): the settings of each, likeliest first."""

from collections.abc import Collection, Iterator

from tagger.data.formats.cell_values import BLANK, DEFAULTS, normal_cell

MARKS = (
    "x",
    "✓",
    "✔",
    "☑",
    "✗",
    "*",
    "•",
    "●",
    "checked",
    "on",
)  # a mark, and nothing where the label does not apply
YES_WORDS = (
    *DEFAULTS.yes,
    "yes",
    "y",
    "t",
    "ja",
    "oui",
    "si",
    "sí",
    "da",
    "positive",
    "pos",
    "present",
    "+",
    *MARKS,
)
NO_WORDS = (*DEFAULTS.no, "no", "n", "f", "nein", "non", "negative", "neg", "absent", "-", "off", "unchecked")
UNKNOWN_WORDS = (*DEFAULTS.unknown, "u", "?", "unknown", "unsure", "uncertain", "unclear", "maybe", "none")
UNUSUAL = dict.fromkeys(YES_WORDS, "yes") | dict.fromkeys(NO_WORDS, "no")
UNUSUAL |= dict.fromkeys(UNKNOWN_WORDS, "unknown") | {"": "unknown"}


def is_word(cell: str) -> bool:
    """True for a word that usually means yes, no or unknown, and for an empty cell."""
    word = normal_cell(cell)
    return word in UNUSUAL or word == "-1"


def word_readings(words: Collection[str]) -> list[dict[str, str]]:
    """The settings ``yes``, ``no`` and ``unknown`` for cells that are such words; none if they are no such words.

    >>> word_readings({"1", "0", ""}), word_readings({"x", ""}), word_readings({"red", "1"})
    ([{}], [{'yes': 'x', 'no': 'blank'}, {'yes': 'x'}], [])
    >>> word_readings({"1", "-1"}), word_readings({"1", "0", "-1"})
    ([{'no': '-1'}, {'unknown': '-1'}], [{'unknown': '-1'}, {'no': '-1', 'unknown': '0'}])
    """
    plain = {normal_cell(word) for word in words}
    if not all(map(is_word, plain)):
        return []
    readings = [_settings(meanings) for meanings in _meanings(plain)]
    return list({str(one): one for one in readings if one is not None}.values())


def _meanings(words: Collection[str]) -> Iterator[dict[str, str]]:
    """Each word with its meaning, for every reading."""
    usual = {word: UNUSUAL[word] for word in words if word != "-1"}
    if not usual or "yes" not in usual.values():
        return
    if "-1" not in words:
        if "no" not in usual.values() and "" in words and not set(words) <= {"", "1"}:
            yield usual | {"": "no"}
        yield usual
    elif "0" in words:
        yield usual | {"-1": "unknown"}
        yield usual | {"-1": "no", "0": "unknown"}
    else:
        yield usual | {"-1": "no"}
        yield usual | {"-1": "unknown"}


def _settings(meanings: dict[str, str]) -> dict[str, str] | None:
    """The settings that give each word its meaning, without those that are as usual; None where all mean the same."""
    found = {}
    for name in ("yes", "no", "unknown"):
        words = sorted(word for word, meaning in meanings.items() if meaning == name)
        usual = {"" if word == BLANK else word for word in getattr(DEFAULTS, name)}
        if not set(words) <= usual:
            found[name] = ",".join(word or BLANK for word in words if word or name != "unknown")
    return found
