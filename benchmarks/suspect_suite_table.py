"""The table of the bench of suspects, as Markdown: a line a row, means over seeds, ratios with bootstrap intervals."""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np


def print_suite(lines: list[dict]) -> None:
    """Average precision, what each signal is worth, calibration and what reviewing finds."""
    rows = list(dict.fromkeys(line["row"] for line in lines))
    by_row = {row: [line for line in lines if line["row"] == row] for row in rows}
    _print_precision(by_row)
    _print_found(by_row)
    _print_signals(by_row)
    _print_summary(lines)


def ratio(line: dict, side: str = "both", name: str = "ours", of: str = "cleanlab") -> float | None:
    """Average precision of an order over that of another one."""
    above, below = line["ap"][name][side], line["ap"][of][side]
    return None if above is None or not below else above / below


def bounds(lines: list[dict], side: str) -> str:
    """Mean ratio to self-confidence over seeds, and its 95 % bootstrap interval (mean of the seeds' bounds)."""
    some = [line for line in lines if line["interval"][side]]
    if not some:
        return ""
    low, high = np.mean([line["interval"][side] for line in some], axis=0)
    return f"{np.mean([ratio(line, side) for line in some]):.2f} ({low:.2f}-{high:.2f})"


def _table(header: str, rows: Iterable[list[str]]) -> None:
    print(f"\n| {header} |\n|{'---|' * (header.count('|') + 1)}")
    for cells in rows:
        print(f"| {' | '.join(cells)} |")


def _mean(lines: list[dict], of: Callable[[dict], float | None], form: str = "{:.2f}") -> str:
    some = [value for value in map(of, lines) if value is not None]
    return form.format(float(np.mean(some))) if some else ""


def _print_precision(by_row: dict[str, list[dict]]) -> None:
    header = "row | seeds | errors | self-confidence | ours, ratio | missing | spurious | mean over labels"
    header += " | confident learning | limit | images | calibration error, missing / spurious | sum of doubts"
    _table(header, ([row, *_precision_cells(lines)] for row, lines in by_row.items()))


def _precision_cells(lines: list[dict]) -> list[str]:
    def per_label(line: dict) -> float | None:
        ours, theirs = line["per_label"]["ours"], line["per_label"]["cleanlab"]
        return ours / theirs if theirs else None

    def images(line: dict) -> float | None:
        return line["images"]["ours"] / line["images"]["cleanlab"] if line["images"] else None

    def calibrated(name: str, side: str) -> Callable[[dict], float | None]:
        return lambda line: line["calibration"][side].get(name) if line["calibration"][side] else None

    total = _mean(lines, lambda line: line["errors"]["both"], "{:,.0f}")
    doubts = _mean(lines, calibrated("sum", "both"), "{:,.0f}")
    return [
        str(len(lines)),
        total,
        _mean(lines, lambda line: line["ap"]["cleanlab"]["both"], "{:.3f}"),
        *(bounds(lines, side) for side in ("both", "missing", "spurious")),
        _mean(lines, per_label),
        _mean(lines, lambda line: ratio(line, name="confident learning")),
        _mean(lines, lambda line: ratio(line, name="limit")),
        _mean(lines, images),
        f"{_mean(lines, calibrated('ece', 'missing'))} / {_mean(lines, calibrated('ece', 'spurious'))}",
        f"{doubts} of {total}",
    ]


def _print_found(by_row: dict[str, list[dict]]) -> None:
    """Errors found after 100, 300, 500 and T reviews: self-confidence, our fixed order, learning, as in the app."""
    ways = ("cleanlab", "ours", "learn", "app")

    def cells(lines: list[dict], mark: str) -> str:
        at = [line["found"] for line in lines]
        marks = [found["cleanlab"] for found in at]
        last = [max(found, key=int) for found in marks]
        keys = last if mark == "T" else [mark if mark in found else None for found in marks]
        counts = [
            np.mean([f[way][key] for f, key in zip(at, keys, strict=True) if key is not None])
            if any(keys)
            else 0
            for way in ways
        ]
        return " / ".join(f"{count:,.0f}" for count in counts)

    header = "found: self-confidence / ours / learning / as in the app, after | 100 | 300 | 500 | T (1,500 at most)"
    _table(
        header,
        ([row, *(cells(lines, m) for m in ("100", "300", "500", "T"))] for row, lines in by_row.items()),
    )


def _print_signals(by_row: dict[str, list[dict]]) -> None:
    """Average precision without each signal over that with all of them: all cells / missing / spurious."""
    first = next(iter(by_row.values()))[0]
    names = [name for name in first["ap"] if name.startswith("without ")]
    sides = ("both", "missing", "spurious")

    def cell(lines: list[dict], name: str) -> str:
        of_sides = (partial(ratio, side=side, name=name, of="ours") for side in sides)
        return " / ".join(_mean(lines, of_side) or "–" for of_side in of_sides)

    _table(
        " | ".join(["row", *names]),
        ([row, *(cell(lines, n) for n in names)] for row, lines in by_row.items()),
    )


def _print_summary(lines: list[dict]) -> None:
    for name, chosen in (("people's own mistakes", True), ("planted", False)):
        some = [value for line in lines if line["real"] == chosen and (value := ratio(line)) is not None]
        if some:
            mean = float(np.exp(np.mean(np.log(some))))
            print(
                f"\n{name}: {mean:.2f} times self-confidence (geometric mean of {len(some)}), least {min(some):.2f}"
            )
