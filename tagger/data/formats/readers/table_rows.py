"""Rows of a label table matched to images, and the list of ignored columns."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.label_column import AmbiguousCells, choose_separator
from tagger.data.formats.long_table import LongTableBuilder
from tagger.data.formats.tabular import TableStream
from tagger.errors import Problem, TaggerError, first_reasons
from tagger.read_options import ReadOptions
from tagger.text import quoted


class TableLayoutError(TaggerError):
    """A table that the settings do not describe; the settings that do may be found and proposed."""


class UndecidedTable(TaggerError):
    """A table that may be read in several ways; ``readings`` are the settings of each."""

    def __init__(self, text: str, readings: Sequence[Mapping[str, str]]):
        super().__init__(text)
        self.readings = list(readings)


def column_separator(path: Path, column: str, cells: Mapping[str, int], known: Collection[str] = ()) -> str:
    """The sign between labels in a column with these cells; UndecidedTable where there may be several."""
    try:
        return choose_separator(cells, known)
    except AmbiguousCells as found:
        raise UndecidedTable(
            f"{path.name}: a cell of {column!r} may hold one label or several. {found.readings()}",
            [{"label_separator": sign} for sign in (*found.examples, "none")],
        ) from None


def matched_rows(
    path: Path, stream: TableStream, read_options: ReadOptions, images: ImageLookup, builder: LongTableBuilder
) -> Iterator[tuple[int, str, list[str]]]:
    """(row, image, cells) of each row whose image exists; other rows are problems. TaggerError if none exists."""
    file_at = stream.columns.index(read_options.file_column)
    words = name_words(path)
    num_rows = 0
    absent: list[Problem] = []
    for row, cells in stream.rows:
        num_rows += 1
        file, reason = images.find(cells[file_at], beside=path.parent, folders=chain(words, cells))
        if file:
            yield row, file, cells
        else:
            absent.append(Problem(path.name, row, reason))
            builder.problems.append(absent[-1])
    if not num_rows:
        raise TaggerError(f"{path.name}: there are no rows below the column names")
    if len(absent) == num_rows:
        raise TableLayoutError(
            f"{path.name}: none of its {num_rows:,} rows names an image in {images.root}."
            f" {first_reasons(absent)}"
            f" Paths in {read_options.file_column!r} are relative to the label file or to the data folder."
        )


def name_words(path: Path) -> list[str]:
    """The words in a file's name, which may be those of a split.

    >>> name_words(Path("labels_train.csv"))
    ['labels', 'train']
    """
    return re.findall(r"[^\W_]+", path.stem)


def ignored_columns_text(columns: Sequence[str]) -> str:
    """The end of the sentence on the labels: the columns that are not read.

    >>> ignored_columns_text(["note"]), ignored_columns_text([])
    ("; other columns are ignored: 'note'", '')
    """
    return f"; other columns are ignored: {quoted(columns, 5)}" if columns else ""
