"""Files of decisions: CSV and TSV that spreadsheets open right, JSON lines without loss.

CSV begins with a byte order mark (else Excel garbles names) and has no cell that a spreadsheet would run. It is
read back whatever separator or date format the spreadsheet wrote.
"""

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tagger.data.formats.csv_injection import BYTE_ORDER_MARK, escape_formula, unescape_formula
from tagger.data.formats.tabular import read_table
from tagger.errors import TaggerError
from tagger.review.decision_log import DecisionLog
from tagger.review.log_table import COLUMNS, log_rows
from tagger.runs import write_text
from tagger.runs.ownership import begins_with, check_absent

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl")
JSON_HEADER = json.dumps({"entry": "export", "version": 1})
FIRST_VERSION = 21  # columns that an export of any version begins with
NEEDED = ("label", "verdict", "reviewer")


def check_export_path(out: Path) -> None:
    """Pass if ``out`` can be written: a known suffix, and no file there but an export; TaggerError otherwise."""
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise TaggerError(f"--out {out}: name a file that ends in {', '.join(SUFFIXES)}.")
    if out.is_dir():
        raise TaggerError(f"--out {out} is a folder. Name a file in it, such as {out / 'decisions.csv'}.")
    begin = JSON_HEADER if suffix == ".jsonl" else DELIMITERS[suffix].join(COLUMNS[:FIRST_VERSION])
    if out.exists() and not begins_with(out, begin):
        check_absent(out.parent, [out.name], "Move it away, or name another --out.")


def write_log(
    log: DecisionLog, files: Mapping[str, str], pictures: Mapping[str, Collection[str]], out: Path
) -> None:
    """The log in ``out``, whole or not at all."""
    rows = log_rows(log, files, pictures)
    if out.suffix.lower() == ".jsonl":
        lines = (json.dumps(_typed(row), ensure_ascii=False) for row in rows)
        write_text(out, "\n".join([JSON_HEADER, *lines]) + "\n")
        return
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=DELIMITERS[out.suffix.lower()], lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([escape_formula(cell) for cell in row.values()] for row in rows)
    write_text(out, BYTE_ORDER_MARK + text.getvalue())


def read_log_file(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """The rows of a file (number, cells by column), and its columns that mean nothing to tagger.

    TaggerError if it is no table of decisions.
    """
    if not path.is_file():
        raise TaggerError(f"{path}: there is no such file.")
    if path.suffix.lower() not in SUFFIXES:
        raise TaggerError(
            f"{path}: decisions are read from {', '.join(SUFFIXES)}. A table of labels: --as verified."
            " Another store: tagger decisions merge."
        )
    table = read_table(path)
    names = [name.strip().lower() for name in table.columns]
    if missing := [name for name in NEEDED if name not in names]:
        raise TaggerError(
            f"{path.name}: there is no column {', '.join(map(repr, missing))}, so this is no table of decisions."
            " If it is a table of labels: --as verified."
        )
    restore = str if path.suffix.lower() == ".jsonl" else unescape_formula
    rows = [
        (number, {name: restore(cell) for name, cell in zip(names, cells, strict=True)})
        for number, cells in table.rows
    ]
    return rows, [name for name in names if name and name not in (*COLUMNS, "version")]


def _typed(row: Mapping[str, str]) -> dict[str, Any]:
    """The row with numbers as numbers, and null where a cell is empty."""
    kinds = {"id": int, "after": int, "doubt": float, "seconds": float}
    return {name: kinds.get(name, str)(cell) if cell else None for name, cell in row.items()}


def times_of(rows: list[tuple[int, dict[str, str]]]) -> Iterator[str]:
    """What stands in the column ``time``."""
    return (cells.get("time", "") for _, cells in rows)
