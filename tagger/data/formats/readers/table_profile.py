"""Profile of a long table from a first pass: the cells of its labels, and the words of the other columns."""

from collections import Counter
from dataclasses import dataclass, field

from tagger.data.formats.cell_types import NonTextCell
from tagger.data.formats.tabular import TableStream
from tagger.data.formats.word_readings import word_readings
from tagger.read_options import ReadOptions

MAX_WORDS = 1000  # distinct cells of a column that are kept


@dataclass
class LongProfile:
    """The cells of the labels' column with their number, and words of the other columns.

    ``varied`` are columns with yes and no words; ``varying`` those of them that differ between rows of one photo:
    what they say is not about the photo.
    """

    columns: tuple[str, ...]
    others: tuple[str, ...]
    cells: Counter[str] = field(default_factory=Counter)
    words: dict[str, dict[str, None]] = field(default_factory=dict)
    varied: set[str] = field(default_factory=set)
    varying: set[str] = field(default_factory=set)

    def words_of(self, name: str) -> list[str]:
        """The distinct cells of a column, the first thousand."""
        return list(self.words.get(name, ()))


def profile_long(stream: TableStream, read_options: ReadOptions) -> LongProfile:
    """The profile of all rows of a table with a column of labels."""
    file_at = stream.columns.index(read_options.file_column)
    labels_at = stream.columns.index(read_options.labels_column)
    others = {at: name for at, name in enumerate(stream.columns) if at not in (file_at, labels_at)}
    found = LongProfile(stream.columns, tuple(others.values()), words={name: {} for name in others.values()})
    open_columns = dict(others)  # those that may still hold yes and no only
    first: dict[str, list[str]] = {}
    for _, cells in stream.rows:
        if not (
            cells[labels_at] and isinstance(cells[labels_at], NonTextCell)
        ):  # those are left out, and listed
            found.cells[cells[labels_at]] += 1
        for at, name in others.items():
            words = found.words[name]
            if cells[at] not in words and len(words) < MAX_WORDS:
                words[cells[at]] = None
                if len(words) > 8:
                    open_columns.pop(at, None)
        earlier = first.setdefault(cells[file_at], cells)
        if earlier is not cells:
            found.varying |= {name for at, name in open_columns.items() if cells[at] != earlier[at]}
    binary = {name for name in open_columns.values() if _judges(found.words_of(name))}
    found.varied = binary
    found.varying &= binary
    return found


def _judges(words: list[str]) -> bool:
    """True if the words are yes and no words, two different ones at least."""
    return len({word.strip().lower() for word in words} - {""}) > 1 and bool(word_readings(words))
