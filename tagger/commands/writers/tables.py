"""Table formats: csv, tsv, jsonl and parquet, written batch by batch and joined at the end.

A file a batch is written, whole or absent, and the files are joined at the end. A killed command resumes
after the last whole batch, and the joined file is byte for byte that of an uninterrupted one.
"""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tagger.commands.writers.base import FormatCapabilities, LabelBatch, TableWriter, batch_formats
from tagger.data.formats.prediction_columns import joins_safely, label_column, probability_columns
from tagger.runs import atomic_write, write_text


@batch_formats.register("csv")
class CsvWriter(TableWriter):
    """CSV table: ``file,labels,`` and one probability column a label.

    If a label has ``|`` in its name: ``file``, one 0/1 column a label, and one ``probability of LABEL`` each; they are
    empty for an unreadable image. TaggerError if two columns would then have the same name.
    """

    capabilities = FormatCapabilities(unknown_cells=True, unused_labels=True)
    delimiter = ","

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.names = names
        self.joined = joins_safely(names)
        self.prob_columns = [] if self.joined else probability_columns(names)

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """One batch, without a header."""
        write_text(path, csv_text(self._table(batch), self.delimiter, header=False))

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """The header and all batches as one file."""
        with atomic_write(out) as temporary, temporary.open("wb") as file:
            file.write(csv_text(self._table(empty), self.delimiter).encode())
            for path in batch_paths:
                file.write(path.read_bytes())

    def _table(self, batch: LabelBatch) -> pd.DataFrame:
        """The table to write: labels in one column, or in a column each."""
        if self.joined:
            return batch.table
        columns: dict[str, Any] = {"file": batch.table["file"]}
        for name in self.names:
            columns[label_column(name)] = [
                "" if row in batch.unreadable else str(int(name in chosen))
                for row, chosen in enumerate(batch.chosen)
            ]
        return pd.DataFrame(columns | dict(zip(self.prob_columns, batch.probs_NK.T, strict=True)))


@batch_formats.register("tsv")
class TsvWriter(CsvWriter):
    """The csv table with tabs between its columns."""

    delimiter = "\t"


@batch_formats.register("jsonl")
class JsonLinesWriter(TableWriter):
    """One JSON object a line with the columns of csv; an unreadable image's probabilities are null.

    ``labels`` is a list if a label has ``|`` in its name, and for labels that people set, as are the unknown
    ones (``unknown``). Such a list of an unreadable image is null.
    """

    capabilities = FormatCapabilities(unknown_cells=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.joined = joins_safely(names)

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """One batch."""
        if batch.ground_truth:
            rows = [
                {"file": file} | labels
                for file, labels in zip(batch.table["file"], batch.label_lists(), strict=True)
            ]
        else:
            table = batch.table if self.joined else _with_lists(batch)
            rows = [_nan_to_none(row) for row in table.to_dict("records")]
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """All batches as one file."""
        with atomic_write(out) as temporary, temporary.open("wb") as file:
            for path in batch_paths:
                file.write(path.read_bytes())


@batch_formats.register("parquet")
class ParquetTableWriter(TableWriter):
    """The columns of csv as a Parquet file, one row group a batch; ``labels`` are lists if a name has ``|`` in it."""

    capabilities = FormatCapabilities(unknown_cells=True, unused_labels=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.joined = joins_safely(names)

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """One batch."""
        with atomic_write(path) as temporary:
            pq.write_table(self._to_arrow(batch), temporary)

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """All batches as one file, in order, one in memory at a time."""
        with (
            atomic_write(out) as temporary,
            pq.ParquetWriter(temporary, self._to_arrow(empty).schema) as writer,
        ):
            for path in batch_paths:
                writer.write_table(pq.read_table(path))

    def _to_arrow(self, batch: LabelBatch) -> pa.Table:
        return _to_arrow(batch.table) if self.joined else _to_arrow(_with_lists(batch), pa.list_(pa.string()))


def csv_text(table: pd.DataFrame, delimiter: str = ",", *, header: bool = True) -> str:
    r"""The table as CSV. A carriage return has to stand in quotation marks, which pandas forgets.

    >>> csv_text(pd.DataFrame({"file": ["a.jpg"], "labels": ["x\ry"]}))
    '"file","labels"\n"a.jpg","x\ry"\n'
    """
    text = table.to_csv(index=False, header=header, lineterminator="\n", sep=delimiter)
    if "\r" in text:
        return table.to_csv(
            index=False, header=header, lineterminator="\n", sep=delimiter, quoting=csv.QUOTE_ALL
        )
    return text


def _nan_to_none(row: dict[Any, Any]) -> dict[Any, Any]:
    return {key: None if value != value else value for key, value in row.items()}


def _with_lists(batch: LabelBatch) -> pd.DataFrame:
    """The table with its labels as lists; None for an unreadable image."""
    lists = [None if row in batch.unreadable else chosen for row, chosen in enumerate(batch.chosen)]
    return batch.table.assign(labels=pd.Series(lists, index=batch.table.index, dtype=object))


def _to_arrow(table: pd.DataFrame, labels: pa.DataType | None = None) -> pa.Table:
    text = [pa.field("file", pa.string()), pa.field("labels", labels or pa.string())]
    schema = pa.schema([*text, *(pa.field(name, pa.float64()) for name in table.columns[2:])])
    return pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata(None)
