"""Settings that read a table with unusual columns or cells, for the error message. Each was tried on the table."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, to_dense
from tagger.data.formats.readers.column_guesses import Chosen, guess_settings, joined_columns
from tagger.data.formats.readers.table_headless import headless_settings
from tagger.data.formats.readers.table_reading import images_named, images_of, read_with_options, sample_rows
from tagger.data.formats.readers.table_rows import TableLayoutError, UndecidedTable
from tagger.data.formats.readers.table_stream import open_table
from tagger.data.formats.word_readings import is_word
from tagger.data.images.image_files import IMAGE_SUFFIXES, suffix_of
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted, quoted, set_options

MAX_TRIALS = 16
MAX_SHOWN = 3
MAX_HEADER_ROW = 6
NO_FILES = " The first line must name a column 'file', and 'labels' or one column per label"
MAX_LENGTH = 1200  # characters of several readings


@dataclass(frozen=True)
class Reading:
    """Settings that were tried, and the labels that they gave."""

    chosen: Chosen
    table: LongTable

    def __str__(self) -> str:
        """``--set data.no=-1 (2 labels; 'cat': 3 yes, 4 no, 1 unknown)``."""
        first = self.table.labels[0]
        cells_N = to_dense(self.table, [first])[:, 0]
        counts = ", ".join(
            f"{np.sum(cells_N == value):,} {word}"
            for word, value in (("yes", YES), ("no", NO), ("unknown", UNKNOWN))
        )
        num_labels = counted(len(self.table.labels), "label")
        return f"{set_options(self.chosen)} ({num_labels}; {quoted([first])}: {counts})"


@dataclass(frozen=True)
class Hint:
    """`` Column 'id' names images: --set data.file_column=id ...``, or what a table must have; and the readings."""

    text: str = ""
    found: Sequence[Reading] = ()


def layout_hint(path: Path, read_options: ReadOptions, images: ImageLookup) -> Hint:
    """The settings that read a table. Several readings are all named, with what each gives."""
    if headless := headless_settings(path, read_options, images):
        found = _plausible(path, read_options, images, headless)
        return Hint(_sentence("The first line names no columns", headless[0], found), found)
    try:
        columns = open_table(path, read_options).columns
    except TaggerError:
        return header_row_hint(path, read_options, images)
    rows = sample_rows(path, read_options)
    known = images_named(rows, path, images)
    if not known or not max(known):
        lower = header_row_hint(path, read_options, images)
        return lower if lower.found else Hint(NO_FILES)
    return _column_hint(path, read_options, images, columns, rows)


def header_row_hint(path: Path, read_options: ReadOptions, images: ImageLookup) -> Hint:
    """The settings for a table whose names of columns stand on a lower line, below a title."""
    for row in range(2, MAX_HEADER_ROW + 1) if read_options.header_row == 1 else ():
        lower = read_options.model_copy(update={"header_row": row})
        rows = sample_rows(path, lower)
        known = images_named(rows, path, images) if rows else []
        if not known or not max(known):
            continue
        columns = open_table(path, lower).columns
        if any(images.find(name, beside=path.parent)[0] for name in columns if name):
            break  # this line is a row
        hint = _column_hint(path, read_options, images, columns, rows, {"header_row": str(row)})
        if hint.found:
            return hint
    return Hint()


def rescue_hint(path: Path, read_options: ReadOptions, images: ImageLookup) -> Hint:
    """The settings for a table whose first line is no line of names; nothing if it is one."""
    if headless_settings(path, read_options, images):
        return layout_hint(path, read_options, images)
    return header_row_hint(path, read_options, images)


def _column_hint(
    path: Path,
    read_options: ReadOptions,
    images: ImageLookup,
    columns: Sequence[str],
    rows: list[list[str]],
    needed: Chosen | None = None,
) -> Hint:
    """The settings for a table of which some columns name images: all of those, or the best of them."""
    naming = _file_columns(columns, rows, images_of(rows, path, images), read_options)
    ways = [naming, naming[:1]] if len(naming) > 1 else [naming]
    bases = [(needed or {}) | _base(columns, way, read_options) for way in ways]
    others = [k for k in range(len(columns)) if k not in naming]
    guesses = guess_settings([columns[k] for k in others], [[row[k] for k in others] for row in rows])
    found = _plausible(path, read_options, images, [base | guess for guess in guesses for base in bases])
    what, verb = ("Columns", "name") if len(naming) > 1 else ("Column", "names")
    text = f"{what} {quoted([columns[at] for at in naming])} {verb} images"
    return Hint(_sentence(text, bases[0], found), found)


def _file_columns(
    columns: Sequence[str], rows: list[list[str]], named: list[list[str]], read_options: ReadOptions
) -> list[int]:
    """The columns of names of images: the best, and others that name as many other ones; that of the settings alone."""
    images_of_column = [list(column) for column in zip(*named, strict=True)]
    known = [sum(map(bool, column)) for column in images_of_column]
    if read_options.file_column in columns and known[columns.index(read_options.file_column)]:
        return [columns.index(read_options.file_column)]
    whole = [sum(suffix_of(row[at]) in IMAGE_SUFFIXES for row in rows) for at in range(len(columns))]
    best = max(range(len(columns)), key=lambda at: (known[at] > 0.8 * max(known), whole[at] > 0, known[at]))
    more = []
    for at, files in enumerate(images_of_column):
        is_number = all(not re.search("[^0-9.]", row[at]) for row in rows)
        same = sum(a == b for a, b in zip(files, images_of_column[best], strict=True))
        if at != best and not is_number and known[at] > 0.8 * known[best] and same < known[best] / 2:
            more.append(at)
    return [best, *more]


def _base(columns: Sequence[str], naming: Sequence[int], read_options: ReadOptions) -> Chosen:
    """The setting of the columns of images, unless they are set already."""
    column = joined_columns([columns[at] for at in sorted(naming)])
    return {} if column == read_options.file_column else {"file_column": column}


def _sentence(what: str, base: Chosen, found: Sequence[Reading]) -> str:
    if not found:
        words = f": {set_options(base)}" if base else ""
        return (
            f" {what}{words}. Name the column of labels: --set data.labels_column=NAME; or the columns that are no"
            " labels: --set data.ignore_columns=NAME,NAME"
        )
    if len(found) > 1:
        shown = [text for text in map(str, found[:MAX_SHOWN]) if len(text) <= MAX_LENGTH // MAX_SHOWN]
        if len(shown) > 1:
            return f" {what}. It may be read as: {'; or as: '.join(shown)}"
    chosen = found[0].chosen
    if set(chosen) == {"labels_column"}:
        return f" If {quoted([chosen['labels_column']])} holds names of labels: {set_options(chosen)}"
    if set(chosen) == {"ignore_columns"}:
        return f" If they are no labels: {set_options(chosen)}"
    return f" {what}: {set_options(chosen)}"


def _plausible(
    path: Path, read_options: ReadOptions, images: ImageLookup, guesses: Sequence[Chosen]
) -> list[Reading]:
    """The guesses that read and give a plausible table; a guess that leaves a choice open becomes several."""
    found: list[Reading] = []
    trials = list(guesses)
    for number, chosen in enumerate(trials):
        if number >= MAX_TRIALS:
            break
        try:
            table = read_with_options(path, _with_settings(read_options, chosen), images)
        except UndecidedTable as undecided:
            trials += [_joined(chosen, more) for more in undecided.readings if not set(more) <= set(chosen)]
            continue
        except TaggerError:
            continue
        if _is_plausible(table, chosen) and not any(_same(table, other.table) for other in found):
            found.append(Reading(_spelled_out(chosen, table), table))
    return found


def _with_settings(read_options: ReadOptions, chosen: Mapping[str, str]) -> ReadOptions:
    """The options with settings as a person types them."""
    return type(read_options).model_validate(read_options.model_dump() | dict(chosen))


def _joined(chosen: Chosen, more: Mapping[str, str]) -> Chosen:
    """Both settings; columns to ignore are joined."""
    both = chosen | dict(more)
    if "ignore_columns" in chosen and "ignore_columns" in more:
        both["ignore_columns"] = f"{chosen['ignore_columns']},{more['ignore_columns']}"
    return both


def _is_plausible(table: LongTable, chosen: Chosen) -> bool:
    """False for labels that are yes and no words or numbers, one label for all, or another for every photo."""
    if not table.labels or not np.any(table.value_C == YES):
        return False
    if all(is_word(label) for label in table.labels) and len(table.labels) > 1 and "columns" not in chosen:
        return False
    if "labels_column" not in chosen or len(table.files) < 8:
        return True
    per_photo = np.sum(table.value_C == YES) / len(table.files)
    constant = len(table.labels) == 1 and per_photo == 1
    return not constant and len(table.labels) <= 0.8 * len(table.files) * max(1.0, per_photo)


def _same(one: LongTable, other: LongTable) -> bool:
    """True if two readings give the same table."""
    if set(one.labels) != set(other.labels) or one.files != other.files:
        return False
    labels = sorted(one.labels)
    return bool(np.array_equal(to_dense(one, labels), to_dense(other, labels)))


def _spelled_out(chosen: Chosen, table: LongTable) -> Chosen:
    """The settings with the separator that was found, so that they say all of what was read."""
    sign = table.separator
    if "label_separator" in chosen or sign in ("|", "none", "lists", ""):
        return chosen
    return chosen | {"label_separator": sign}


def table_options(
    path: Path, read_options: ReadOptions, images: ImageLookup, named: Path | None = None
) -> tuple[str, list[LongTable]]:
    """(the options that read a table beside the images: ``--labels train.csv --set ...``, the tables they give).

    If none do, the text says why. ``named`` is the path to type instead.
    """
    typed = f"--labels {shlex.quote(str(named or path))}"
    try:
        return typed, [read_with_options(path, read_options, images)]
    except TableLayoutError as error:
        hint = layout_hint(path, read_options, images)
        return f"{typed}. {error}{hint.text}", [reading.table for reading in hint.found]
    except UndecidedTable as error:
        found = _plausible(path, read_options, images, [dict(one) for one in error.readings])
        return f"{typed}. {error}", [reading.table for reading in found]
    except TaggerError as error:
        hint = rescue_hint(path, read_options, images)
        return f"{typed}. {error}{hint.text}", [reading.table for reading in hint.found]
