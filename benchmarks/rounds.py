"""Which is faster, and by how much, on a machine that is never quiet? Rounds in which every case has its turn.

A round runs each case once, in random order, so that what slows the machine for a while slows all of them.
Ratios are taken within a round, then their median and a 95 % bootstrap interval over rounds. A first round
is not counted.
"""

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Ratio(NamedTuple):
    """A median of paired ratios with the bounds of its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def alternate(
    cases: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1
) -> dict[str, list[float]]:
    """What each case gave (a rate or seconds; a case measures itself) in each of ``rounds`` rounds.

    ``warm_up`` rounds go before and do not count.

    >>> alternate({"a": lambda: 1.0, "b": lambda: 2.0}, 2)
    {'a': [1.0, 1.0], 'b': [2.0, 2.0]}
    """
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(-warm_up, rounds):
        for name in rng.permutation(list(cases)):
            value = cases[name]()
            if number >= 0:
                found[name].append(value)
    return found


def ratio_interval(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """The median of ``a / b`` over the rounds, and its 95 % bootstrap interval.

    >>> str(ratio_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]))
    '2.00 (2.00-2.00)'
    """
    ratio_R = np.asarray(a, dtype=float) / np.asarray(b, dtype=float)
    drawn_SR = np.random.default_rng(0).choice(ratio_R, (2000, len(ratio_R)))
    low, high = np.quantile(np.median(drawn_SR, axis=1), [0.025, 0.975])
    return Ratio(float(np.median(ratio_R)), float(low), float(high))


def spread(values: Sequence[float], unit: str = "") -> str:
    """The median of the rounds and their range.

    >>> spread([90, 100, 130], "/s")
    '100/s (90-130)'
    """
    middle, low, high = np.median(values), min(values), max(values)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    return f"{middle:,.{digits}f}{unit} ({low:,.{digits}f}-{high:,.{digits}f})"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, its columns as wide as their widest cell.

    >>> print(table(["what", "ratio"], [["ours", 2]]))
    | what | ratio |
    | ---- | ----- |
    | ours | 2     |
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in [list(columns), *cells]) for place in range(len(columns))]
    rule = ["-" * width for width in widths]
    padded = [
        [c.ljust(width) for c, width in zip(row, widths, strict=True)] for row in [columns, rule, *cells]
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in padded)


def write_json(path: Path, found: Mapping[str, Any]) -> None:
    """``found`` and what it was measured on, as JSON; a folder that is not there is made."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = {
        "cores": cores,
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
    }
    machine |= {"python": platform.python_version(), "threads": torch.get_num_threads()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, **found}, indent=1, default=str), "utf-8")
