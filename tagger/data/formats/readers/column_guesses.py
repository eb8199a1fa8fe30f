"""Guesses of what the columns of a table beside the one of files are: labels, verdicts, or something else."""

import json
import re
from collections.abc import Sequence

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
    texts = [at for at in range(len(columns)) if at not in words]
    named = _named([columns[at] for at in texts])
    if len(named) > 1 and len({re.sub(r"\d+", "", name) for name in named}) == 1:
        return []  # label1, label2: one of them alone would be half of the labels
    wide = (
        _wide_guesses([columns[at] for at in texts], set().union(*(cells[at] for at in words)))
        if words
        else []
    )
    others = [columns[at] for at in texts if columns[at] not in named]
    long_guesses = [{"labels_column": name} if name != "labels" else {} for name in named]
    rest = [{"labels_column": name} for name in others[:MAX_COLUMNS_TRIED] if name]
    return [*long_guesses, *wide] if named else wide or rest


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
