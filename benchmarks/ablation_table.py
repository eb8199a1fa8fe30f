"""The tables of ``ablation.py``: each method against the baseline, paired by seed, with 95 % t intervals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats


def rows_of(folder: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """All finished runs of a study, by method and seed."""
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        row = json.loads(path.read_text("utf-8"))
        rows.setdefault(row["method"], {})[row["seed"]] = row
    return rows


def differences(rows: dict[str, dict[int, dict[str, Any]]], method: str, metric: str) -> list[float]:
    """A method's metric minus the baseline's, for each seed that has both."""
    base = rows["baseline"]
    return [row[metric] - base[seed][metric] for seed, row in sorted(rows[method].items()) if seed in base]


def interval(values: list[float]) -> str:
    """The mean and its 95 % t interval; one value alone has none."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:+.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"**{mean:+.3f}** ± {half:.3f}" if abs(mean) > half else f"{mean:+.3f} ± {half:.3f}"


def report(folder: Path, metrics: tuple[str, ...]) -> str:
    """The table of a study's folder as Markdown, best by the first of the metrics first."""
    rows, (first, *others) = rows_of(folder), metrics
    if "baseline" not in rows:
        return ""
    base = rows.pop("baseline")
    rows = {"baseline": base, **dict(sorted(rows.items(), key=lambda item: -np.mean(
        differences({"baseline": base, **rows}, item[0], first))))}  # fmt: skip
    lines = [
        f"| method | seeds | {first} | against the baseline | each seed | " + " | ".join(others)
        + " | validation loss | time |",
        "|---" * (7 + len(others)) + "|",
    ]  # fmt: skip
    for method, seeds in rows.items():
        own = np.mean([row[first] for row in seeds.values()])
        against = "" if method == "baseline" else interval(differences(rows, method, first))
        each = " ".join(f"{value:+.3f}" for value in differences(rows, method, first)) if against else ""
        more = [interval(differences(rows, method, name)).replace("**", "") if against else
                f"{np.mean([row[name] for row in seeds.values()]):.3f}" for name in others]  # fmt: skip
        loss = np.mean([row["val_loss"] for row in seeds.values()])
        time_ratio = np.mean([row["cpu_seconds"] / base[seed]["cpu_seconds"] for seed, row in seeds.items()])
        cells = [method, str(len(seeds)), f"{own:.3f}", against, each, *more, f"{loss:.3f}"]
        lines.append("| " + " | ".join([*cells, f"{time_ratio:.2f}"]) + " |")
    return "\n".join(lines)
