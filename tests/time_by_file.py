"""Time of the tests, file by file: ``python -m pytest --time-by-file 30`` (see docs/testing.md).

Processor time counts beside wall time, that of finished subprocesses too: it stays about the same on a busy
machine. Setup counts for the file whose test needed it first.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

KEY = "time by file"  # of a report's user properties, which pytest-xdist brings back from its workers


class Used(NamedTuple):
    """Seconds used: on the clock, by the processor in this process, and in the subprocesses that have ended."""

    wall: float
    own: float
    children: float

    @property
    def processor(self) -> float:
        """Processor time of both."""
        return self.own + self.children


def used() -> Used:
    """Seconds used by this process so far."""
    times = os.times()
    return Used(time.monotonic(), times.user + times.system, times.children_user + times.children_system)


def table_text(rows: list[tuple[str, Used]], longest: int) -> str:
    """The files that take the most processor time, and the sum over all; ``rows`` may name a file many times.

    >>> rows = [("a.py", Used(9, 2, 1)), ("b.py", Used(5, 4, 0)), ("a.py", Used(1, 1, 1))]
    >>> print(table_text(rows, longest=1))
       wall processor of which subprocesses
       10.0       5.0       2.0 a.py
       15.0       9.0       2.0 all 2 files
    """
    sums: dict[str, Used] = defaultdict(lambda: Used(0.0, 0.0, 0.0))
    for file, more in rows:
        sums[file] = Used(*map(sum, zip(sums[file], more, strict=True)))
    whole = (
        Used(*(sum(column) for column in zip(*sums.values(), strict=True))) if sums else Used(0.0, 0.0, 0.0)
    )
    shown = sorted(sums.items(), key=lambda item: -item[1].processor)[:longest]
    lines = [
        f"{one.wall:7.1f} {one.processor:9.1f} {one.children:9.1f} {name}"
        for name, one in [*shown, (f"all {len(sums)} files", whole)]
    ]
    return "\n".join(["   wall processor of which subprocesses", *lines])


class TimeByFile:
    """The plugin: each test's report carries the time from its setup to its teardown, and the end has the table."""

    def __init__(self, longest: int):
        self.longest = longest
        self.rows: list[tuple[str, Used]] = []
        self._began = used()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Note when the test begins."""
        self._began = used()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Hand the time to the report of the teardown, which is made next."""
        try:
            return (yield)
        finally:
            now = used()
            item.user_properties.append(
                (KEY, [end - begin for begin, end in zip(self._began, now, strict=True)])
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the times, from pytest-xdist's workers too."""
        if report.when == "teardown":
            seconds: Any = dict(report.user_properties).get(KEY)
            if seconds:
                self.rows.append((report.nodeid.split("::")[0], Used(*seconds)))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table above pytest's closing line."""
        terminalreporter.section("seconds by file")
        terminalreporter.write_line(table_text(self.rows, self.longest))
