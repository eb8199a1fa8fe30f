"""Removal of a run: which of its files are tagger's own, and their deletion, which can be ended after a kill.

The decisions of people are not among them: they are in the data folder, or wherever ``--store`` keeps them.
"""

import re
from contextlib import suppress
from pathlib import Path

from tagger.runs.checkpoint import FILES as CHECKPOINT_FILES
from tagger.runs.folder import RUN_FILES
from tagger.runs.ownership import MARK, is_ours, mark, marked, names_in, remove_empty

DELETION_NOTE = "This run is being deleted.\n"
NAMES = re.compile(
    rf"{RUN_FILES.pattern}|run\.json|thresholds/\w[\w .-]*\.json"
    rf"|checkpoint/(lock|{CHECKPOINT_FILES.pattern}|{re.escape(MARK)})"
)
FIRST = ("metrics.json", "config.toml")  # without them it is no run
CARD = re.compile(r"# .+ tagging [\d,]+ labels?\n")
LOG = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


def own_files(folder: Path) -> tuple[list[str], list[str]]:
    """(the files of a run folder that tagger wrote, those that stay), relative and sorted.

    A model card that a person wrote anew, and a log of something else, stay.
    """
    found = sorted(names_in(folder))
    ours = [name for name in found if is_ours(name, NAMES) and not _rewritten(folder, name)]
    return ours, sorted(set(found) - set(ours))


def delete_files(folder: Path) -> list[str]:
    """Delete tagger's own files of a run, and the folder if nothing else is in it; what stays.

    The mark comes first: a deletion that is killed is known as one, and what is left of it is no run.
    """
    ours, _ = own_files(folder)
    mark(folder, DELETION_NOTE)
    for name in sorted(ours, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        (folder / name).unlink(missing_ok=True)
    for inner in ("checkpoint", "members", "plots", "thresholds"):
        remove_empty(folder, Path(inner))
    stays = sorted(names_in(folder))
    (folder / MARK).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
    return stays


def is_being_deleted(folder: Path) -> bool:
    """Whether a deletion of this run has begun and not ended."""
    return marked(folder) == DELETION_NOTE


def holds_run_files(folder: Path) -> bool:
    """Whether the folder has files that only a run has, whatever else it lacks."""
    signs = ("metrics.json", "thresholds.json", "oof.npz", "model.safetensors", "labels.parquet")
    return sum((folder / name).is_file() for name in signs) >= 3 or (
        marked(folder / "checkpoint") is not None
    )


def _rewritten(folder: Path, name: str) -> bool:
    """Whether a file with a name that people use, too, does not begin as ours does."""
    begin = {"README.md": CARD, "log.txt": LOG}.get(name)
    if begin is None:
        return False
    try:
        with (folder / name).open(encoding="utf-8", errors="replace") as file:
            return not begin.match(file.readline())
    except OSError:
        return True
