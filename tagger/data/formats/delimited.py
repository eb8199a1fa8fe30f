"""Rows of CSV, TSV and tables aligned by blanks; what is broken is one error that lists all rows."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from tagger.data.formats.cell_types import ListCell
from tagger.data.formats.word_readings import UNUSUAL
from tagger.errors import TaggerError
from tagger.text import counted, shortlist

NumberedRow = tuple[int, list[str]]
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n')  # Excel reads and writes it
HEAD = 4096  # characters that show the delimiter


def read_delimited(
    path: Path, text: str, delimiter: str, columns: Sequence[str] = (), header_row: int = 1
) -> tuple[tuple[str, ...], Iterator[NumberedRow]]:
    """(column names, rows) of a delimited text; ``delimiter`` may be ``auto``, and ``columns`` given."""
    if not text.strip():
        raise TaggerError(f"{path.name} is empty. Its first line should name the columns: file,labels")
    text, rows_above, told = _without_lines_above(text, header_row)
    if told and delimiter == "auto":
        delimiter = told
    if delimiter == "auto":
        delimiter = guess_delimiter(text.lstrip("\r\n")[:HEAD], path.suffix.lower())
    rows = _delimited_rows(path.name, text, delimiter, rows_above)
    if columns and text.lstrip('"').partition(delimiter)[0].strip('" ') != "file":  # else tagger wrote it
        return named_columns(columns), _named_rows(path.name, rows, columns)
    names, rows = _header(rows)
    return names, _check_widths(path.name, rows, len(names))


def named_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """The names of columns that a setting gives; the last one may end in ``*``, which is no part of it."""
    return tuple(
        name.removesuffix("*") if at == len(columns) - 1 else name for at, name in enumerate(columns)
    )


def _named_rows(name: str, rows: Iterator[NumberedRow], columns: Sequence[str]) -> Iterator[NumberedRow]:
    """The rows of a file without a line of names; where the last name ends in ``*``, its cells are one list."""
    width = len(columns)
    if not columns[-1].endswith("*"):
        return _check_widths(name, rows, width)
    return (
        (
            row,
            [
                *padded[: width - 1],
                ListCell(tuple(cell.strip() for cell in padded[width - 1 :] if cell.strip())),
            ],
        )
        for row, cells in rows
        for padded in [cells + [""] * (width - len(cells))]
    )


def _header(rows: Iterator[NumberedRow]) -> tuple[tuple[str, ...], Iterator[NumberedRow]]:
    """(names of the columns, rows below them)."""
    _, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    first = next(rows, None)
    if first is None:
        return tuple(names), iter(())
    if _has_row_names(names, first[1]):
        names.insert(0, "file")
    return tuple(names), chain([first], rows)


def guess_delimiter(head: str, suffix: str) -> str:
    """The delimiter: that of the suffix, unless only another one occurs (spreadsheets also write ``;``), or blanks.

    Of several in the first line the one that cuts all rows alike.

    >>> guess_delimiter("file,labels", ".csv"), guess_delimiter("path;labels", ".csv"), guess_delimiter("a  b", ".txt")
    (',', ';', ' ')
    >>> guess_delimiter("file;red, white\\na.jpg;1\\n", ".csv")
    ';'
    """
    header = head.split("\n", 1)[0]
    usual = "\t" if suffix == ".tsv" else ","
    marks = [mark for mark in (usual, *",;\t|") if mark in header]
    alike = [mark for mark in marks if _cuts_alike(head, mark)]
    return next(iter([*alike, *marks]), " " if " " in header.strip() else usual)


def _cuts_alike(head: str, mark: str) -> bool:
    """True if all whole rows of a text's beginning have as many cells as its first line."""
    try:
        rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=mark) if row]
    except csv.Error:
        return False
    whole = rows[:-1] if len(head) >= HEAD else rows
    return len({len(row) for row in whole}) == 1 and len(whole) > 1


def _without_lines_above(text: str, header_row: int) -> tuple[str, int, str]:
    r"""(the text from its line of names on, how many lines were above it, the delimiter that one of them names).

    >>> _without_lines_above("sep=;\nfile;labels\n", 1), _without_lines_above("Photos of May\n\nfile,labels\n", 3)
    (('file;labels\n', 1, ';'), ('file,labels\n', 2, ''))
    """
    above = header_row - 1 if text.lstrip('"')[:4] != "file" else 0  # else tagger wrote it
    told = SEPARATOR_LINE.match(text)
    if told or (not above and _count_line(text)):
        above = max(above, 1)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", above) if above else [text]
    return lines[-1], len(lines) - 1, told[1] if told else ""


def _count_line(text: str) -> int:
    """1 if the first line only counts the rows, as in CelebA's ``list_attr_celeba.txt``; else 0."""
    first, _, rest = text.partition("\n")
    return int(first.strip().isdecimal() and len(rest.partition("\n")[0].split()) > 1)


def _has_row_names(columns: list[str], first: list[str]) -> bool:
    """True if rows of yes and no words begin with a name for which the header has no column (R, CelebA)."""
    cells = [cell.strip().lower() for cell in first]
    return (
        len(cells) == len(columns) + 1
        and "file" not in columns
        and all(cell in UNUSUAL or re.fullmatch(r"-?\d(\.0)?", cell) for cell in cells[1:])
    )


def _delimited_rows(name: str, text: str, delimiter: str, rows_above: int) -> Iterator[NumberedRow]:
    """(line that the row starts on, cells) for every row that is not blank. Blanks after a delimiter do not count."""
    if delimiter == " ":
        text = re.sub(r"(?m)^ +| +$", "", text)
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        row = reader.line_num + 1 + rows_above
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TaggerError(
                f"{name}, row {row}: broken quoting ({error}). Look for a single quotation mark"
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield row, cells


def _check_widths(name: str, rows: Iterator[NumberedRow], width: int) -> Iterator[NumberedRow]:
    """The rows; at the end one error that lists all rows with another number of cells."""
    bad = []
    for row, cells in rows:
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) == width:
            yield row, cells
        else:
            bad.append(f"row {row} ({len(cells)})")
    if bad:
        verb = "does" if len(bad) == 1 else "do"
        raise TaggerError(
            f"{name}: {counted(len(bad), 'row')} {verb} not have {counted(width, 'cell')} as the first line does:"
            f" {shortlist(bad)}."
            " Put names that hold a comma in quotation marks; join labels by |; or name the delimiter of the columns:"
            " --set data.delimiter=tab"
        )
