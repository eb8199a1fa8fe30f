"""What rows does a table file hold? CSV, TSV, Parquet, JSON lines as one stream of texts, or what is broken."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tagger.data.json_lines import json_columns, parse_json_lines
from tagger.data.wording import counted, quoted, shortlist
from tagger.errors import TaggerError

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")  # those that can be written, too
READ_SUFFIXES = (*TABLE_SUFFIXES, ".jsonl")
UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError)  # or not UTF-8, or beyond the calendar


class Listed(str):
    """A cell that was a list; its text joins the parts by ``|``, which the parts themselves may hold."""

    parts: tuple[str, ...]

    def __new__(cls, parts: tuple[str, ...]) -> "Listed":
        """The cell of these parts."""
        cell = super().__new__(cls, "|".join(parts))
        cell.parts = parts
        return cell


class NoName(str):
    """A cell of JSON or Parquet that holds neither a name nor a list of names: null, a table, a list of lists."""


@dataclass(frozen=True)
class Records:
    """Column names, and rows as (row, one text per column). Row 1 is a file's first line (Parquet: its first row)."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def read_records(path: Path, *, delimiter: str = "auto") -> Records:
    """The rows of a table file. TaggerError (file, row, what to do) for a file that cannot be taken at its word.

    Every row must have as many cells as the first has names; an all-empty tail, as spreadsheets write it, is cut.
    ``delimiter`` stands between the columns of a CSV or TSV.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        records = _read_parquet(path)
    else:
        records = _read_json(path) if suffix == ".jsonl" else _read_text(path, delimiter)
    repeated = sorted(name for name, times in Counter(records.columns).items() if times > 1)
    if repeated:
        raise TaggerError(f"{path.name}: columns named more than once: {quoted(repeated)}. Rename them")
    return records


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. TaggerError with the line where it is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TaggerError(f"{path}: cannot be read ({(error.strerror or type(error).__name__).lower()})") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise TaggerError(f"{path.name}, row {row}: this is not UTF-8 text. Save the file as UTF-8") from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise TaggerError(f"{path.name}, row {row}: holds a NUL byte, so this is no text file, or a damaged one")
    return text


def _read_text(path: Path, delimiter: str) -> Records:
    text = read_text(path)
    if not text.strip():
        raise TaggerError(f"{path.name} is empty. Its first line should name the columns: file,labels")
    if delimiter == "auto":
        delimiter = _delimiter(text.split("\n", 1)[0], path.suffix.lower())
    rows = _text_rows(path.name, text, delimiter)
    _, header = next(rows, (1, []))
    columns = [name.strip() for name in header]
    while columns and not columns[-1]:
        columns.pop()
    return Records(tuple(columns), _same_width(path.name, rows, len(columns)))


def _delimiter(header: str, suffix: str) -> str:
    """What separates the columns: of the suffix, unless only another one occurs (spreadsheets also write ``;``).

    >>> _delimiter("file,labels", ".csv"), _delimiter("path;labels", ".csv"), _delimiter("file|tags", ".csv")
    (',', ';', '|')
    """
    usual = "\t" if suffix == ".tsv" else ","
    return usual if usual in header else next((mark for mark in ",;\t|" if mark in header), usual)


def _text_rows(name: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line that the row starts on, cells) for every row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TaggerError(f"{name}, row {row}: broken quoting ({error}). Look for a lone quotation mark") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield row, cells


def _same_width(name: str, rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    """The rows, and at their end one error that lists every row of another width."""
    bad = []
    for row, cells in rows:
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) == width:
            yield row, cells
        else:
            bad.append(f"row {row} ({len(cells)})")
    if bad:
        raise TaggerError(
            f"{name}: {counted(len(bad), 'row')} of another width than the first line's {counted(width, 'cell')}:"
            f" {shortlist(bad)}."
            " Put names that hold a comma in quotation marks; join labels by |; or say what stands between the columns:"
            " --set data.delimiter=tab"
        )


def _read_parquet(path: Path) -> Records:
    try:
        file = pq.ParquetFile(path)
    except UNREADABLE as error:
        raise TaggerError(f"{path.name}: this is not a Parquet file that can be read ({_line(error)})") from None
    columns = [name for name in file.schema_arrow.names if not name.startswith("__index_level_")]  # the index of pandas
    return Records(tuple(name.strip() for name in columns), _parquet_rows(path.name, file, columns))


def _parquet_rows(name: str, file: pq.ParquetFile, columns: list[str]) -> Iterator[tuple[int, list[str]]]:
    row = 0
    try:
        for batch in file.iter_batches(4096, columns=columns):
            for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                row += 1
                yield row, [_text(cell) for cell in cells]
    except UNREADABLE as error:
        raise TaggerError(f"{name}: broken after row {row} ({_line(error)})") from None


def _read_json(path: Path) -> Records:
    """An object a line; its keys are the columns, and a key that it lacks is an empty cell."""
    text = read_text(path)
    columns = json_columns(path.name, text)
    if not columns:
        raise TaggerError(f'{path.name}: it holds no rows. A row is an object: {{"file": "a.jpg", "labels": ["cat"]}}')
    rows = ((number, [_text(row.get(key)) for key in columns]) for number, row in parse_json_lines(path.name, text))
    return Records(tuple(whole(key).strip() for key in columns), rows)


def _text(cell: Any) -> str:
    """A cell of Parquet or JSON as the CSV text that means the same; NaN and null are empty.

    >>> _text(True), _text(1.0), _text(["cat", "a|b"]), _text(["cat", None]), _text({"a": 1})
    ('1', '1.0', 'cat|a|b', "['cat', None]", "{'a': 1}")
    """
    if cell is None or cell != cell:
        return NoName("")
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, list) and all(isinstance(part, str | int) for part in cell):
        return Listed(tuple(whole(str(part)) for part in cell))
    return NoName(cell) if isinstance(cell, list | dict) else whole(str(cell))


def whole(text: str) -> str:
    """The text with halves of characters, which JSON can spell but no file or screen takes, as question marks.

    >>> whole("a\\ud800")
    'a?'
    """
    return text.encode("utf-8", "replace").decode()


def _line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:200]
