"""Tables whose first line is a row already: the setting that names their columns."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from tagger.data.folder_split import split_of_folder
from tagger.data.formats.cell_types import ListCell
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.readers.table_stream import open_table
from tagger.data.formats.word_readings import is_word
from tagger.data.images.image_files import IMAGE_SUFFIXES, suffix_of
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions

SAMPLE_ROWS = 200
SPLIT_WORDS = {"unassigned", "trainval", "all", ""}
MAX_NAMED = 30  # columns of labels that are named one by one


def headless_settings(path: Path, read_options: ReadOptions, images: ImageLookup) -> list[dict[str, str]]:
    """The settings that name the columns, likeliest first; none if the first line does."""
    rows = _raw_rows(path, read_options)
    if read_options.columns or not rows:
        return []
    named = [at for at, cell in enumerate(rows[0]) if cell and images.find(cell, beside=path.parent)[0]]
    if len(named) > 1:  # 0.jpg,0: the number is no name
        named = [at for at in named if suffix_of(rows[0][at]) in IMAGE_SUFFIXES]
    if len(named) != 1:
        return []
    return [{"columns": ",".join(names)} for names in _names(rows, named[0])]


def _raw_rows(path: Path, read_options: ReadOptions) -> list[list[str]]:
    """The first rows of a text with the line that should name the columns."""
    if path.suffix.lower() in (".parquet", ".jsonl", ".ndjson", ".manifest", ".json"):
        return []
    every_cell = read_options.model_copy(update={"columns": ("first", "others*"), "label_values": "none"})
    try:
        rows = [cells for _, cells in islice(open_table(path, every_cell).rows, SAMPLE_ROWS)]
    except TaggerError:
        return []
    if any(len(row) != 2 for row in rows):
        return []  # the first line names a column 'file'
    return [[first, *(others.parts if isinstance(others, ListCell) else ())] for first, others in rows]


def _names(rows: Sequence[Sequence[str]], file_at: int) -> list[list[str]]:
    """Names of the columns, for each way in which the rows may be meant."""
    widths = {len(row) for row in rows}
    before = ["split" if _is_split(rows, at) else f"other{at + 1}" for at in range(file_at)]
    behind = range(file_at + 1, max(widths))
    if not behind:
        return [["labels", "file"]] if file_at == 1 and len(widths) == 1 else []
    words = [at for at in behind if all(is_word(row[at]) for row in rows if at < len(row))]
    several = [*before, "file", "labels*"]
    if len(words) == len(behind) and len(widths) == 1:
        labels = [f"label{number}" for number in range(1, len(behind) + 1)]
        one = [[*before, "file", "labels"]] if len(behind) == 1 else []
        return [*one, [*before, "file", *labels]] if len(behind) <= MAX_NAMED else []
    if len(behind) == 2 and len(words) == 1 and len(widths) == 1:  # a column of verdicts
        names = ["labels", "labels"]
        names[words[0] - file_at - 1] = "value"
        return [[*before, "file", *names], several]
    if len(behind) == 1 and len(widths) == 1:
        return [[*before, "file", "labels"]]
    return [several]


def _is_split(rows: Sequence[Sequence[str]], at: int) -> bool:
    words = {row[at].strip().casefold() for row in rows}
    return all(split_of_folder(word) or word in SPLIT_WORDS for word in words)
