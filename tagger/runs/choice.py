"""The chosen run of a runs folder: the one that commands use where no ``--run`` is given.

It lies in ``chosen-run.json`` of the runs folder, by the name of the run's folder alone, so that it holds when the
runs folder is moved. The file is whole or absent, and changed under a lock.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tagger.errors import TaggerError
from tagger.runs.atomic import write_text
from tagger.runs.lock import BusyError, locked, output_lock

RUNS_FOLDER = Path("runs")
CHOICE = "chosen-run.json"
WAIT_SECONDS = 10.0  # for another process that changes the choice; it takes milliseconds
KEYS = {"chosen_run", "why", "time"}


@dataclass(frozen=True)
class Choice:
    """The chosen run: its folder's name, why it is the chosen one, and since when (ISO 8601, local)."""

    chosen_run: str
    why: str
    time: str


def load_choice(folder: Path) -> Choice | None:
    """The choice in a runs folder, None if there is none. TaggerError for a file that is not what tagger wrote."""
    path = folder / CHOICE
    try:
        tree = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        tree = None
    named = isinstance(tree, dict) and tree.keys() == KEYS and all(isinstance(tree[key], str) for key in KEYS)
    if not named or Path(tree["chosen_run"]).name != tree["chosen_run"]:
        raise TaggerError(
            f"{path}: this is not what tagger wrote. Move it away, then choose a run: tagger runs choose RUN."
        )
    return Choice(**tree)


def save_choice(folder: Path, name: str, why: str) -> None:
    """Make the run of this name the chosen one; to be called in ``choice_locked``, after ``load_choice`` passed."""
    choice = Choice(name, why, datetime.now().isoformat(sep=" ", timespec="seconds"))
    write_text(folder / CHOICE, json.dumps(asdict(choice), indent=1, ensure_ascii=False))


def choose_by_person(folder: Path, name: str) -> Choice | None:
    """Make the run of this name the chosen one, because a person says so; the choice before."""
    with choice_locked(folder):
        before = load_choice(folder)
        save_choice(folder, name, "chosen by a person")
    return before


def forget_choice(folder: Path) -> None:
    """Nothing is chosen any more; to be called in ``choice_locked``, after ``load_choice`` passed."""
    (folder / CHOICE).unlink(missing_ok=True)


@contextmanager
def choice_locked(folder: Path) -> Iterator[None]:
    """While the block runs no other process changes the choice; waits for one that does."""
    last = time.monotonic() + WAIT_SECONDS
    while True:
        lock = locked(output_lock(folder / CHOICE), "runs", folder)
        try:
            lock.__enter__()
            break
        except BusyError:
            if time.monotonic() > last:
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def runs_folder_of(run: Path) -> tuple[Path, str] | None:
    """(the runs folder that holds a run, the run's name in it); None if it lies elsewhere.

    A runs folder is ``./runs``, also through links; another folder ``runs``, in which a command that begins beside
    it would look; and one where a run was chosen.

    >>> runs_folder_of(Path("/elsewhere/runs/a"))[1], runs_folder_of(Path("/elsewhere/a"))
    ('a', None)
    """
    places = [Path(os.path.abspath(run)), run.resolve()]
    for path in places:
        if path.parent.resolve() == RUNS_FOLDER.resolve():
            return RUNS_FOLDER, path.name
    for path in places:
        if path.parent.name == RUNS_FOLDER.name or (path.parent / CHOICE).is_file():
            return path.parent, path.name
    return None
