"""The choice after a training: a first run is chosen by itself, and so is a retrained one that measures better.

Better is what ``tagger compare`` calls so: the whole 95 % interval of the difference in mAP on common test photos
lies above 0. Nothing else changes which run later commands use; it is said how to choose the new one.
Only runs in a runs folder are looked for without ``--run``; for others there is nothing to choose.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tagger.commands.console.screen import Screen
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.runs.choice import RUNS_FOLDER, choice_locked, load_choice, runs_folder_of, save_choice
from tagger.runs.lineage import origin_of, parent_of, same_place
from tagger.runs.locate import RunInUse, run_in_use
from tagger.runs.run_advice import map_difference

Say = Callable[[str], None]


def keep_run_in_use(run: RunFolder, screen: Screen) -> None:
    """Before a retraining is finished: choose the run in use if none is chosen, so that the new one is not by its date.

    So it is even if the process is killed before the choice is settled.
    """
    if origin_of(run) is None or (place := runs_folder_of(run.path)) is None:
        return
    folder, _ = place

    def keep() -> None:
        found = run_in_use(folder)
        if found is not None and not found.chosen:
            save_choice(folder, found.run.path.name, "in use before the first retraining")

    _locked_or_said(folder, keep, screen.say)


def settle_choice(run: RunFolder, screen: Screen) -> None:
    """After a training: choose the run where it is the first or better, and say which one is the chosen one."""
    if (place := runs_folder_of(run.path)) is not None:
        folder, name = place
        _locked_or_said(folder, lambda: _settle(folder, RunFolder(folder / name), screen.say), screen.say)


def _locked_or_said(folder: Path, change: Callable[[], None], say: Say) -> None:
    """Change the choice; what prevents it is said, and is no reason to fail after a training."""
    try:
        with choice_locked(folder):
            change()
    except (TaggerError, OSError) as error:
        say(f"The chosen run was not changed: {error}")


def _settle(folder: Path, run: RunFolder, say: Say) -> None:
    in_use = run_in_use(folder, without=run.path)
    if in_use is None:
        load_choice(folder)  # TaggerError for a file that is not ours
        save_choice(folder, run.path.name, "the first run")
        say(f"Chosen: {run.path}, the first run. Commands without --run use it.")
    elif origin_of(run) is None:
        say(_sentence_after_training(run, in_use))
    elif (reason := _reason_against(run, in_use)) is None:
        save_choice(folder, run.path.name, f"better than {in_use.run.path.name}")
        say(
            f"Chosen: {run.path}, since it is better than {in_use.run.path}. Commands without --run use it."
            f" To go back: tagger runs choose {in_use.run.path}"
        )
    else:
        say(
            f"{in_use.run.path} stays the chosen run: {reason}. To use the new one: tagger runs choose {run.path}"
        )


def _sentence_after_training(run: RunFolder, in_use: RunInUse) -> str:
    if in_use.chosen:
        return f"{in_use.run.path} stays the chosen run. To use the new one: tagger runs choose {run.path}"
    return f"No run is chosen, so commands without --run use the newest: {run.path}."


def _reason_against(run: RunFolder, in_use: RunInUse) -> str | None:
    """Why a retrained run is not chosen by itself; None if it is better than the run in use."""
    parent = parent_of(run)
    if parent is None or not same_place(parent.path, in_use.run.path):
        origin = origin_of(run)
        return f"the new one was retrained from {origin.name if origin else 'another'} and is not compared with it"
    return reason_not_better(map_difference(run))


def reason_not_better(row: dict[str, Any] | None) -> str | None:
    """Why a run does not count as better than its parent, by the difference in mAP; None if it does.

    >>> reason_not_better({"low": 0.01, "high": 0.03}) is None, reason_not_better({"low": -0.02, "high": -0.01})
    (True, 'the new one measures worse on the test photos')
    """
    if row is None or row["low"] is None or row["high"] is None:
        return "the two cannot be compared on test photos"
    if row["low"] > 0:
        return None
    if row["low"] == row["high"] == 0:
        return "there is no difference on the test photos"
    if row["high"] < 0:
        return "the new one measures worse on the test photos"
    return "the difference is too close to call on the test photos"


def next_run_option(run: RunFolder) -> str:
    """``--run`` and the path of a new run, for a command line that is proposed; nothing where the choice decides.

    Where another run stays the chosen one, that one is proposed.
    """
    place = runs_folder_of(run.path)
    return "" if place is not None and place[0] == RUNS_FOLDER else f" --run {run.path}"
