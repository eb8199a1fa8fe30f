"""Sentences on the run in use: which one, why, and whether a newer or better one is there."""

from pathlib import Path
from typing import Any

from tagger.errors import TaggerError
from tagger.runs.folder import RunFolder
from tagger.runs.lineage import parent_of, same_place
from tagger.text import counted


def chosen_sentence(run: RunFolder, newer: list[RunFolder]) -> str:
    """The sentence on a chosen run; ``newer`` are the runs that were finished later, oldest first."""
    better = [other for other in newer if is_better_than(other, run)]
    if better:
        last = better[-1].path
        return (
            f"Run: {run.path} (chosen). {last}, retrained from it, measured better: tagger runs choose {last}"
        )
    more = f"; {counted(len(newer), 'newer run')}: tagger runs" if newer else ""
    return f"Run: {run.path} (chosen{more})."


def newest_sentence(run: RunFolder, *, alone: bool) -> str:
    """The sentence on the newest run, where none is chosen."""
    if alone:
        return f"Run: {run.path} (the only one)."
    end = "none is chosen: tagger runs choose RUN"
    try:
        row = map_difference(run)
        parent = parent_of(run)
    except TaggerError:
        row, parent = None, None
    if row is not None and parent is not None and row["high"] is not None and row["high"] < 0:
        end = f"it measured worse than {short_path(parent.path)}; {end}"
    return f"Run: {run.path} (the newest; {end})."


def is_better_than(run: RunFolder, parent: RunFolder) -> bool:
    """Whether the run was retrained from ``parent`` and measured better: its whole interval is above 0."""
    try:
        found = parent_of(run)
        row = map_difference(run)
    except TaggerError:
        return False
    if found is None or row is None or row["low"] is None:
        return False
    return bool(row["low"] > 0) and same_place(found.path, parent.path)


def map_difference(run: RunFolder) -> dict[str, Any] | None:
    """The row on mAP of the comparison that a retraining ended with, this run minus its parent; None without one."""
    row: Any = run.load_metrics()
    for key in ("comparison", "overall", "map"):
        row = row.get(key) if isinstance(row, dict) else None
    if not isinstance(row, dict) or row.get("difference") is None:
        return None
    return {key: row.get(key) for key in ("a", "b", "difference", "low", "high")}


def short_path(path: Path) -> Path:
    """The path from here, where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
