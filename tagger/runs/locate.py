"""Locating runs: by path, the newest finished or unfinished one in ``./runs``, or a new name."""

import re
from datetime import datetime
from pathlib import Path

from tagger.errors import TaggerError, did_you_mean
from tagger.runs.folder import RunFolder

RUNS_FOLDER = Path("runs")


def find_run(path: str | Path | None = None) -> RunFolder:
    """The finished run at ``path``, or the newest finished one in ``./runs``; TaggerError says what is missing."""
    if path is None:
        found = [run for run in _all_runs(RUNS_FOLDER) if run.finished]
        if not found:
            raise TaggerError(
                "There is no finished run in ./runs. Train one (tagger train --data DIR) or give --run RUN."
            )
        return max(found, key=lambda run: (run.path / "metrics.json").stat().st_mtime)
    run = RunFolder(path)
    if not run.path.is_dir():
        others = [str(other.path) for other in _all_runs(run.path.parent)]
        there = f" There {'are' if others[1:] else 'is'} {', '.join(others[-5:])}." if others else ""
        raise TaggerError(f"{path}: no such run.{did_you_mean(str(path), others) or there}")
    if not run.exists:
        raise TaggerError(f"{path} is no run folder: it has no config.toml. Make a run with tagger train.")
    if not run.finished:
        raise TaggerError(
            f"{path}: this training is not finished (no metrics.json). Resume it: tagger train --resume --run {path}"
        )
    run.checkpoint.remove()  # there only if the training was killed in its last moment
    return run


def newest_unfinished() -> RunFolder:
    """The unfinished run in ``./runs`` that was started last; TaggerError if there is none."""
    found = [run for run in _all_runs(RUNS_FOLDER) if not run.finished]
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


def _all_runs(folder: Path) -> list[RunFolder]:
    if not folder.is_dir():
        return []
    return [run for entry in sorted(folder.iterdir()) if (run := RunFolder(entry)).exists]
