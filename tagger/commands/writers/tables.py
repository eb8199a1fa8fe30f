"""Predictions as one file: a writer a format, each a part at a time.

They write one part file a chunk, whole or absent, and join the parts at the end: a killed command goes on from the last
whole part, and the joined file is byte for byte that of an uninterrupted one.
"""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tagger.commands.writers.part import Part, Says, TableWriter
from tagger.registry import Registry
from tagger.runs import replacing, write_text

table_formats = Registry("format")


@table_formats.register("csv")
class CsvTable(TableWriter):
    """``file,labels,`` and one probability column a label."""

    says, mark = Says(unknown=True, unused=True), ","

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        pass

    def write_part(self, part: Part, path: Path) -> None:
        """One chunk, without a header."""
        write_text(path, csv_text(part.table, self.mark, header=False))

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """The header and all parts as one file."""
        with replacing(out) as temporary, temporary.open("wb") as file:
            file.write(csv_text(empty.table, self.mark).encode())
            for part in parts:
                file.write(part.read_bytes())


@table_formats.register("tsv")
class TsvTable(CsvTable):
    """The same with tabs."""

    mark = "\t"


@table_formats.register("jsonl")
class JsonLines(TableWriter):
    """One object a line with the same fields; an unreadable image's probabilities are null.

    Labels that people settled are a list, and so are those that nobody did (``unknown``).
    """

    says = Says(unknown=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        pass

    def write_part(self, part: Part, path: Path) -> None:
        """One chunk."""
        if part.judged:
            rows = [{"file": file} | labels for file, labels in zip(part.table["file"], part.lists(), strict=True)]
        else:
            rows = [_plain(row) for row in part.table.to_dict("records")]
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """All parts as one file."""
        with replacing(out) as temporary, temporary.open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())


@table_formats.register("parquet")
class ParquetTable(TableWriter):
    """The same columns; one row group a chunk."""

    says = Says(unknown=True, unused=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        pass

    def write_part(self, part: Part, path: Path) -> None:
        """One chunk."""
        with replacing(path) as temporary:
            pq.write_table(_arrow(part.table), temporary)

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """All parts as one file, in order, one in memory at a time."""
        with replacing(out) as temporary, pq.ParquetWriter(temporary, _arrow(empty.table).schema) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part))


def csv_text(table: pd.DataFrame, mark: str = ",", *, header: bool = True) -> str:
    r"""The table as CSV. A carriage return has to stand in quotation marks, which pandas forgets.

    >>> csv_text(pd.DataFrame({"file": ["a.jpg"], "labels": ["x\ry"]}))
    '"file","labels"\n"a.jpg","x\ry"\n'
    """
    text = table.to_csv(index=False, header=header, lineterminator="\n", sep=mark)
    if "\r" in text:
        return table.to_csv(index=False, header=header, lineterminator="\n", sep=mark, quoting=csv.QUOTE_ALL)
    return text


def _plain(row: dict[Any, Any]) -> dict[Any, Any]:
    return {key: None if value != value else value for key, value in row.items()}


def _arrow(table: pd.DataFrame) -> pa.Table:
    text = [pa.field(name, pa.string()) for name in table.columns[:2]]
    schema = pa.schema([*text, *(pa.field(name, pa.float64()) for name in table.columns[2:])])
    return pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata(None)
