"""Reading of a wide table: one column per label, with 1 for yes, 0 for no and empty for unknown, or other words."""

from collections.abc import Iterator
from pathlib import Path

from tagger.arrays import NO, UNKNOWN, YES
from tagger.data.formats.cell_values import CellValues
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.prediction_columns import is_probability_column, label_of_column
from tagger.data.formats.readers.table_rows import TableLayoutError, ignored_columns_text, matched_rows
from tagger.data.formats.tabular import TableStream
from tagger.errors import Problem, TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted, quoted, set_options, shortlist

CONFLICT = 3  # instead of value + 1: two rows disagree, and a third one does not change that


def read_wide(path: Path, stream: TableStream, read_options: ReadOptions, images: ImageLookup) -> LongTable:
    """Every image that a row names. Where rows of one image disagree, the cell is unknown, and a problem."""
    columns, others = _label_columns(path.name, stream.columns, read_options)
    builder = LongTableBuilder(name for _, name in columns)
    meaning = CellValues(read_options)
    bad: dict[str, str] = {}
    values: dict[str, tuple[int, bytearray]] = {}  # file -> first row, one byte per label (value + 1)
    checked = _checked_cells(stream, columns, meaning, read_options, bad)
    for row, file, cells in matched_rows(path, checked, read_options, images, builder):
        new = bytearray(
            (value if (value := _value(cells[at], name, meaning, read_options)) is not None else UNKNOWN) + 1
            for at, name in columns
        )
        first_row, old = values.setdefault(file, (row, new))
        if old is not new and (clashes := _merge_cells(old, new)):
            names = shortlist([repr(columns[k][1]) for k in clashes])
            reason = f"{file!r} is also in row {first_row}, and they disagree on {names}: counted as unknown"
            builder.problems.append(Problem(path.name, row, reason))
    if bad:
        listed = shortlist([f"{quoted([name])} ({where})" for name, where in bad.items()])
        what = f"{counted(len(bad), 'column')} with other cells than 0, 1 and empty: {listed}"
        raise TableLayoutError(f"{path.name}: {what}.")
    for file, (_, cells_K) in values.items():
        named_cells = [(name, cell) for (_, name), cell in zip(columns, cells_K, strict=True)]
        builder.add_image(
            file,
            yes=[name for name, cell in named_cells if cell == YES + 1],
            unknown=[name for name, cell in named_cells if cell in (UNKNOWN + 1, CONFLICT)],
        )
    if not any(cell == NO + 1 for _, cells_K in values.values() for cell in cells_K):
        blank = set_options({"no": "blank"})
        builder.problems.append(Problem(path.name, None, f"no cell says no. If an empty cell does: {blank}"))
    what = f"one column per label, {counted(len(values), 'image')}{meaning.sentence()}"
    summary = f"{path.name} ({what}{ignored_columns_text(others)})"
    return builder.build(path.name, summary, closed_world=False)


def _label_columns(
    name: str, columns: tuple[str, ...], read_options: ReadOptions
) -> tuple[list[tuple[int, str]], list[str]]:
    """((index, name) of the label columns, names of the others).

    Others are the nameless first column, which is an index of pandas, and probabilities of predicted labels.
    """
    wanted = []
    others = []
    for at, column in enumerate(columns):
        if column != read_options.file_column:
            ignored = read_options.ignores(column) or column in read_options.related_columns
            ignored = ignored or is_probability_column(column, columns)
            if (not column and not at) or ignored:
                others.append(column)
            else:
                wanted.append((at, label_of_column(column)))
    nameless = [at + 1 for at, column in wanted if not column]
    there = f"the columns are {quoted(columns)}"
    if nameless:
        raise TaggerError(f"{name}: column {nameless[0]} has no name; {there}")
    if not wanted:
        raise TaggerError(f"{name}: no column is left for labels (data.ignore_columns); {there}")
    return wanted, others


def _checked_cells(
    stream: TableStream,
    columns: list[tuple[int, str]],
    meaning: CellValues,
    read_options: ReadOptions,
    bad: dict[str, str],
) -> TableStream:
    """The same rows; the first invalid value of each column is added to ``bad``, not of a line of names."""

    def rows() -> Iterator[tuple[int, list[str]]]:
        for row, cells in stream.rows:
            repeated = tuple(cell.strip() for cell in cells) == stream.columns  # files that were joined
            for at, name in columns if not repeated else ():
                if name not in bad and _value(cells[at], name, meaning, read_options) is None:
                    bad[name] = f"row {row}: {cells[at][:30]!r}"
            yield row, cells

    return TableStream(stream.columns, rows())


def _value(cell: str, name: str, meaning: CellValues, read_options: ReadOptions) -> int | None:
    """What a cell of a label's column says; of a number, whether it reaches the label's ``yes_from``."""
    yes_from = read_options.yes_from.get(name)
    return meaning.of(cell) if yes_from is None else meaning.of_number(cell, yes_from)


def _merge_cells(old: bytearray, new: bytearray) -> list[int]:
    """Merge a second row of an image into ``old``; return the labels on which they disagree (now CONFLICT).

    >>> cells = bytearray([2, 1, 0])
    >>> _merge_cells(cells, bytearray([1, 1, 2])), list(cells)
    ([0], [3, 1, 2])
    """
    clashes = []
    for k, (a, b) in enumerate(zip(old, new, strict=True)):
        if a == UNKNOWN + 1:
            old[k] = b
        elif a != CONFLICT and b not in (a, UNKNOWN + 1):
            old[k] = CONFLICT
            clashes.append(k)
    return clashes
