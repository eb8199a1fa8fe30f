"""Reader of Hugging Face image folders: ``metadata.jsonl``, ``.csv`` or ``.parquet`` with labels.

The labels are in the first of the columns ``labels``, ``label``, ``tags``, ``keywords`` and ``categories``
that exists, as a list or a single label, or in the ``categories`` of ``objects``. Numbers stay numbers: their
names are in the data set's card. A list ``unknown``, as tagger writes it, has labels that are neither yes nor
no.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.json_lines import parse_json_lines
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
from tagger.data.formats.tabular import ListCell, NonTextCell, read_table
from tagger.data.formats.text_file import read_text
from tagger.errors import Problem, TaggerError
from tagger.text import counted, shortlist

METADATA_SUFFIXES = (".jsonl", ".csv", ".parquet")
LABEL_KEYS = ("labels", "label", "tags", "keywords", "categories")
UNKNOWN_KEY = "unknown"
MetadataRow = tuple[int, dict[str, Any]]


class HuggingFaceReader(AnnotationFileReader):
    """Reader of ``metadata.jsonl``, ``.csv`` or ``.parquet`` in the data folder or in those of its splits."""

    def files(self, path: Path) -> list[Path]:
        """Metadata files with labels; many have only captions."""
        found = [p for suffix in METADATA_SUFFIXES for p in find_files(path, suffix) if p.stem == "metadata"]
        return [p for p in found if _has_labels(p)]

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every row with a list of labels, which may be empty; rows with null are problems and left out."""
        builder = LongTableBuilder()
        num_known = 0
        for file in self.files(path):
            entries = list(_entries(file, builder))
            num_known += add_entries(builder, file, entries, images, noun="row")
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


def _entries(path: Path, builder: LongTableBuilder) -> Iterator[ImageEntry]:
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
    for number, row in rows:
        value = row.get(key)
        file_name = row.get("file_name")
        if key == "objects" and isinstance(value, dict):
            value = next(
                (value[k] for k in ("categories", "category", "labels", "label") if k in value), None
            )
        items = value if isinstance(value, list) else [] if value == "" else [value]
        labels = [to_label(item) for item in items]
        if not isinstance(file_name, str) or not file_name.strip():
            builder.problems.append(Problem(path.name, number, "'file_name' is no text: left out"))
        elif not all(labels):
            what = "null" if value is None else repr(value)[:30]
            builder.problems.append(
                Problem(path.name, number, f"{key!r} is {what}, not a list of labels: left out")
            )
        else:
            open_ = row.get(UNKNOWN_KEY)
            unknown = filter(None, map(to_label, open_)) if isinstance(open_, list) else ()
            yield ImageEntry(
                file_name, yes=tuple(dict.fromkeys(labels)), unknown=tuple(unknown), location=f"row {number}"
            )


def _table_rows(path: Path) -> Iterator[MetadataRow]:
    """Rows of a CSV or Parquet file; labels are joined by ``|``, as in labels.csv, but ``label`` is one label."""
    stream = read_table(path)
    for number, cells in stream.rows:
        row: dict[str, Any] = dict(zip(stream.columns, cells, strict=True))
        for key in LABEL_KEYS:
            if key in row and key != "label":
                cell = row[key]
                parts = cell.parts if isinstance(cell, ListCell) else cell.split("|")
                row[key] = (
                    None
                    if isinstance(cell, NonTextCell)
                    else [part.strip() for part in parts if part.strip()]
                )
        yield number, row
