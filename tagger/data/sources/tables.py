"""Labels in one table: a column of labels (long), or one 0/1/empty column per label (wide).

CSV, TSV, Parquet or JSON lines. Usual columns are ``file`` and ``labels``, joined by ``|``; ``Reading`` names others. A
table that lacks those but has the usual ones is read as usual: tagger wrote it, of labels that were read otherwise.
"""

from pathlib import Path

from tagger.data.image_index import ImageIndex
from tagger.data.long_table import LongTable
from tagger.data.records import READ_SUFFIXES, Records, read_records
from tagger.data.sources.table_hints import column_hint
from tagger.data.sources.table_long import read_long
from tagger.data.sources.table_wide import read_wide
from tagger.data.wording import quoted
from tagger.errors import TaggerError, did_you_mean
from tagger.sections import Reading

USUAL = Reading()


class Tables:
    """``labels.csv``, ``labels.tsv``, ``labels.parquet`` or ``labels.jsonl``."""

    def __init__(self, *, reading: Reading = USUAL):
        self.reading = reading

    def detect(self, images: ImageIndex) -> Path | None:
        """The first of the four that exists in the data folder itself."""
        return next((p for suffix in READ_SUFFIXES if (p := images.root / f"labels{suffix}").is_file()), None)

    def accepts(self, path: Path, images: ImageIndex) -> bool:
        """True for a file with one of the four suffixes."""
        return path.is_file() and path.suffix.lower() in READ_SUFFIXES

    def read(self, path: Path, images: ImageIndex) -> LongTable:
        """Both forms; the column of labels makes it the long one. Row numbers in messages count the file's lines."""
        records = read_records(path, delimiter=self.reading.delimiter)
        reading = _fitting(self.reading, records.columns)
        _check_columns(path, records, reading, images)
        read = read_long if reading.labels_column in records.columns else read_wide
        return read(path, records, reading, images)


def _fitting(reading: Reading, columns: tuple[str, ...]) -> Reading:
    """``reading``, or the usual one where the columns that it names are not there and the usual ones are.

    >>> _fitting(Reading(file_column="id", label_separator=" "), ("file", "labels")).label_separator
    '|'
    """
    named = (reading.file_column, reading.labels_column)
    usual = (USUAL.file_column, USUAL.labels_column)
    absent = [other for name, other in zip(named, usual, strict=True) if name != other and name not in columns]
    return USUAL if absent and set(absent) <= set(columns) else reading


def _check_columns(path: Path, records: Records, reading: Reading, images: ImageIndex) -> None:
    """Pass if the columns that ``reading`` names are there; TaggerError with the settings that would help."""
    columns = records.columns
    there = f"the columns are {quoted(columns) or 'none'}"
    if reading.file_column not in columns:
        raise TaggerError(
            f"{path.name}: there is no column {reading.file_column!r}; {there}."
            f"{did_you_mean(reading.file_column, columns)}{column_hint(path, records, images)}"
        )
    if reading.labels_column not in columns and reading.labels_column != USUAL.labels_column:
        raise TaggerError(
            f"{path.name}: there is no column {reading.labels_column!r}, which data.labels_column names; {there}."
            f"{did_you_mean(reading.labels_column, columns)}"
        )
    if len(columns) == 1:
        raise TaggerError(
            f"{path.name}: there are no labels, only a column {reading.file_column!r}."
            f" Add a column {reading.labels_column!r} or one per label"
        )
