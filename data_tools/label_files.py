"""Writing of label files that ``--labels`` reads back unchanged."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tagger.arrays import Cells
from tagger.commands import writers
from tagger.data.formats.tabular import WRITABLE_SUFFIXES
from tagger.errors import TaggerError


def save_labels(
    out: str | Path, root: str | Path, files: Sequence[str], names: Sequence[str], labels_NK: Cells
) -> Path:
    """Write labels to ``out`` (.csv, .tsv or .parquet): ``file,labels``, or one 0/1/empty column per label.

    ``files`` are relative to ``root`` and written so that ``tagger train --data ROOT --labels OUT`` finds
    them. TaggerError if ``out`` exists: no label file is ever overwritten.
    """
    out = check_new_path(out, WRITABLE_SUFFIXES)
    writers.write_labels(files, labels_NK, names, root=root, out=out, format=out.suffix.lower()[1:])
    return out


def write_table(out: Path, table: pd.DataFrame) -> None:
    """Write a table in the format of its suffix, completely or not at all."""
    writers.write_table(table, out, out.suffix.lower()[1:])


def check_new_path(out: str | Path, suffixes: Sequence[str] = ()) -> Path:
    """``out`` as a Path; TaggerError if it exists, or if it ends in none of ``suffixes``."""
    out = Path(out)
    if suffixes and out.suffix.lower() not in suffixes:
        raise TaggerError(f"{out}: give a name that ends in {' or '.join(suffixes)}")
    if os.path.lexists(out):
        raise TaggerError(f"{out}: this exists already and stays as it is. Give another name")
    return out


def format_of(out: Path, format: str | None = None) -> str:
    """The format to write ``out`` in: ``format`` if it is given, else that of the suffix.

    >>> format_of(Path("a.TSV")), format_of(Path("a.json"), "coco")
    ('tsv', 'coco')
    """
    by_suffix = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".jsonl": "jsonl"}
    suffix = out.suffix.lower()
    if format is None and suffix not in by_suffix:
        raise TaggerError(
            f"{out}: the suffix names no format. Give a name that ends in {', '.join(by_suffix)}, or one of"
            f" --format {', '.join(name for name in writers.LABEL_FORMATS if name not in by_suffix.values())}"
        )
    form = format or by_suffix[suffix]
    writers.check_format(form)
    if form in writers.TABLE_DELIMITERS and by_suffix.get(suffix) != form:
        raise TaggerError(f"{out}: give a name that ends in .{form}, the suffix of the format {form}")
    return form
