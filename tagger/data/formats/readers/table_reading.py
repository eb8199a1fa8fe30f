"""Reading of a table with given options, or an error on what the options do not describe."""

from itertools import islice
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable
from tagger.data.formats.readers.table_long import read_long
from tagger.data.formats.readers.table_rows import TableLayoutError, name_words
from tagger.data.formats.readers.table_stream import column_names, open_table, with_value_column
from tagger.data.formats.readers.table_wide import read_wide
from tagger.data.formats.tabular import TableStream
from tagger.errors import TaggerError, did_you_mean
from tagger.read_options import ReadOptions
from tagger.text import quoted

DEFAULT_OPTIONS = ReadOptions()
SAMPLE_ROWS = 200


def read_with_options(path: Path, read_options: ReadOptions, images: ImageLookup) -> LongTable:
    """The labels of a table as the options say. TableLayoutError if it has other columns or cells."""
    with_value_column(read_options)
    stream = open_table(path, read_options)
    read_options = _applicable_options(read_options, stream.columns)
    read_options = _with_nameless_file_column(path, read_options, stream.columns, images)
    _check_columns(path, stream, read_options)
    read = read_long if read_options.labels_column in stream.columns else read_wide
    return read(path, stream, read_options, images)


def sample_rows(path: Path, read_options: ReadOptions) -> list[list[str]]:
    """The cells of the first rows; none of a broken file."""
    try:
        return [cells for _, cells in islice(open_table(path, read_options).rows, SAMPLE_ROWS)]
    except TaggerError:
        return []


def images_named(rows: list[list[str]], path: Path, images: ImageLookup) -> list[int]:
    """The number of rows in which each column names an image."""
    return [sum(map(bool, column)) for column in zip(*images_of(rows, path, images), strict=True)]


def images_of(rows: list[list[str]], path: Path, images: ImageLookup) -> list[list[str]]:
    """The image that each cell of the rows names; nothing for other cells."""
    words = name_words(path)
    return [
        [images.find(cell, beside=path.parent, folders=[*words, *row])[0] for cell in row] for row in rows
    ]


def _applicable_options(read_options: ReadOptions, columns: tuple[str, ...]) -> ReadOptions:
    """``read_options``, or the default ones if the table has the default columns instead of those named.

    >>> _applicable_options(ReadOptions(file_column="id", label_separator=" "), ("file", "labels")).label_separator
    'auto'
    """
    named = (read_options.file_column, read_options.labels_column)
    usual = (DEFAULT_OPTIONS.file_column, DEFAULT_OPTIONS.labels_column)
    absent = [
        other
        for name, other in zip(named, usual, strict=True)
        if name not in (other, "none") and name not in columns
    ]
    if not absent or not set(absent) <= set(columns):
        return read_options
    text = {key: getattr(read_options, key) for key in ("columns", "delimiter", "encoding", "header_row")}
    return DEFAULT_OPTIONS.model_copy(update=text)  # the file is opened as before


def _with_nameless_file_column(
    path: Path, read_options: ReadOptions, columns: tuple[str, ...], images: ImageLookup
) -> ReadOptions:
    """The options with the nameless first column as that of files, if it alone names images: pandas' index."""
    usual = read_options.file_column == DEFAULT_OPTIONS.file_column
    if not usual or "file" in columns or columns[:1] != ("",):
        return read_options
    known = images_named(sample_rows(path, read_options), path, images)
    alone = bool(known) and known[0] > 0 and not any(known[1:])
    return read_options.model_copy(update={"file_column": ""}) if alone else read_options


def _check_columns(path: Path, stream: TableStream, read_options: ReadOptions) -> None:
    """Pass if the table has the columns that ``read_options`` names; TableLayoutError otherwise."""
    columns = stream.columns
    named = {"file_column": read_options.file_column}
    if read_options.labels_column not in (DEFAULT_OPTIONS.labels_column, "none"):
        named["labels_column"] = read_options.labels_column
    if read_options.value_column and read_options.labels_column in columns:
        named["value_column"] = read_options.value_column
    for key, setting in named.items():
        if setting not in columns:
            name = next((part for part in column_names(setting) if part not in columns), setting)
            which = "" if key == "file_column" else f", which data.{key} names"
            raise TableLayoutError(
                f"{path.name}: there is no column {name!r}{which}; the columns are {quoted(columns) or 'none'}."
                f"{did_you_mean(name, columns)}"
            )
    if len(columns) == 1:
        raise TaggerError(
            f"{path.name}: there are no labels, only a column {read_options.file_column!r}."
            f" Add a column {DEFAULT_OPTIONS.labels_column!r} or one per label"
        )
