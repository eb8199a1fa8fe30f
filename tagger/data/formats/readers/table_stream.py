"""The rows of a table as its settings name them: several columns of labels or of photos, and values in cells.

Columns of labels become one with lists, columns of photos become a row each, and ``cat:0.9`` becomes a label and
a cell of a column of verdicts. What follows reads one column of each.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tagger.data.formats.cell_types import ListCell
from tagger.data.formats.label_column import WHOLE_FLOAT, split_text
from tagger.data.formats.tabular import TableStream, read_table
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions

Rows = Iterator[tuple[int, list[str]]]
NO_LABEL = frozenset({"", "nan", "none", "null", "n/a", "na", "-"})  # in a second or third column of labels
VALUE_COLUMN = "value in the cell"
SHARE = re.compile(r"[01](?:\.0*)?|0?\.\d+")  # 0 to 1
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
BEFORE = re.compile(rf"\s*({NUMBER})\s*[:=]\s*(.+?)\s*")
BEHIND = re.compile(rf"\s*(.+?)\s*[:=]\s*({NUMBER})\s*")
CUTS = {
    "before": re.compile(rf"[\s,;|]+(?={NUMBER}\s*[:=])"),
    "behind": re.compile(r"(?<=\d)\s*[,;|]\s*|(?<=\d)\s+(?![:=])"),
}  # between two labels with values


def open_table(path: Path, read_options: ReadOptions) -> TableStream:
    """The columns and rows of a file as the options say."""
    stream = read_table(
        path,
        delimiter=read_options.delimiter,
        encoding=read_options.encoding,
        columns=read_options.columns,
        header_row=read_options.header_row,
    )
    stream = _row_per_photo(stream, read_options.file_column)
    stream = _labels_together(stream, read_options)
    return _with_values(stream, read_options) if read_options.label_values != "none" else stream


def column_names(setting: str) -> list[str]:
    """The columns that a setting names, if there is none of exactly this name.

    >>> column_names("Primary, Secondary"), column_names('["a, b", "c"]'), column_names("labels")
    (['Primary', 'Secondary'], ['a, b', 'c'], ['labels'])
    """
    if setting.lstrip().startswith("["):
        try:
            return [str(name) for name in json.loads(setting)]
        except (ValueError, TypeError, RecursionError):
            pass
    return list(filter(None, map(str.strip, setting.split(",")))) or [setting]


def judged_by(column: str) -> dict[str, str]:
    """The setting that names a column of verdicts; none for the values in the cells of labels."""
    return {} if column == VALUE_COLUMN else {"value_column": column}


def with_value_column(read_options: ReadOptions) -> ReadOptions:
    """The options for the rows of ``open_table``. TaggerError if two settings say where the verdicts are."""
    if read_options.label_values == "none":
        return read_options
    if read_options.value_column:
        raise TaggerError(
            "data.label_values and data.value_column: both say where a label's verdict stands. Set one of them"
        )
    return read_options.model_copy(update={"value_column": VALUE_COLUMN, "label_separator": "none"})


def labels_with_values(cells: Iterable[str]) -> list[str]:
    """``before``, ``behind`` or both, where every label of every cell has a value from 0 to 1 there.

    >>> labels_with_values(["1.0:/m/01 0.7:/m/02", ""]), labels_with_values(["1:0;cat:1"]), labels_with_values(["a:7"])
    (['before'], ['behind'], [])
    """
    texts = [cell for cell in cells if cell.strip()]
    number = {}
    for where in ("before", "behind"):
        options = ReadOptions(label_values=where)
        found = [pair for cell in texts for pair in valued_labels(cell, options, default="")]
        if found and all(SHARE.fullmatch(value) for _, value in found):
            number[where] = len(found)
    return [where for where, times in number.items() if times == max(number.values())]


def _places(columns: Sequence[str], setting: str) -> list[int]:
    """The indices of several columns that a setting names; none if it names one, or one that is not there."""
    names = [] if setting in columns else column_names(setting)
    return [columns.index(name) for name in names] if len(names) > 1 and set(names) <= set(columns) else []


def _row_per_photo(stream: TableStream, file_column: str) -> TableStream:
    """A row for each photo of a row that names several."""
    places = _places(stream.columns, file_column)
    if not places:
        return stream
    others = [at for at in range(len(stream.columns)) if at not in places]

    def rows() -> Rows:
        for number, cells in stream.rows:
            rest = [cells[at] for at in others]
            yield from ((number, [cells[at], *rest]) for at in places if cells[at].strip())

    return TableStream((file_column, *(stream.columns[at] for at in others)), rows())


def _labels_together(stream: TableStream, read_options: ReadOptions) -> TableStream:
    """One column of lists from several columns of labels."""
    places = _places(stream.columns, read_options.labels_column)
    if not places:
        return stream
    others = [at for at in range(len(stream.columns)) if at not in places]
    sign = "|" if read_options.label_separator == "auto" else read_options.label_separator

    def rows() -> Rows:
        for number, cells in stream.rows:
            labels = [label for at in places for label in _labels_of(cells[at], sign)]
            yield number, [*(cells[at] for at in others), ListCell(tuple(dict.fromkeys(labels)))]

    return TableStream((*(stream.columns[at] for at in others), read_options.labels_column), rows())


def _labels_of(cell: str, sign: str) -> list[str]:
    """The labels of a cell of one of several columns; none for a word that says so.

    >>> _labels_of("None", "|"), _labels_of("7.0", "|"), _labels_of("cat|dog", "|")
    ([], ['7'], ['cat', 'dog'])
    """
    labels = [label for label in split_text(cell, sign) if label.lower() not in NO_LABEL]
    return [label.partition(".")[0] if WHOLE_FLOAT.fullmatch(label) else label for label in labels]


def _with_values(stream: TableStream, read_options: ReadOptions) -> TableStream:
    """A row for each label of a cell, with its value in a column of its own."""
    if read_options.labels_column not in stream.columns:
        return stream
    at = stream.columns.index(read_options.labels_column)

    def rows() -> Rows:
        for number, cells in stream.rows:
            for label, value in valued_labels(cells[at], read_options) or [("", "")]:
                yield number, [*cells[:at], label, *cells[at + 1 :], value]

    return TableStream((*stream.columns, VALUE_COLUMN), rows())


def valued_labels(cell: str, read_options: ReadOptions, default: str = "1") -> list[tuple[str, str]]:
    """(label, value) of each label in a cell; ``default`` is the value of a label that has none.

    >>> valued_labels("1.0:/m/01 0.7:/m/02", ReadOptions(label_values="before"))
    [('/m/01', '1.0'), ('/m/02', '0.7')]
    >>> valued_labels("black cat:1, dog:0", ReadOptions(label_values="behind"))
    [('black cat', '1'), ('dog', '0')]
    """
    where = read_options.label_values
    if isinstance(cell, ListCell) or read_options.label_separator != "auto":
        parts: Sequence[str] = split_text(cell, read_options.label_separator)
    else:
        parts = [part for part in CUTS[where].split(cell) if part.strip()]
    found = []
    for part in parts:
        match = (BEFORE if where == "before" else BEHIND).fullmatch(part)
        if match is None:
            found.append((part.strip(), default))
        else:
            found.append((match[2], match[1]) if where == "before" else (match[1], match[2]))
    return found
