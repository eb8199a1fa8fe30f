"""Reading of a long table with verdicts: each row says whether its label applies to its image.

What no row says is unknown. Where rows disagree, the cell is unknown, and a problem.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tagger.arrays import NO, UNKNOWN, YES
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.table_rows import ignored_columns_text, matched_rows
from tagger.data.formats.readers.table_stream import judged_by
from tagger.data.formats.readers.table_verdicts import VerdictColumn
from tagger.data.formats.tabular import TableStream
from tagger.errors import Problem, TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted, set_options


@dataclass
class VerdictCells:
    """The verdicts of a table, cell by cell."""

    path: Path
    column: VerdictColumn
    labels_of: Callable[[str], list[str]]
    verdicts: dict[str, dict[str, int]] = field(default_factory=dict)  # file -> label -> YES, NO or UNKNOWN
    clashes: set[tuple[str, str]] = field(default_factory=set)
    num_open: int = 0

    def read(self, stream: TableStream, read_options: ReadOptions, images: ImageLookup) -> LongTable:
        """The table; TaggerError for a *no* to several labels at once."""
        builder = LongTableBuilder()
        labels_at = stream.columns.index(read_options.labels_column)
        num_rows = 0
        for row, file, cells in matched_rows(self.path, stream, read_options, images, builder):
            num_rows += 1
            verdict = self.column.of(cells[self.column.at])
            self._add(
                row, file, self.labels_of(cells[labels_at]), UNKNOWN if verdict is None else verdict, builder
            )
        self._add_images(builder)
        builder.problems += self._open_problem()
        read = (read_options.file_column, read_options.labels_column, self.column.name)
        others = ignored_columns_text([column for column in stream.columns if column not in read])
        what = f"{counted(num_rows, 'row')}{self.column.sentence() if self._has_no else ''}{others}"
        default = UNKNOWN if self._has_no else NO
        return builder.build(
            self.path.name, f"{self.path.name} (labels one a row, {what})", default_value=default
        )

    @property
    def _has_no(self) -> bool:
        """True if a row says no: then what no row says is unknown, else it is no, as in any list of labels."""
        return any(verdict != YES for verdicts in self.verdicts.values() for verdict in verdicts.values())

    def _add(self, row: int, file: str, labels: list[str], verdict: int, builder: LongTableBuilder) -> None:
        if len(labels) > 1 and verdict != YES:
            name = self.column.name
            raise TaggerError(
                f"{self.path.name}, row {row}: {name!r} does not say which of {len(labels)} labels it means. If it says"
                f" something else: {set_options({'ignore_columns': name})} or, if the cell is one label:"
                f" {set_options({'label_separator': 'none'})}"
            )
        mine = self.verdicts.setdefault(file, {})
        self.num_open += verdict == UNKNOWN
        for label in labels:
            builder.add_label(label, f"row {row}")
            old = mine.setdefault(label, verdict)
            if UNKNOWN in (old, verdict):
                mine[label] = max(old, verdict)
            elif old != verdict:
                self.clashes.add((file, label))
                builder.problems.append(
                    Problem(
                        self.path.name, row, f"{file!r}: another row says otherwise of {label!r}: unknown"
                    )
                )

    def _add_images(self, builder: LongTableBuilder) -> None:
        for file, verdicts in self.verdicts.items():
            said = {label: UNKNOWN if (file, label) in self.clashes else v for label, v in verdicts.items()}
            builder.add_image(
                file,
                yes=[label for label, verdict in said.items() if verdict == YES],
                no=[label for label, verdict in said.items() if verdict == NO],
                unknown=[label for label, verdict in said.items() if verdict == UNKNOWN],
            )

    def _open_problem(self) -> list[Problem]:
        """What is said where verdicts are neither yes nor no, with the setting that decides them."""
        if not self.num_open:
            return []
        count = counted(self.num_open, "row")
        decided = set_options(judged_by(self.column.name) | {"cutoff": "0.5"})
        reason = f"{count} with {self.column.name!r} between no and yes, or empty: unknown. To decide them: {decided}"
        return [Problem(self.path.name, None, reason)]
