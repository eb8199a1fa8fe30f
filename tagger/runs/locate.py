"""Locating runs: by path or name, the run in use or an unfinished one in ``./runs``, or a new name.

The run in use is the chosen one (``choice.py``), or the newest finished one where none is chosen. Whoever asks is
told which one it is, and why.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tagger.errors import TaggerError, did_you_mean
from tagger.runs.choice import RUNS_FOLDER, load_choice
from tagger.runs.folder import RunFolder
from tagger.runs.removal import is_being_deleted
from tagger.runs.run_advice import chosen_sentence, newest_sentence


@dataclass(frozen=True)
class RunInUse:
    """The finished run that commands use without ``--run``, and whether a person or a training chose it."""

    run: RunFolder
    chosen: bool


def find_run(path: str | Path | None = None, say: Callable[[str], None] | None = None) -> RunFolder:
    """The finished run at ``path``, or the one in use in ``./runs``; TaggerError says what is missing.

    ``path`` may also be the name of a run in ``./runs``. ``say`` is told which run is in use and why, if no
    ``path`` is given.
    """
    if path is None:
        found = run_in_use(RUNS_FOLDER)
        if found is None:
            raise TaggerError(
                "There is no finished run in ./runs. Train one (tagger train --data DIR) or give --run RUN."
            )
        if say is not None:
            say(use_sentence(found))
        return _check_finished(found.run)
    return _check_finished(find_any_run(path))


def find_any_run(path: str | Path) -> RunFolder:
    """The run at ``path``, or of this name in ``./runs``, in whatever state. TaggerError if there is no such folder."""
    run = RunFolder(path)
    if not os.path.isdir(run.path):  # also False for a name that is too long for the disk
        run = _by_name(str(path)) or run
    if not os.path.isdir(run.path):
        others = [str(other.path) for other in all_runs(run.path.parent)]
        there = f" There {'are' if others[1:] else 'is'} {', '.join(others[-5:])}." if others else ""
        raise TaggerError(f"{path}: no such run.{did_you_mean(str(path), others) or there}")
    return run


def run_in_use(folder: Path, *, without: Path | None = None) -> RunInUse | None:
    """The chosen run of a runs folder, or the newest finished one where none is chosen; None if there is none.

    ``without``: as if that run were not there. TaggerError if the chosen one is not there.
    """
    choice = load_choice(folder)
    finished = [run for run in finished_runs(folder) if run.path != without]
    if choice is not None:
        chosen = RunFolder(folder / choice.chosen_run)
        if chosen.exists and chosen.path != without:
            return RunInUse(chosen, chosen=True)
        if finished and chosen.path != without:
            raise TaggerError(
                f"{chosen.path}: the chosen run is not there. Choose another: tagger runs choose RUN;"
                " tagger runs lists them."
            )
    return RunInUse(finished[-1], chosen=False) if finished else None


def use_sentence(found: RunInUse) -> str:
    """One sentence on which run is in use and why, and on what is newer or measured better."""
    runs = finished_runs(found.run.path.parent)
    names = [run.path for run in runs]
    if not found.chosen:
        return newest_sentence(found.run, alone=len(runs) < 2)
    newer = runs[names.index(found.run.path) + 1 :] if found.run.path in names else []
    return chosen_sentence(found.run, newer)


def newest_unfinished() -> RunFolder:
    """The unfinished run in ``./runs`` that was started last; TaggerError if there is none."""
    found = [run for run in all_runs(RUNS_FOLDER) if not run.finished]
    if not found:
        raise TaggerError(
            "There is no unfinished run in ./runs to resume. Give --run RUN, or train without --resume."
        )
    return max(found, key=lambda run: (run.path / "config.toml").stat().st_mtime)


def new_run_path(backbone: str) -> Path:
    """A free folder name in ``./runs``: date, time and backbone."""
    short = re.sub(r"[^A-Za-z0-9]+", "-", backbone.split(".")[0].split("_")[0]).strip("-") or "run"
    stem = f"{datetime.now():%Y-%m-%d-%H%M}-{short}"
    path = RUNS_FOLDER / stem
    count = 1
    while path.exists():
        count += 1
        path = RUNS_FOLDER / f"{stem}-{count}"
    return path


def finished_runs(folder: Path) -> list[RunFolder]:
    """The finished runs of a folder, oldest first."""
    return sorted((run for run in all_runs(folder) if run.finished), key=_finish_time)


def all_runs(folder: Path) -> list[RunFolder]:
    """The runs of a folder, finished or not, by name; not those that are being deleted."""
    if not os.path.isdir(folder):
        return []
    entries = [folder / name for name in sorted(os.listdir(folder))]
    return [run for entry in entries if (run := RunFolder(entry)).exists and not is_being_deleted(entry)]


def _finish_time(run: RunFolder) -> int:
    try:
        return (run.path / "metrics.json").stat().st_mtime_ns
    except OSError:  # deleted meanwhile
        return 0


def _by_name(name: str) -> RunFolder | None:
    """The run in ``./runs`` whose folder has this name, or that was given it by ``tagger runs name``."""
    if name == Path(name).name and os.path.isdir(RUNS_FOLDER / name):
        return RunFolder(RUNS_FOLDER / name)
    named = [run for run in all_runs(RUNS_FOLDER) if _given_name(run) == name]
    return named[0] if named else None


def _given_name(run: RunFolder) -> str | None:
    try:
        return run.load_notes().name
    except (TaggerError, OSError):
        return None


def _check_finished(run: RunFolder) -> RunFolder:
    """The run itself. TaggerError if it is none, or unfinished."""
    if is_being_deleted(run.path):
        raise TaggerError(
            f"{run.path}: its deletion has begun. End it: tagger runs delete {run.path}; or give another --run."
        )
    if not run.exists:
        raise TaggerError(
            f"{run.path} is no run folder: it has no config.toml. Make a run with tagger train."
        )
    if not run.finished:
        raise TaggerError(
            f"{run.path}: this training is not finished (no metrics.json)."
            f" Resume it: tagger train --resume --run {run.path}"
        )
    run.checkpoint.remove()  # there only if the training was killed in its last moment
    return run
