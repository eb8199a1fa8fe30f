"""Labels in one column, all of an image in a cell or one in each of several rows.

In a list (of JSON, of Parquet) a label may hold any sign, and a list ``unknown`` beside it has those nobody settled.
"""

from collections.abc import Sequence
from pathlib import Path

from tagger.data.image_index import ImageIndex
from tagger.data.long_table import LongTable, LongTableBuilder
from tagger.data.records import Listed, NoName, Records
from tagger.data.sources.table_rows import ignored, known_rows
from tagger.data.wording import counted
from tagger.errors import Problem
from tagger.sections import Reading

UNKNOWN = "unknown"
MAX_REPEATED = 20  # images named one by one when their rows differ; a file with one label a row has thousands
WORDS = {" ": "joined by spaces", "\t": "joined by tabs", "none": "one a row"}


def read_long(path: Path, records: Records, reading: Reading, images: ImageIndex) -> LongTable:
    """Every image that a row names, with the labels of all its rows. Rows without any cell for them are listed."""
    labels_at = records.columns.index(reading.labels_column)
    unknown_at = records.columns.index(UNKNOWN) if UNKNOWN in records.columns else None
    builder = LongTableBuilder()
    seen: dict[str, tuple[int, str]] = {}
    repeated: dict[str, Problem] = {}
    num_rows, has_unknown = 0, False
    for row, file, cells in known_rows(path, records, reading, images, builder):
        text = cells[labels_at]
        if reason := _no_labels(path, text):
            builder.problems.append(Problem(path.name, row, f"{reading.labels_column!r} {reason}: left out"))
            continue
        num_rows += 1
        unknown = cells[unknown_at] if unknown_at is not None else ""
        has_unknown |= isinstance(unknown, Listed)
        open_labels = unknown.parts if isinstance(unknown, Listed) else ()
        builder.add(file, yes=names_in(text, reading.label_separator), unknown=open_labels, place=f"row {row}")
        first_row, first_text = seen.setdefault(file, (row, text))
        if text != first_text and file not in repeated:
            reason = f"{file!r} has other labels in row {first_row}: the image gets those of all its rows"
            repeated[file] = Problem(path.name, row, reason)
    builder.problems += _first(path.name, list(repeated.values()))
    read = (reading.file_column, reading.labels_column, *[UNKNOWN] * has_unknown)
    others = ignored([column for column in records.columns if column not in read])
    joined = WORDS.get(reading.label_separator, f"joined by {reading.label_separator}")
    return builder.build(path.name, f"{path.name} (labels {joined}, {counted(num_rows, 'row')}{others})")


def names_in(cell: str, separator: str) -> list[str]:
    """The labels of a cell, each once: the parts of a list as they are, or those of a text between separators.

    >>> names_in("cat| dog |cat", "|"), names_in("clear  primary", " "), names_in("red, white", "none")
    (['cat', 'dog'], ['clear', 'primary'], ['red, white'])
    """
    parts: Sequence[str] = [cell] if separator == "none" else cell.split(separator)
    parts = cell.parts if isinstance(cell, Listed) else parts
    return list(dict.fromkeys(filter(None, map(str.strip, parts))))


def _no_labels(path: Path, cell: str) -> str:
    """Why a cell says nothing about labels, or nothing. In a Parquet file of pandas null is the empty text."""
    if not isinstance(cell, NoName) or (not cell and path.suffix.lower() != ".jsonl"):
        return ""
    return f"is {cell[:30]}, not a list of names" if cell else "is null or absent"


def _first(name: str, problems: list[Problem]) -> list[Problem]:
    """The first problems, and one line on the others."""
    more = len(problems) - MAX_REPEATED
    if more <= 0:
        return problems
    reason = f"{more} more images have rows with other labels: each gets those of all its rows"
    return [*problems[:MAX_REPEATED], Problem(name, None, reason)]
