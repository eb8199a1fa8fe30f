"""Reading of a long table: one column of labels, all in a cell or one a row.

In a list (JSON or Parquet) a label may hold any character, and a second list ``unknown`` has the labels that
are neither yes nor no.
"""

from collections.abc import Sequence
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.table_rows import ignored_columns_text, matched_rows
from tagger.data.formats.tabular import ListCell, NonTextCell, TableStream
from tagger.errors import Problem
from tagger.setting_sections import ReadOptions
from tagger.text import counted

UNKNOWN_COLUMN = "unknown"
MAX_REPEATED = 20  # images with differing rows that are listed; a file with one label a row has thousands
SEPARATOR_TEXT = {" ": "joined by spaces", "\t": "joined by tabs", "none": "one a row"}


def read_long(path: Path, stream: TableStream, read_options: ReadOptions, images: ImageLookup) -> LongTable:
    """Every image that a row names, with the labels of all its rows. Rows without a labels cell are problems."""
    labels_at = stream.columns.index(read_options.labels_column)
    unknown_at = stream.columns.index(UNKNOWN_COLUMN) if UNKNOWN_COLUMN in stream.columns else None
    builder = LongTableBuilder()
    seen: dict[str, tuple[int, str]] = {}
    repeated: dict[str, Problem] = {}
    num_rows = 0
    has_unknown = False
    for row, file, cells in matched_rows(path, stream, read_options, images, builder):
        text = cells[labels_at]
        if reason := _invalid_reason(path, text):
            builder.problems.append(
                Problem(path.name, row, f"{read_options.labels_column!r} {reason}: left out")
            )
            continue
        num_rows += 1
        unknown = cells[unknown_at] if unknown_at is not None else ""
        has_unknown |= isinstance(unknown, ListCell)
        open_labels = unknown.parts if isinstance(unknown, ListCell) else ()
        builder.add_image(
            file,
            yes=split_cell(text, read_options.label_separator),
            unknown=open_labels,
            location=f"row {row}",
        )
        first_row, first_text = seen.setdefault(file, (row, text))
        if text != first_text and file not in repeated:
            reason = f"{file!r} has other labels in row {first_row}: the image gets those of all its rows"
            repeated[file] = Problem(path.name, row, reason)
    builder.problems += _truncate(path.name, list(repeated.values()))
    read = (read_options.file_column, read_options.labels_column, *[UNKNOWN_COLUMN] * has_unknown)
    others = ignored_columns_text([column for column in stream.columns if column not in read])
    joined = SEPARATOR_TEXT.get(read_options.label_separator, f"joined by {read_options.label_separator}")
    return builder.build(path.name, f"{path.name} (labels {joined}, {counted(num_rows, 'row')}{others})")


def split_cell(cell: str, separator: str) -> list[str]:
    """The labels of a cell, each once: the parts of a list, or of a text between separators.

    >>> split_cell("cat| dog |cat", "|"), split_cell("clear  primary", " "), split_cell("red, white", "none")
    (['cat', 'dog'], ['clear', 'primary'], ['red, white'])
    """
    parts: Sequence[str] = [cell] if separator == "none" else cell.split(separator)
    parts = cell.parts if isinstance(cell, ListCell) else parts
    return list(dict.fromkeys(filter(None, map(str.strip, parts))))


def _invalid_reason(path: Path, cell: str) -> str:
    """Why a cell has no labels, or "". In a Parquet file of pandas null means the empty text."""
    if not isinstance(cell, NonTextCell) or (not cell and path.suffix.lower() != ".jsonl"):
        return ""
    return f"is {cell[:30]}, not a list of names" if cell else "is null or absent"


def _truncate(name: str, problems: list[Problem]) -> list[Problem]:
    """The first problems, and one problem that counts the others."""
    more = len(problems) - MAX_REPEATED
    if more <= 0:
        return problems
    reason = f"{more} more images have rows with other labels: each gets those of all its rows"
    return [*problems[:MAX_REPEATED], Problem(name, None, reason)]
