"""Table files (CSV, TSV, Parquet, JSON lines) as column names and a stream of text rows."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tagger.data.formats.json_lines import json_columns, parse_json_lines
from tagger.errors import TaggerError
from tagger.text import counted, quoted, shortlist

WRITABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
READABLE_SUFFIXES = (*WRITABLE_SUFFIXES, ".jsonl")
READ_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError)  # also not UTF-8, impossible dates


class ListCell(str):
    """A cell that was a list: ``parts``. Its text joins them by ``|``, which the parts may hold themselves."""

    parts: tuple[str, ...]

    def __new__(cls, parts: tuple[str, ...]) -> "ListCell":
        """A cell of these parts."""
        cell = super().__new__(cls, "|".join(parts))
        cell.parts = parts
        return cell


class NonTextCell(str):
    """A cell of JSON or Parquet that is neither a name nor a list of names: null, an object, a list of lists."""


@dataclass(frozen=True)
class TableStream:
    """Column names, and rows as (row, one text per column). Row 1 is a file's first line (Parquet: its first row)."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def read_table(path: Path, *, delimiter: str = "auto") -> TableStream:
    """The columns and rows of a table file. TaggerError (file, row, what to do) if it is broken.

    Every row must have as many cells as the header; empty cells at the end, as spreadsheets write them, are
    cut. ``delimiter`` separates the columns of a CSV or TSV.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        stream = _read_parquet(path)
    else:
        stream = _read_json_lines(path) if suffix == ".jsonl" else _read_delimited(path, delimiter)
    repeated = sorted(name for name, times in Counter(stream.columns).items() if times > 1)
    if repeated:
        raise TaggerError(f"{path.name}: several columns are called {quoted(repeated)}. Rename them")
    return stream


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. TaggerError with the line where it is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TaggerError(
            f"{path}: cannot be read ({(error.strerror or type(error).__name__).lower()})"
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise TaggerError(f"{path.name}, row {row}: this is not UTF-8 text. Save the file as UTF-8") from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise TaggerError(
            f"{path.name}, row {row}: there is a NUL byte, so this is not a text file, or it is damaged"
        )
    return text


def _read_delimited(path: Path, delimiter: str) -> TableStream:
    text = read_text(path)
    if not text.strip():
        raise TaggerError(f"{path.name} is empty. Its first line should name the columns: file,labels")
    if delimiter == "auto":
        delimiter = _guess_delimiter(text.split("\n", 1)[0], path.suffix.lower())
    rows = _delimited_rows(path.name, text, delimiter)
    _, header = next(rows, (1, []))
    columns = [name.strip() for name in header]
    while columns and not columns[-1]:
        columns.pop()
    return TableStream(tuple(columns), _check_widths(path.name, rows, len(columns)))


def _guess_delimiter(header: str, suffix: str) -> str:
    """The delimiter: that of the suffix, unless only another one occurs (spreadsheets also write ``;``).

    >>> _guess_delimiter("file,labels", ".csv"), _guess_delimiter("path;labels", ".csv")
    (',', ';')
    """
    usual = "\t" if suffix == ".tsv" else ","
    return usual if usual in header else next((mark for mark in ",;\t|" if mark in header), usual)


def _delimited_rows(name: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line that the row starts on, cells) for every row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TaggerError(
                f"{name}, row {row}: broken quoting ({error}). Look for a single quotation mark"
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield row, cells


def _check_widths(
    name: str, rows: Iterator[tuple[int, list[str]]], width: int
) -> Iterator[tuple[int, list[str]]]:
    """The rows; at the end one error that lists all rows with another number of cells."""
    bad = []
    for row, cells in rows:
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) == width:
            yield row, cells
        else:
            bad.append(f"row {row} ({len(cells)})")
    if bad:
        verb = "does" if len(bad) == 1 else "do"
        raise TaggerError(
            f"{name}: {counted(len(bad), 'row')} {verb} not have {counted(width, 'cell')} as the first line does:"
            f" {shortlist(bad)}."
            " Put names that hold a comma in quotation marks; join labels by |; or name the delimiter of the columns:"
            " --set data.delimiter=tab"
        )


def _read_parquet(path: Path) -> TableStream:
    try:
        file = pq.ParquetFile(path)
    except READ_ERRORS as error:
        raise TaggerError(
            f"{path.name}: this cannot be read as a Parquet file ({_first_line(error)})"
        ) from None
    index = "__index_level_"  # a column of pandas' index
    columns = [name for name in file.schema_arrow.names if not name.startswith(index)]
    return TableStream(tuple(name.strip() for name in columns), _parquet_rows(path.name, file, columns))


def _parquet_rows(name: str, file: pq.ParquetFile, columns: list[str]) -> Iterator[tuple[int, list[str]]]:
    row = 0
    try:
        for batch in file.iter_batches(4096, columns=columns):
            for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                row += 1
                yield row, [_cell_text(cell) for cell in cells]
    except READ_ERRORS as error:
        raise TaggerError(f"{name}: broken after row {row} ({_first_line(error)})") from None


def _read_json_lines(path: Path) -> TableStream:
    """JSON lines as a table: the keys are the columns, and a missing key is an empty cell."""
    text = read_text(path)
    columns = json_columns(path.name, text)
    if not columns:
        raise TaggerError(
            f'{path.name}: it has no rows. A row is an object: {{"file": "a.jpg", "labels": ["cat"]}}'
        )
    rows = (
        (number, [_cell_text(row.get(key)) for key in columns])
        for number, row in parse_json_lines(path.name, text)
    )
    return TableStream(tuple(replace_surrogates(key).strip() for key in columns), rows)


def _cell_text(cell: Any) -> str:
    """A cell of Parquet or JSON as the CSV text that means the same; NaN and null are empty.

    >>> _cell_text(True), _cell_text(1.0), _cell_text(["cat", "a|b"]), _cell_text(["cat", None]), _cell_text({"a": 1})
    ('1', '1.0', 'cat|a|b', "['cat', None]", "{'a': 1}")
    """
    if cell is None or cell != cell:
        return NonTextCell("")
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, list) and all(isinstance(part, str | int) for part in cell):
        return ListCell(tuple(replace_surrogates(str(part)) for part in cell))
    return NonTextCell(cell) if isinstance(cell, list | dict) else replace_surrogates(str(cell))


def replace_surrogates(text: str) -> str:
    """The text with lone surrogates as question marks: JSON can spell them, but they cannot be written.

    >>> replace_surrogates("a\\ud800")
    'a?'
    """
    return text.encode("utf-8", "replace").decode()


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:200]
