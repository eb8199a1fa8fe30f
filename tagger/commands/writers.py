"""How predictions are written: one writer a format, each a chunk at a time.

Table formats write one part file a chunk, whole or absent, and join the parts at the end: a killed command goes on from
the last whole part, and the joined file is byte for byte that of an uninterrupted one.
"""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tagger.data.records import read_text
from tagger.data.sources.sidecars import split_labels
from tagger.registry import Registry
from tagger.runs import replacing, write_text

table_formats = Registry("format")


@table_formats.register("csv")
class CsvTable:
    """``file,labels,`` and one probability column a label."""

    def write_part(self, table: pd.DataFrame, path: Path) -> None:
        """One chunk, without a header."""
        write_text(path, table.to_csv(index=False, header=False, lineterminator="\n"))

    def join(self, parts: Iterable[Path], empty: pd.DataFrame, out: Path) -> None:
        """The header and all parts as one file."""
        with replacing(out) as temporary, temporary.open("wb") as file:
            file.write(empty.to_csv(index=False, lineterminator="\n").encode())
            for part in parts:
                file.write(part.read_bytes())


@table_formats.register("jsonl")
class JsonLines:
    """One object a line with the same fields; an unreadable image's probabilities are null."""

    def write_part(self, table: pd.DataFrame, path: Path) -> None:
        """One chunk."""
        rows = (_plain(row) for row in table.to_dict("records"))
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def join(self, parts: Iterable[Path], empty: pd.DataFrame, out: Path) -> None:
        """All parts as one file."""
        with replacing(out) as temporary, temporary.open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())


@table_formats.register("parquet")
class ParquetTable:
    """The same columns; one row group a chunk."""

    def write_part(self, table: pd.DataFrame, path: Path) -> None:
        """One chunk."""
        with replacing(path) as temporary:
            pq.write_table(_arrow(table), temporary)

    def join(self, parts: Iterable[Path], empty: pd.DataFrame, out: Path) -> None:
        """All parts as one file, in order, one in memory at a time."""
        with replacing(out) as temporary, pq.ParquetWriter(temporary, _arrow(empty).schema) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part))


def _plain(row: dict[Any, Any]) -> dict[Any, Any]:
    return {key: None if value != value else value for key, value in row.items()}


def _arrow(table: pd.DataFrame) -> pa.Table:
    text = [pa.field(name, pa.string()) for name in table.columns[:2]]
    schema = pa.schema([*text, *(pa.field(name, pa.float64()) for name in table.columns[2:])])
    return pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata(None)


def write_sidecar(path: Path, labels: list[str], *, existing: str) -> None:
    """``NAME.txt`` beside an image: its labels, separated by commas (quoted as in CSV where one holds a comma).

    ``existing`` says what to do with one that is there: ``overwrite``, or ``merge`` (new labels are added at the end).
    """
    if existing == "merge" and path.exists():
        labels = list(dict.fromkeys([*split_labels(read_text(path)), *labels]))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(labels)
    write_text(path, text.getvalue() if labels else "")
