"""Columns of a table that say something of a photo other than its labels: its subject, its sequence, its frame."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.readers.table_rows import name_words
from tagger.data.formats.readers.table_stream import open_table
from tagger.data.formats.tabular import NAMED_SUFFIXES, READABLE_SUFFIXES, TableStream
from tagger.errors import Problem, TaggerError, did_you_mean, first_reasons
from tagger.setting_sections import DataSettings
from tagger.text import shortlist


def column_values(root: Path, files: Sequence[str], data: DataSettings, column: str) -> list[str]:
    """The value of a column for each photo, from the first table that has it and the column of files.

    A photo that no row names, or whose cell is empty, has no value. TaggerError if no table has the column, or if
    rows of one photo disagree.
    """
    seen: list[str] = []
    for path, table in _tables(root, data):
        seen += table.columns
        if column in table.columns and data.file_column in table.columns:
            value = _values(path, table, data.file_column, column, ImageLookup(root, files))
            return [value.get(file, "") for file in files]
    there = f" The columns are {shortlist([repr(name) for name in dict.fromkeys(seen)])}." if seen else ""
    raise TaggerError(
        f"No table in {root} has the columns {data.file_column!r} and {column!r}."
        f"{did_you_mean(column, sorted(set(seen)))}{there}"
    )


def other_columns(root: Path, data: DataSettings) -> list[tuple[str, str]]:
    """(table, column) of the columns beside those of photos and labels in tables that can be read."""
    found = []
    try:
        for path, table in _tables(root, data):
            if data.file_column in table.columns:
                known = {data.file_column, data.labels_column}
                found += [(path.name, column) for column in table.columns if column and column not in known]
    except TaggerError:
        pass  # a broken table is an error where it is read
    return found


def _tables(root: Path, data: DataSettings) -> Iterator[tuple[Path, TableStream]]:
    """The table of labels if it was named, then those in the data folder."""
    named = [Path(data.labels)] if data.labels and Path(data.labels).is_file() else []
    beside = sorted(path for path in root.iterdir() if path.suffix.lower() in READABLE_SUFFIXES)
    for path in [*(path for path in named if path.suffix.lower() in NAMED_SUFFIXES), *beside]:
        yield path, open_table(path, data)


def _values(
    path: Path, table: TableStream, file_column: str, column: str, images: ImageLookup
) -> dict[str, str]:
    """The value of each photo that a row names. TaggerError if two rows of one photo have different ones."""
    at, file_at = table.columns.index(column), table.columns.index(file_column)
    words = name_words(path)
    first: dict[str, tuple[int, str]] = {}
    clashes: list[Problem] = []
    for row, cells in table.rows:
        file, _ = images.find(cells[file_at], beside=path.parent, folders=chain(words, cells))
        value = cells[at].strip()
        if file and value:
            first_row, other = first.setdefault(file, (row, value))
            if other != value:
                reason = f"{file} has {column!r} {value!r}, but {other!r} in row {first_row}"
                clashes.append(Problem(path.name, row, reason))
    if clashes:
        raise TaggerError(
            f"{path.name}: rows of one photo disagree. {first_reasons(clashes)} Correct the table"
        )
    return {file: value for file, (_, value) in first.items()}
