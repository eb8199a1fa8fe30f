"""Settings that read a table with unusual columns or cells, for the error message. Each was tried on the table."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, to_dense
from tagger.data.formats.readers.column_guesses import Chosen, guess_settings
from tagger.data.formats.readers.table_reading import images_named, open_table, read_with_options, sample_rows
from tagger.data.formats.readers.table_rows import TableLayoutError, UndecidedTable
from tagger.data.formats.word_readings import is_word
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted, quoted, set_options

MAX_TRIALS = 16
MAX_SHOWN = 3
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


def layout_hint(path: Path, read_options: ReadOptions, images: ImageLookup) -> str:
    """`` Column 'id' names images: --set data.file_column=id ...``, or what a table must have.

    Several readings are all named, with what each gives.
    """
    rows = sample_rows(path, read_options)
    try:
        columns = open_table(path, read_options).columns
    except TaggerError:
        return ""
    headless = _headless(path, columns, rows, images)
    known = [1] if headless else images_named(rows, path, images)
    if not known or not max(known):
        return " The first line must name a column 'file', and 'labels' or one column per label"
    at = known.index(max(known))
    if not headless and read_options.file_column in columns:
        given = columns.index(read_options.file_column)
        at = given if known[given] else at
    base: Chosen = headless or (
        {} if columns[at] == read_options.file_column else {"file_column": columns[at]}
    )
    others = [k for k in range(len(columns)) if k != at]
    guesses = (
        [{}]
        if headless
        else guess_settings([columns[k] for k in others], [[row[k] for k in others] for row in rows])
    )
    found = _plausible(path, read_options, images, [base | guess for guess in guesses])
    return _sentence(columns[at], base, found, bool(headless))


def _sentence(column: str, base: Chosen, found: Sequence[Reading], headless: bool) -> str:
    what = "The first line names no columns" if headless else f"Column {quoted([column])} names images"
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
    if all(is_word(label) for label in table.labels) and len(table.labels) > 1:
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


def _headless(
    path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]], images: ImageLookup
) -> Chosen:
    """The setting that names the columns of a table whose first line is a row already, or nothing."""
    named = [at for at, name in enumerate(columns) if name and images.find(name, beside=path.parent)[0]]
    if len(named) != 1 or not 2 <= len(columns) <= 3 or path.suffix.lower() == ".parquet":
        return {}
    names = ["labels"] * len(columns)
    names[named[0]] = "file"
    if len(columns) == 3:  # a column of verdicts, if there is one
        verdicts = [at for at in range(3) if at != named[0] and all(is_word(row[at]) for row in rows)]
        if len(verdicts) != 1:
            return {}
        names[verdicts[0]] = "value"
    return {"columns": ",".join(names)}


def table_options(path: Path, read_options: ReadOptions, images: ImageLookup) -> str:
    """The options that read a table beside the images: ``--labels train.csv --set ...``, or why it is not read."""
    named = f"--labels {shlex.quote(str(path))}"
    try:
        read_with_options(path, read_options, images)
    except TableLayoutError as error:
        return f"{named}. {error}{layout_hint(path, read_options, images)}"
    except TaggerError as error:
        return f"{named}. {error}"
    return named
