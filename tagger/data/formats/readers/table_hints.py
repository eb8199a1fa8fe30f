"""Suggested settings for a table with unusual column names, for the error message.

They are guessed from the first rows."""

import json
import shlex
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.tabular import TableStream
from tagger.errors import TaggerError
from tagger.text import quoted

SAMPLE_ROWS = 200
MAX_VALUE_LENGTH = 500
BINARY_CELLS = {"", "0", "1", "0.0", "1.0", "true", "false"}
LABEL_COLUMN_NAMES = (
    "labels",
    "label",
    "tags",
    "tag",
    "keywords",
    "categories",
    "category",
    "classes",
    "class",
    "classname",
)
SEPARATORS = ("|", ";", ",", " ")
SEPARATOR_NAMES = {" ": "space", ",": "comma", ";": "semicolon"}


def column_hint(path: Path, stream: TableStream, images: ImageLookup) -> str:
    """`` Column 'id' names images: --set data.file_column=id ...``, or the columns that a table must have."""
    try:
        rows = [cells for _, cells in islice(stream.rows, SAMPLE_ROWS)]
    except TaggerError:
        rows = []
    finds = [[bool(images.find(cell, beside=path.parent)[0]) for cell in row] for row in rows]
    known = [sum(column) for column in zip(*finds, strict=True)]
    if not rows or not max(known, default=0):
        return " The first line must name a column 'file', and 'labels' or one column per label"
    at = known.index(max(known))
    chosen = {"file_column": stream.columns[at]} | guess_settings(
        [name for k, name in enumerate(stream.columns) if k != at],
        [[cell for k, cell in enumerate(row) if k != at] for row in rows],
    )
    words = " ".join(_option(key, value) for key, value in chosen.items())
    return f" Column {quoted([stream.columns[at]])} names images: {words}"


def guess_settings(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """The settings that describe the columns other than the file's; none if all are 0/1 columns.

    >>> guess_settings(["tags"], [["clear primary"], ["haze"]])
    {'labels_column': 'tags', 'label_separator': 'space'}
    >>> guess_settings(["cat", "width"], [["1", "640"], ["0", "480"]])
    {'ignore_columns': 'width'}
    """
    words = [
        at for at in range(len(columns)) if any(row[at].strip().lower() not in BINARY_CELLS for row in rows)
    ]
    named = [at for at in words if columns[at].lower() in LABEL_COLUMN_NAMES]
    if not words:
        return {}
    if not named and len(words) < len(columns):
        return {"ignore_columns": _joined([columns[at] for at in words])}
    at = named[0] if named else words[0]
    found = {"labels_column": columns[at]} if columns[at] != "labels" else {}
    sign = next((sign for sign in SEPARATORS if any(sign in row[at].strip() for row in rows)), "|")
    return found if sign == "|" else found | {"label_separator": SEPARATOR_NAMES[sign]}


def wide_hint(columns: Sequence[str]) -> str:
    """The setting that helps when columns do not hold 0, 1 or nothing.

    >>> wide_hint(["label", "width"])
    "If 'label' holds names of labels: --set data.labels_column=label"
    >>> wide_hint(["width", "author"])
    'If they are no labels: --set data.ignore_columns=width,author'
    """
    named = next((name for name in columns if name.lower() in LABEL_COLUMN_NAMES), None)
    if named is not None:
        return f"If {named!r} holds names of labels: {_option('labels_column', named)}"
    return f"If they are no labels: {_option('ignore_columns', _joined(columns))}"


def _joined(columns: Sequence[str]) -> str:
    """Columns as ``data.ignore_columns`` takes them.

    >>> _joined(["width", "a"]), _joined(["a, b"])
    ('width,a', '["a, b"]')
    """
    text = ",".join(columns)
    return json.dumps(columns, ensure_ascii=False) if text.count(",") >= len(columns) else text


def _option(key: str, value: str) -> str:
    """The option for the command line; a very long value is replaced by NAME."""
    text = f"data.{key}={value}" if len(value) <= MAX_VALUE_LENGTH else f"data.{key}=NAME"
    return f"--set {shlex.quote(text)}"
