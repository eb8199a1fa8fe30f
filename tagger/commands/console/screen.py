"""The screen of a command: lines, tables and progress bars on the terminal, and the run's log."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tagger.commands.console.progress_file import ProgressFile
from tagger.data.io_watchdog import report_stalled_reads
from tagger.errors import printable
from tagger.runs import disk_error
from tagger.text import counted

MAX_LINES = 8  # lines of a long list on screen
MAX_LABEL_ROWS = 60  # of a table with a row a label


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Any) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")


class Screen:
    """Lines to the terminal and to a log, progress to the terminal only. ``quiet`` shows nothing (the Python API)."""

    def __init__(self, *, quiet: bool = False):
        self.console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        self.errors = Console(stderr=True, quiet=quiet, highlight=False)
        self.log_path: Path | None = None
        self.progress = ProgressFile.from_environment({} if quiet else os.environ)

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """One line, as it is: no markup is read in it."""
        self.console.print(Text(printable(text), style=style or ""))
        self.log(text)
        self.progress.message(text)

    def say_list(self, lines: Sequence[object], *, indent: str = "  ") -> None:
        """The first lines, indented, and how many more there are; all of them in the log."""
        for line in lines[:MAX_LINES]:
            self.say(f"{indent}{printable(str(line), lines=False)}")
        for line in lines[MAX_LINES:]:
            self.log(f"{indent}{printable(str(line), lines=False)}")
        if len(lines) > MAX_LINES:
            where = f", all of them in {self.log_path}" if self.log_path else ""
            self.say(f"{indent}... and {len(lines) - MAX_LINES:,} more{where}")

    def log(self, text: str) -> None:
        """One line for the log only."""
        if self.log_path is not None and text:
            try:
                with self.log_path.open("a", encoding="utf-8") as file:
                    file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {printable(text)}\n")
            except OSError as error:
                raise disk_error(error, self.log_path) from None

    def label_table(
        self, title: str, columns: list[str], rows: Sequence[Iterable[object]], *, rest: str
    ) -> None:
        """A table with a row a label: the first ``MAX_LABEL_ROWS``, and where the ``rest`` is."""
        self.table(title, columns, rows[:MAX_LABEL_ROWS])
        if len(rows) > MAX_LABEL_ROWS:
            self.say(f"... and {counted(len(rows) - MAX_LABEL_ROWS, 'label')} more: {rest}")

    def table(self, title: str, columns: list[str], rows: Iterable[Iterable[object]]) -> None:
        """A table; the first column is text, the others are numbers."""
        table = Table(
            title=Text(printable(title, lines=False)),
            title_justify="left",
            box=None,
            pad_edge=False,
            header_style="bold",
        )
        for index, name in enumerate(columns):
            table.add_column(
                Text(printable(name, lines=False)),
                justify="right" if index else "left",
                no_wrap=index > 0,
                overflow="ellipsis",
            )
        for row in rows:
            table.add_row(*(Text(printable(_format_value(value), lines=False)) for value in row))
        self.console.print(table)

    def track(self, items: Iterable[Any], description: str) -> Iterator[Any]:
        """The items, with progress; batches count as their images. A file that is waited for is named."""
        if self.errors.quiet:
            yield from items
            return
        with report_stalled_reads(self._say_waiting):
            yield from self._tracked(items, description)

    def _say_waiting(self, line: str) -> None:
        """Say what is waited for, above the progress bar."""
        self.errors.print(Text(line), soft_wrap=True)
        self.progress.message(line)
        with suppress(OSError):  # a full disk is told by who writes what matters
            self.log(line)

    def _tracked(self, items: Iterable[Any], description: str) -> Iterator[Any]:
        drawn = self.errors.is_terminal
        if not drawn and self.progress.path is None:
            yield from items
            return
        sampler = getattr(items, "batch_sampler", None)
        total = len(sampler.sampler) if sampler is not None else len(items)  # type: ignore[arg-type]
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            _Rate(),
            TimeRemainingColumn(compact=True),
        )
        self.progress.step(description, 0, total)
        with Progress(*columns, console=self.errors, transient=True, disable=not drawn) as progress:
            task = progress.add_task(description, total=total)
            done = 0
            for item in items:
                yield item
                done += len(item.indices_B) if hasattr(item, "indices_B") else 1
                progress.update(task, completed=done)
                self.progress.step(description, done, total)


def _format_value(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
