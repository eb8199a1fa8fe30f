"""Reader of Hugging Face image folders: ``metadata.jsonl``, ``.csv`` or ``.parquet`` with labels.

The labels are in the first of the columns ``labels``, ``label``, ``tags``, ``keywords`` and ``categories``
that exists, or in the ``categories`` of ``objects``: a list, or a text that is cut as the cells of a table are
(``label`` is one label). Numbers stay numbers: their names are in the data set's card. A list ``unknown``, as
tagger writes it, has labels that are neither yes nor no.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tagger.data.formats.cell_types import ListCell, NonTextCell
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.json_lines import parse_json_lines
from tagger.data.formats.label_column import split_text
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import (
    AnnotationFileReader,
    ImageEntry,
    add_entries,
    find_files,
    path_title,
    read_head,
    to_label,
)
from tagger.data.formats.readers.table_rows import column_separator
from tagger.data.formats.tabular import read_table
from tagger.data.formats.text_file import read_text
from tagger.errors import Problem, TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted, shortlist

METADATA_SUFFIXES = (".jsonl", ".csv", ".parquet")
LABEL_KEYS = ("labels", "label", "tags", "keywords", "categories")
UNKNOWN_KEY = "unknown"
MetadataRow = tuple[int, dict[str, Any]]


class MetadataTable(NamedTuple):
    """A file of metadata: its rows, and the column of its labels."""

    path: Path
    rows: list[MetadataRow]
    key: str


class HuggingFaceReader(AnnotationFileReader):
    """Reader of ``metadata.jsonl``, ``.csv`` or ``.parquet`` in the data folder or in those of its splits."""

    def __init__(self, *, read_options: ReadOptions | None = None):
        self.separator = (read_options or ReadOptions()).label_separator

    def files(self, path: Path) -> list[Path]:
        """Metadata files with labels; many have only captions."""
        found = [p for suffix in METADATA_SUFFIXES for p in find_files(path, suffix) if p.stem == "metadata"]
        return [p for p in found if _has_labels(p)]

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every row with a list of labels, which may be empty; rows with null are problems and left out."""
        builder = LongTableBuilder()
        num_known = 0
        tables = [MetadataTable(file, *_rows_and_key(file)) for file in self.files(path)]
        _cut_cells([table for table in tables if table.key not in ("label", "objects")], self.separator)
        for table in tables:
            entries = list(_entries(table, builder))
            num_known += add_entries(builder, table.path, entries, images, noun="row")
        return builder.build(
            path_title(path), f"{path_title(path)} (Hugging Face image folder, {counted(num_known, 'row')})"
        )


def _has_labels(path: Path) -> bool:
    """True if the columns, found in the first lines, are a file name and labels."""
    if path.suffix.lower() == ".parquet":
        try:
            names = set(read_table(path).columns)
        except TaggerError:
            return False
        return "file_name" in names and bool(names & set(LABEL_KEYS))
    start = read_head(path, 1 << 16)
    if path.suffix.lower() == ".csv":
        start = start.partition(b"\n")[0]
        words = set(re.split(rb"[^a-z_]+", start))
    else:
        words = set(re.findall(rb'"([a-z_]+)"\s*:', start))
    return b"file_name" in words and bool(words & {key.encode() for key in (*LABEL_KEYS, "objects")})


def _rows_and_key(path: Path) -> tuple[list[MetadataRow], str]:
    """The rows of a file, and the column of the labels. TaggerError without it, or without one of files."""
    rows = list(
        parse_json_lines(path.name, read_text(path)) if path.suffix.lower() == ".jsonl" else _table_rows(path)
    )
    names = {name for _, row in rows for name in row}
    key = next((key for key in LABEL_KEYS if key in names), "objects" if "objects" in names else "")
    if "file_name" not in names or not key:
        missing = "file_name" if key else "labels"
        raise TaggerError(
            f"{path.name}: there is no column {missing!r}; the columns are {shortlist(sorted(names))}"
        )
    return rows, key


def _cut_cells(tables: Sequence[MetadataTable], separator: str) -> None:
    """Put lists of labels in place of texts, cut as all files show; TaggerError where they show two ways."""
    texts = [
        (table, row, text)
        for table in tables
        for _, row in table.rows
        if isinstance(text := row.get(table.key), str)
    ]
    if texts and separator == "auto":
        first = texts[0][0]
        separator = column_separator(first.path, first.key, Counter(text for *_, text in texts))
    for table, row, text in texts:
        row[table.key] = split_text(text, separator)


def _entries(table: MetadataTable, builder: LongTableBuilder) -> Iterator[ImageEntry]:
    for number, row in table.rows:
        value = row.get(table.key)
        file_name = row.get("file_name")
        if table.key == "objects" and isinstance(value, dict):
            value = next(
                (value[k] for k in ("categories", "category", "labels", "label") if k in value), None
            )
        items = value if isinstance(value, list) else [] if value == "" else [value]
        labels = [to_label(item) for item in items]
        if not isinstance(file_name, str) or not file_name.strip():
            builder.problems.append(Problem(table.path.name, number, "'file_name' is no text: left out"))
        elif not all(labels):
            what = "null" if value is None else repr(value)[:30]
            builder.problems.append(
                Problem(table.path.name, number, f"{table.key!r} is {what}, not a list of labels: left out")
            )
        else:
            open_ = row.get(UNKNOWN_KEY)
            unknown = filter(None, map(to_label, open_)) if isinstance(open_, list) else ()
            yield ImageEntry(
                file_name, yes=tuple(dict.fromkeys(labels)), unknown=tuple(unknown), location=f"row {number}"
            )


def _table_rows(path: Path) -> Iterator[MetadataRow]:
    """Rows of a CSV or Parquet file; lists of Parquet are lists, and other cells than texts nothing."""
    stream = read_table(path)
    for number, cells in stream.rows:
        row: dict[str, Any] = dict(zip(stream.columns, cells, strict=True))
        for key in set(LABEL_KEYS) & set(row) - {"label"}:
            cell = row[key]
            if isinstance(cell, ListCell):
                row[key] = [part.strip() for part in cell.parts if part.strip()]
            elif isinstance(cell, NonTextCell):
                row[key] = None
        yield number, row
