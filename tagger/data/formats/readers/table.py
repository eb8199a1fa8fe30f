"""Reader of one label table: a column of label names (long), or one 0/1/empty column per label (wide).

CSV, TSV, Parquet or JSON lines. The default columns are ``file`` and ``labels``, joined by ``|``;
``ReadOptions`` names others. A table that has the default columns instead of those named is read with the
default options: tagger wrote it, from labels that were read with options.
"""

from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable
from tagger.data.formats.readers.table_hints import column_hint
from tagger.data.formats.readers.table_long import read_long
from tagger.data.formats.readers.table_wide import read_wide
from tagger.data.formats.tabular import READABLE_SUFFIXES, TableStream, read_table
from tagger.errors import TaggerError, did_you_mean
from tagger.setting_sections import ReadOptions
from tagger.text import quoted

DEFAULT_OPTIONS = ReadOptions()


class TableReader:
    """``labels.csv``, ``labels.tsv``, ``labels.parquet`` or ``labels.jsonl``."""

    def __init__(self, *, read_options: ReadOptions = DEFAULT_OPTIONS):
        self.read_options = read_options

    def detect(self, images: ImageLookup) -> Path | None:
        """The first of the four that exists in the data folder itself."""
        return next(
            (p for suffix in READABLE_SUFFIXES if (p := images.root / f"labels{suffix}").is_file()), None
        )

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a file with one of the four suffixes."""
        return path.is_file() and path.suffix.lower() in READABLE_SUFFIXES

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Labels of a long table if it has the column of labels, else of a wide one."""
        stream = read_table(path, delimiter=self.read_options.delimiter)
        read_options = _applicable_options(self.read_options, stream.columns)
        _check_columns(path, stream, read_options, images)
        read = read_long if read_options.labels_column in stream.columns else read_wide
        return read(path, stream, read_options, images)


def _applicable_options(read_options: ReadOptions, columns: tuple[str, ...]) -> ReadOptions:
    """``read_options``, or the default ones if the table has the default columns instead of those named.

    >>> _applicable_options(ReadOptions(file_column="id", label_separator=" "), ("file", "labels")).label_separator
    '|'
    """
    named = (read_options.file_column, read_options.labels_column)
    usual = (DEFAULT_OPTIONS.file_column, DEFAULT_OPTIONS.labels_column)
    absent = [
        other for name, other in zip(named, usual, strict=True) if name != other and name not in columns
    ]
    return DEFAULT_OPTIONS if absent and set(absent) <= set(columns) else read_options


def _check_columns(path: Path, stream: TableStream, read_options: ReadOptions, images: ImageLookup) -> None:
    """Pass if the table has the columns that ``read_options`` names; TaggerError with suggested settings."""
    columns = stream.columns
    there = f"the columns are {quoted(columns) or 'none'}"
    if read_options.file_column not in columns:
        raise TaggerError(
            f"{path.name}: there is no column {read_options.file_column!r}; {there}."
            f"{did_you_mean(read_options.file_column, columns)}{column_hint(path, stream, images)}"
        )
    if (
        read_options.labels_column not in columns
        and read_options.labels_column != DEFAULT_OPTIONS.labels_column
    ):
        raise TaggerError(
            f"{path.name}: there is no column {read_options.labels_column!r}, which data.labels_column names; {there}."
            f"{did_you_mean(read_options.labels_column, columns)}"
        )
    if len(columns) == 1:
        raise TaggerError(
            f"{path.name}: there are no labels, only a column {read_options.file_column!r}."
            f" Add a column {read_options.labels_column!r} or one per label"
        )
