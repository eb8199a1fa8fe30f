"""Reader of one label table: a column of label names (long), or one 0/1/empty column per label (wide).

CSV, TSV, Parquet or JSON lines. The default columns are ``file`` and ``labels``; ``ReadOptions`` names others. A
table that has the default columns instead of those named is read with the default options: tagger wrote it, from
labels that were read with options. Settings that an error proposes have been tried.
"""

from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable
from tagger.data.formats.readers.split_tables import join_tables, split_tables
from tagger.data.formats.readers.table_hints import layout_hint, rescue_hint
from tagger.data.formats.readers.table_reading import DEFAULT_OPTIONS, read_with_options
from tagger.data.formats.readers.table_rows import TableLayoutError, UndecidedTable
from tagger.data.formats.tabular import NAMED_SUFFIXES, READABLE_SUFFIXES
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions


class TableReader:
    """``labels.csv``, ``labels.tsv``, ``labels.parquet`` or ``labels.jsonl``."""

    def __init__(self, *, read_options: ReadOptions = DEFAULT_OPTIONS):
        self.read_options = read_options

    def detect(self, images: ImageLookup) -> Path | None:
        """The first of the four that exists in the data folder itself."""
        return next(
            (p for suffix in READABLE_SUFFIXES if (p := images.root / f"labels{suffix}").is_file()), None
        )

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a file with the suffix of a table, also ``.txt``, and a folder whose splits have a table each."""
        if path.is_dir():
            return bool(split_tables(path))
        return path.suffix.lower() in NAMED_SUFFIXES

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Labels of a long table if it has the column of labels, else of a wide one; of all splits' tables."""
        if path.is_dir():
            tables = split_tables(path)
            names = [table.relative_to(path).as_posix() for table in tables]
            return join_tables([self._read_file(table, images) for table in tables], names)
        return self._read_file(path, images)

    def _read_file(self, path: Path, images: ImageLookup) -> LongTable:
        try:
            return read_with_options(path, self.read_options, images)
        except TableLayoutError as error:
            raise TaggerError(f"{error}{layout_hint(path, self.read_options, images).text}") from None
        except UndecidedTable:
            raise
        except TaggerError as error:
            raise TaggerError(f"{error}{rescue_hint(path, self.read_options, images).text}") from None
