"""Lineage of runs: parent and children of a run, found through links, and after the runs folder was moved."""

from pathlib import Path

from tagger.errors import TaggerError
from tagger.runs.folder import RunFolder


def parent_of(run: RunFolder) -> RunFolder | None:
    """The run that this one was retrained from; None if it was not, or if that run is not there any more.

    It is where it was, or beside this run under its former name. The one beside comes first if it is the same
    folder, or a copy of the run: the whole runs folder was copied.
    """
    origin = origin_of(run)
    if origin is None:
        return None
    if (noted := run.load_notes().parent) and RunFolder(noted).exists:  # it was moved
        origin = Path(noted)
    beside = RunFolder(run.path.absolute().parent / origin.name)
    stored = RunFolder(origin)
    there = beside.exists and not same_place(beside.path, run.path)
    if stored.exists and not (there and _is_copy(beside, stored)):
        return stored
    return beside if there else None


def _is_copy(run: RunFolder, other: RunFolder) -> bool:
    """Whether both are one folder, or have the same metrics, which no two trainings have."""
    if same_place(run.path, other.path):
        return True
    try:
        return (run.path / "metrics.json").read_bytes() == (other.path / "metrics.json").read_bytes()
    except OSError:
        return False


def origin_of(run: RunFolder) -> Path | None:
    """The path that a run, finished or not, was retrained from as it was written down; None if it was not retrained.

    TaggerError if the file that says it cannot be read.
    """
    if run.finished:
        origin = run.load_metrics().get("retrained_from")
    else:
        origin = (run.checkpoint.load_origin() or {}).get("from")
    return Path(origin) if isinstance(origin, str) else None


def children_of(run: RunFolder, others: list[RunFolder]) -> list[RunFolder]:
    """Those of the other runs, finished or not, that were retrained from this one. Unreadable ones are none."""
    found = []
    for other in others:
        try:
            parent = parent_of(other)
        except TaggerError:
            continue
        if parent is not None and same_place(parent.path, run.path):
            found.append(other)
    return found


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same folder, through links or not."""
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()
