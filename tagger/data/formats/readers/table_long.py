"""Reading of a long table: one column of labels, all in a cell or one a row.

In a list a label may hold any character, and in JSON and Parquet a second list ``unknown`` has the labels that
are neither yes nor no. A column of verdicts says whether the label of a row applies (``table_verdicts.py``).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from tagger.data.formats.cell_types import ListCell, NonTextCell
from tagger.data.formats.cell_values import normal_cell
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.label_column import ClassNumbers, split_text
from tagger.data.formats.list_cells import parse_list
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.prediction_columns import label_column, label_of_column
from tagger.data.formats.readers.long_verdicts import VerdictCells
from tagger.data.formats.readers.table_profile import LongProfile, profile_long
from tagger.data.formats.readers.table_rows import (
    UndecidedTable,
    column_separator,
    ignored_columns_text,
    matched_rows,
)
from tagger.data.formats.readers.table_stream import (
    column_names,
    labels_with_values,
    open_table,
    with_value_column,
)
from tagger.data.formats.readers.table_verdicts import VerdictColumn, find_verdict_column
from tagger.data.formats.tabular import TableStream
from tagger.errors import Problem, TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted, quoted, set_options

UNKNOWN_COLUMN = "unknown"
MAX_REPEATED = 20  # images with differing rows that are listed; a file with one label a row has thousands
SEPARATOR_TEXT = {" ": "joined by spaces", "\t": "joined by tabs", "\n": "one a line", "none": "one a row"}
SEPARATOR_TEXT |= {"lists": "in lists"}


@dataclass(frozen=True)
class LongLayout:
    """How a long table is read: the sign between labels, the column of verdicts, numbers that stand for classes."""

    separator: str
    verdicts: VerdictColumn | None
    whole_floats: bool

    def labels(self, cell: str) -> list[str]:
        """The labels of a cell; a class number that a program wrote as 7.0 is 7."""
        return split_text(cell.strip().partition(".")[0] if self.whole_floats else cell, self.separator)


def read_long(path: Path, stream: TableStream, read_options: ReadOptions, images: ImageLookup) -> LongTable:
    """Every image that a row names, with the labels of all its rows. Rows without a labels cell are problems."""
    typed, read_options = read_options, with_value_column(read_options)
    layout = long_layout(path, profile_long(stream, read_options), read_options)
    stream = open_table(path, typed)
    if layout.verdicts is not None:
        table = VerdictCells(path, layout.verdicts, layout.labels).read(stream, read_options, images)
    else:
        table = _read_rows(path, stream, read_options, images, layout)
    return replace(table, separator=layout.separator)


def long_layout(path: Path, profile: LongProfile, read_options: ReadOptions) -> LongLayout:
    """The layout that the whole table shows; TaggerError with both readings where it may have two."""
    explicit = read_options.label_separator != "auto"
    numbers = ClassNumbers.of(profile.cells)
    if numbers.fractions and not explicit:
        raise TaggerError(_no_names(path, profile, read_options))
    _check_not_wide(path, profile, read_options)
    _check_values(path, profile, read_options)
    _check_names(path, profile, read_options)
    separator = read_options.label_separator if explicit else _separator(path, profile, read_options)
    labels = {label for cell in profile.cells for label in split_text(cell, separator)}
    if (
        labels
        and {label_column(label) for label in labels} <= set(profile.others)
        and not read_options.value_column
    ):
        return LongLayout(
            separator, None, numbers.whole and not explicit
        )  # predictions: each label has a column
    verdicts = find_verdict_column(path, profile, read_options, labels)
    return LongLayout(separator, verdicts, numbers.whole and not explicit)


def _no_names(path: Path, profile: LongProfile, read_options: ReadOptions) -> str:
    example = next(cell for cell in profile.cells if cell.strip())
    return (
        f"{path.name}: {read_options.labels_column!r} holds numbers such as {example[:30]!r}, which are no names of"
        f" labels. Name another column: --set data.labels_column=NAME or, if they are names:"
        f" {set_options({'label_separator': 'none'})}"
    )


def _check_not_wide(path: Path, profile: LongProfile, read_options: ReadOptions) -> None:
    """Pass unless a column ``labels`` of 0 and 1 stands beside others of 0 and 1: it may be a label itself."""
    beside = [name for name in profile.varied if name not in profile.cells and not read_options.ignores(name)]
    if read_options.label_separator != "auto" or not beside or not all(map(is_binary, profile.cells)):
        return
    names = {"label_separator": "none"}
    raise UndecidedTable(
        f"{path.name}: the columns {read_options.labels_column!r} and {quoted(beside, 3)} hold 0 and 1."
        f" If {read_options.labels_column!r} is a label as they are: {set_options({'labels_column': 'none'})}"
        f" or, if it holds names of labels: {set_options(names)}",
        [{"labels_column": "none"}, names],
    )


def _check_values(path: Path, profile: LongProfile, read_options: ReadOptions) -> None:
    """Pass unless every label of every cell has a number from 0 to 1 with a colon: it may be a verdict."""
    places = labels_with_values(cell for cell in profile.cells if not isinstance(cell, ListCell))
    if read_options.label_separator != "auto" or not places:
        return
    readings = [*({"label_values": where} for where in places), {"label_separator": "none"}]
    example = next(cell for cell in profile.cells if cell.strip())
    verdicts = " or ".join(map(set_options, readings[:-1]))
    raise UndecidedTable(
        f"{path.name}: the numbers in cells such as {example[:60]!r} may say whether a label applies:"
        f" {verdicts} or belong to the names of labels: {set_options(readings[-1])}",
        readings,
    )


def _check_names(path: Path, profile: LongProfile, read_options: ReadOptions) -> None:
    """Pass unless every cell is a list of 0 and 1 of one length: which label each stands for is not said."""
    lists = [
        cell.parts if isinstance(cell, ListCell) else parse_list(cell)
        for cell in profile.cells
        if cell.strip()
    ]
    known = [parts for parts in lists if parts is not None]
    several = len({len(parts) for parts in known}) == 1 and len(known) == len(lists) and len(known[0]) > 1
    if several and all(part in ("0", "1") for parts in known for part in parts):
        raise TaggerError(
            f"{path.name}: each cell of {read_options.labels_column!r} is a list of {len(known[0])} zeros and ones, and"
            " the table does not say which label each is for. Write one column per label, called as the label"
        )


def is_binary(cell: str) -> bool:
    """True for 0, 1 and an empty cell."""
    return not isinstance(cell, ListCell) and normal_cell(cell) in ("", "0", "1")


def _separator(path: Path, profile: LongProfile, read_options: ReadOptions) -> str:
    known = [label_of_column(name) for name in profile.others]
    return column_separator(path, read_options.labels_column, profile.cells, known)


def _read_rows(
    path: Path, stream: TableStream, read_options: ReadOptions, images: ImageLookup, layout: LongLayout
) -> LongTable:
    """The table of rows that all say yes."""
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
            problem = Problem(path.name, row, f"{read_options.labels_column!r} {reason}: left out")
            builder.problems.append(problem)
            continue
        num_rows += 1
        unknown = cells[unknown_at] if unknown_at is not None else ""
        has_unknown |= isinstance(unknown, ListCell)
        open_labels = unknown.parts if isinstance(unknown, ListCell) else ()
        builder.add_image(file, yes=layout.labels(text), unknown=open_labels, location=f"row {row}")
        first_row, first_text = seen.setdefault(file, (row, text))
        if text != first_text and file not in repeated:
            reason = f"{file!r} has other labels in row {first_row}: the image gets those of all its rows"
            repeated[file] = Problem(path.name, row, reason)
    builder.problems += _truncate(path.name, list(repeated.values()))
    read = (read_options.file_column, read_options.labels_column, *[UNKNOWN_COLUMN] * has_unknown)
    others = ignored_columns_text([column for column in stream.columns if column not in read])
    joined = _joined_text(stream, read_options, layout.separator)
    return builder.build(path.name, f"{path.name} (labels {joined}, {counted(num_rows, 'row')}{others})")


def _joined_text(stream: TableStream, read_options: ReadOptions, separator: str) -> str:
    """How the labels of a photo stand together: ``joined by ;``, ``in 2 columns``."""
    several = column_names(read_options.labels_column)
    if len(several) > 1 and stream.columns[-1] == read_options.labels_column:
        return f"in {len(several)} columns"
    if separator == "none" and read_options.label_separator == "auto":
        return "joined by |"
    return SEPARATOR_TEXT.get(separator, f"joined by {separator}")


def _invalid_reason(path: Path, cell: str) -> str:
    """Why a cell has no labels, or "". In a Parquet file of pandas null means the empty text."""
    if not isinstance(cell, NonTextCell) or (not cell and path.suffix.lower() not in (".jsonl", ".manifest")):
        return ""
    return f"is {cell[:30]}, not a list of names" if cell else "is null or absent"


def _truncate(name: str, problems: list[Problem]) -> list[Problem]:
    """The first problems, and one problem that counts the others."""
    more = len(problems) - MAX_REPEATED
    if more <= 0:
        return problems
    reason = f"{more} more images have rows with other labels: each gets those of all its rows"
    return [*problems[:MAX_REPEATED], Problem(name, None, reason)]
