"""Guesses of what the columns of a table beside the one of files are: labels, verdicts, or something else."""

import json
import re
from collections.abc import Collection, Mapping, Sequence

from tagger.data.formats.cell_values import number_of
from tagger.data.formats.word_readings import is_word, word_readings

Chosen = dict[str, str]

LABEL_NAMES = (
    *("labels", "label", "tags", "tag", "keywords", "keyword", "categories", "category", "classes", "class"),
    *(
        "classname",
        "labelname",
        "findings",
        "finding",
        "species",
        "attributes",
        "concepts",
        "objects",
        "choices",
    ),
    *("choice", "target", "annotations", "annotation"),
)
MAX_COLUMNS_TRIED = 5
MAX_CODES = 12  # distinct numbers of a column of counts or codes
NUMBER = re.compile(r"[-+]?[\d.,:/ %-]+")  # also dates and times
NUMBERED = re.compile(r"[\W_]*\d+\W*$")


def guess_settings(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Chosen]:
    """Settings that may describe these columns, likeliest first; each is to be tried.

    >>> guess_settings(["tags"], [["clear primary"], ["haze"]])
    [{'labels_column': 'tags'}]
    >>> guess_settings(["cat", "width"], [["1", "640"], ["0", "480"]])
    [{'ignore_columns': 'width'}]
    >>> guess_settings(["cat"], [["1"], ["-1"]])
    [{'no': '-1'}, {'unknown': '-1'}]
    """
    cells = [{row[at] for row in rows} for at in range(len(columns))]
    words = [at for at in range(len(columns)) if _is_verdicts(columns[at], cells[at])]
    texts = {columns[at]: cells[at] for at in range(len(columns)) if at not in words}
    parts = _parts(texts)
    together = parts or _alike(texts)
    named = [name for name in _named(list(texts)) if name not in parts]
    long_guesses = [{"labels_column": joined_columns(together)}] if together else []
    long_guesses += [{"labels_column": name} if name != "labels" else {} for name in named]
    wide = _wide_guesses(list(texts), set().union(*(cells[at] for at in words))) if words else []
    numbers = _number_columns(texts)
    seen = set().union(*(texts[name] for name in numbers), *(cells[at] for at in words))
    if numbers and not long_guesses and (len(numbers) + len(words) > 1 or _are_shares(seen)):
        left = [name for name in texts if name not in numbers]
        ignored = {"ignore_columns": joined_columns(left)} if left else {}
        wide += [ignored | one for one in _number_readings(seen)]
    others = [name for name in texts if name and name not in (*named, *parts, *(numbers if wide else ()))]
    rest = [{"labels_column": name} for name in others[:MAX_COLUMNS_TRIED]]
    if long_guesses:
        return [*long_guesses, *wide, *([] if named or parts else rest)]
    return wide or rest


def _number_columns(columns: Mapping[str, set[str]]) -> list[str]:
    """Columns of few numbers of which some are 0 or 1, or of shares: counts, soft labels, codes such as 99.

    >>> _number_columns({"cat": {"0", "2"}, "dog": {"0.1", "0.9"}, "width": {"640", "480"}})
    ['cat', 'dog']
    """
    found = []
    for name, words in columns.items():
        numbers = [number_of(word) for word in words if word.strip()]
        known = [number for number in numbers if number is not None]
        shares = all(0 <= number <= 1 for number in known)
        few = len(known) <= MAX_CODES and bool({0, 1} & set(known))
        if known and len(known) == len(numbers) and (shares or few):
            found.append(name)
    return found


def _number_readings(words: set[str]) -> list[Chosen]:
    """What numbers other than 0 and 1 may mean: one is a code for unknown, or numbers from a cut-off on say yes.

    >>> _number_readings({"0", "1", "99"}), _number_readings({"0", "3", "5"}), _number_readings({"0.1", "0.7"})
    ([{'unknown': '99'}, {'cutoff': '1'}], [{'cutoff': '1'}], [{'cutoff': '0.5'}])
    """
    numbers = {word.strip(): number for word in words if (number := number_of(word)) is not None}
    codes = [word for word, number in numbers.items() if number not in (0, 1)]
    readings = [{"unknown": codes[0]}] if len(codes) == 1 and number_of(codes[0]) not in (2, 0.5) else []
    return [*readings, {"cutoff": "0.5" if _are_shares(words) else "1"}]


def _are_shares(words: Collection[str]) -> bool:
    """True if all numbers lie from 0 to 1."""
    return all(0 <= number <= 1 for word in words if (number := number_of(word)) is not None)


def _parts(columns: Mapping[str, set[str]]) -> list[str]:
    """Columns of which each holds a part of the labels: numbered ones, or ones that hold their own name.

    >>> _parts({"tag_1": {"cat"}, "tag_2": {"dog"}}), _parts({"cat": {"cat", ""}, "dog": {"dog"}, "note": {""}})
    (['tag_1', 'tag_2'], ['cat', 'dog'])
    """
    stems: dict[str, list[str]] = {}
    for name in columns:
        if NUMBERED.search(name):
            stems.setdefault(NUMBERED.sub("", name), []).append(name)
    numbered = max(stems.values(), key=len, default=[])
    themselves = [name for name, words in columns.items() if words - {""} == {name}]
    return next((found for found in (themselves, numbered) if len(found) > 1), [])


def _alike(columns: Mapping[str, set[str]]) -> list[str]:
    """Columns that share most of their words: labels of one kind, or what two people said.

    >>> _alike({"Primary": {"cat", "dog", "sea"}, "Secondary": {"cat", "dog", "None"}, "note": {"a", "b"}})
    ['Primary', 'Secondary']
    """
    known = {name: {cell.strip() for cell in words} - {""} for name, words in columns.items()}
    known = {
        name: words for name, words in known.items() if not all(NUMBER.fullmatch(word) for word in words)
    }
    for name, words in known.items():
        alike = [other for other in known if other == name or _shares_most(words, known[other])]
        if len(alike) > 1:
            return alike
    return []


def _shares_most(words: set[str], others: set[str]) -> bool:
    """True if most of the fewer words occur in both columns, two at least."""
    shared = len(words & others)
    return shared > 1 and shared > min(len(words), len(others)) / 2


def _is_verdicts(column: str, cells: set[str]) -> bool:
    """True for a column of yes and no words; one word in a column called ``tags`` is a tag."""
    return all(map(is_word, cells)) and (len(cells - {""}) > 1 or not _named([column]))


def _named(columns: Sequence[str]) -> list[str]:
    """The columns whose name is a word for labels, then those that hold such a word.

    >>> _named(["Finding Labels", "Patient Age", "label", "LabelName"])
    ['label', 'LabelName', 'Finding Labels']
    """
    exact = [name for name in columns if re.sub(r"[\W_]+", "", name).lower() in LABEL_NAMES]
    holds = [name for name in columns if set(re.findall(r"[a-z]+", name.lower())) & set(LABEL_NAMES)]
    return list(dict.fromkeys([*sorted(exact, key=_rank), *holds]))


def _rank(name: str) -> int:
    return LABEL_NAMES.index(re.sub(r"[\W_]+", "", name).lower())


def _wide_guesses(texts: Sequence[str], words: set[str]) -> list[Chosen]:
    """One column per label: the others are ignored, and unusual words get a meaning."""
    ignored = {"ignore_columns": joined_columns(texts)} if texts else {}
    return [ignored | one for one in word_readings(words)]


def joined_columns(columns: Sequence[str]) -> str:
    """Columns as ``data.ignore_columns`` takes them.

    >>> joined_columns(["width", "a"]), joined_columns(["a, b"])
    ('width,a', '["a, b"]')
    """
    text = ",".join(columns)
    return json.dumps(columns, ensure_ascii=False) if text.count(",") >= len(columns) else text
