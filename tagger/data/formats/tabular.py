"""Table files (CSV, TSV, Parquet, JSON lines) as column names and a stream of text rows."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tagger.data.formats.cell_types import ListCell, NonTextCell
from tagger.data.formats.class_map import job_keys, with_class_names
from tagger.data.formats.delimited import read_delimited
from tagger.data.formats.json_lines import json_columns, parse_json_lines
from tagger.data.formats.json_tables import parse_json_table
from tagger.data.formats.text_file import read_text
from tagger.errors import TaggerError
from tagger.text import quoted

WRITABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
JSON_LINES_SUFFIXES = (".jsonl", ".ndjson", ".manifest")
READABLE_SUFFIXES = (*WRITABLE_SUFFIXES, ".jsonl")
NAMED_SUFFIXES = (*WRITABLE_SUFFIXES, *JSON_LINES_SUFFIXES, ".json", ".txt", ".dat", ".data")  # with --labels
READ_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError)  # also not UTF-8, impossible dates


@dataclass(frozen=True)
class TableStream:
    """Column names, and rows as (row, one text per column). Row 1 is a file's first line (Parquet: its first row)."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def read_table(
    path: Path,
    *,
    delimiter: str = "auto",
    encoding: str = "auto",
    columns: Sequence[str] = (),
    header_row: int = 1,
) -> TableStream:
    """The columns and rows of a table file. TaggerError (file, row, what to do) if it is broken.

    Every row must have as many cells as the header; empty cells at the end, as spreadsheets write them, are
    cut. ``delimiter`` separates the columns of a CSV or TSV; ``encoding`` is that of any text file.
    ``columns`` are the names of the columns where the first line does not name them; lines above ``header_row`` are
    left out.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        stream = _read_parquet(path)
    elif suffix in (*JSON_LINES_SUFFIXES, ".json"):
        stream = _read_json_lines(path, encoding)
    else:
        text = read_text(path, encoding)
        stream = TableStream(*read_delimited(path, text, delimiter, columns, header_row))
    repeated = sorted(name for name, times in Counter(stream.columns).items() if times > 1)
    if repeated:
        raise TaggerError(f"{path.name}: several columns are called {quoted(repeated)}. Rename them")
    return stream


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


def _read_json_lines(path: Path, encoding: str) -> TableStream:
    """JSON lines as a table: the keys are the columns, and a missing key is an empty cell."""
    text = read_text(path, encoding)
    parse = parse_json_table if path.suffix.lower() == ".json" else parse_json_lines
    jobs = job_keys(json_columns(parse(path.name, text)))
    columns = json_columns(_json_rows(path.name, text, parse, jobs))
    if not columns:
        raise TaggerError(
            f'{path.name}: it has no rows. A row is an object: {{"file": "a.jpg", "labels": ["cat"]}}'
        )
    rows = (
        (number, [_cell_text(row.get(key)) for key in columns])
        for number, row in _json_rows(path.name, text, parse, jobs)
    )
    return TableStream(tuple(replace_surrogates(key).strip() for key in columns), rows)


def _json_rows(
    name: str,
    text: str,
    parse: Callable[[str, str], Iterator[tuple[int, dict[str, Any]]]],
    jobs: Collection[str],
) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((number, with_class_names(row, jobs)) for number, row in parse(name, text))


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
