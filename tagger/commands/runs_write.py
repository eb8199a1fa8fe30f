"""``tagger runs choose``, ``name`` and ``delete``: the commands that change what is noted of runs."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.runs import megabytes, standing
from tagger.commands.steps.reviewed_labels import read_decisions
from tagger.errors import TaggerError
from tagger.review import default_url
from tagger.runs import RunFolder, find_run
from tagger.runs.choice import (
    Choice,
    choice_locked,
    choose_by_person,
    forget_choice,
    load_choice,
    runs_folder_of,
)
from tagger.runs.lineage import children_of, same_place
from tagger.runs.locate import all_runs, find_any_run, finished_runs
from tagger.runs.removal import delete_files, holds_run_files, is_being_deleted, own_files
from tagger.runs.run_advice import short_path
from tagger.runs.summary import summarise_run
from tagger.text import counted, shortlist

GIVEN_NAME = re.compile(r"\w[\w .()+-]{0,59}")


def choose_run(run: Path, screen: Screen) -> RunFolder:
    """Make a finished run the one that commands use without ``--run``."""
    found = find_run(run)
    folder, name = _place(found)
    if (state := summarise_run(found.path)) is not None and state.problem:
        raise TaggerError(f"{found.path} is damaged: {state.problem}. Choose another run.")
    before = choose_by_person(folder, name)
    former = f" Before: {folder / before.chosen_run}." if before and before.chosen_run != name else ""
    screen.say(f"Chosen: {folder / name}. Commands without --run use it.{former}")
    return found


def _place(run: RunFolder) -> tuple[Path, str]:
    """(runs folder, name in it). TaggerError for a run that commands would not find there."""
    place = runs_folder_of(run.path)
    if place is None:
        raise TaggerError(
            f"{run.path}: commands without --run look in a folder runs, and this run is in none. Move it into one,"
            f" or give --run {run.path} to each command."
        )
    return place


def name_run(run: Path, name: str, screen: Screen) -> RunFolder:
    """Give a run a name, which ``--run`` takes, too; an empty one takes the name away."""
    found = find_any_run(run)
    if not found.exists:
        raise TaggerError(f"{found.path} is no run folder: it has no config.toml.")
    if name:
        _check_name(found, name)
    found.save_notes(replace(found.load_notes(), name=name))
    if name:
        screen.say(f"{found.path} has the name {name!r} now. In commands: --run {_quoted(name)}")
    else:
        screen.say(f"{found.path} has no name any more.")
    return found


def _check_name(run: RunFolder, name: str) -> None:
    """TaggerError for a name that is none, or that another run has."""
    if not GIVEN_NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise TaggerError(
            f"{name!r} is no name for a run: use up to 60 letters, digits, spaces and . _ - + ( )."
        )
    for other in all_runs(run.path.absolute().parent):
        if not same_place(other.path, run.path) and name in (other.path.name, _name_of(other)):
            raise TaggerError(
                f"{name!r} is the name of {short_path(other.path)} already. Choose another name."
            )


def _name_of(run: RunFolder) -> str:
    try:
        return run.load_notes().name
    except (TaggerError, OSError):
        return ""


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.+-]+", name) else f'"{name}"'


@dataclass(frozen=True)
class Deletion:
    """What the deletion of a run would do: its files, those that stay, and lines on what depends on it."""

    run: RunFolder
    files: list[str]
    stays: list[str]
    size: int
    lines: list[str]


def delete_run(run: Path, screen: Screen, *, confirm: Callable[[], bool]) -> bool:
    """Delete the files of a run that tagger wrote, after a look at what depends on it; whether it was done.

    TaggerError for the chosen run while there are others, for a run that is being trained, and for a folder that
    is not shown to be tagger's.
    """
    plan = plan_deletion(run)
    for line in plan.lines:
        screen.say(line)
    if not confirm():
        screen.say("Nothing was deleted.")
        return False
    with plan.run.locked("runs delete", screen.say):
        _check_not_chosen(plan.run)  # somebody may have chosen it meanwhile
        stays = delete_files(plan.run.path)
    _forget(plan.run)
    rest = f" {shortlist(stays, 5)} stays: tagger did not write it." if stays else ""
    screen.say(f"Deleted: {plan.run.path}, {megabytes(plan.size)}.{rest}")
    return True


def plan_deletion(run: Path) -> Deletion:
    """A look at what the deletion of a run would do. TaggerError where it must not be deleted."""
    found = find_any_run(run)
    path = found.path
    if path.is_symlink():
        raise TaggerError(
            f"{path} is a link to {path.resolve()}. Remove the link itself, or delete that run."
        )
    if not (is_being_deleted(path) or _shown_to_be_ours(found)):
        raise TaggerError(f"{path}: nothing shows that tagger wrote this folder. It is not deleted.")
    _check_not_chosen(found)
    files, stays = own_files(path)
    size = sum((path / name).lstat().st_size for name in files)
    lines = [f"Delete {path}: {counted(len(files), 'file')}, {megabytes(size)}."]
    if stays:
        lines.append(f"Not deleted, since tagger did not write them: {shortlist(stays, 5)}.")
    return Deletion(found, files, stays, size, [*lines, *_dependents(found)])


def _shown_to_be_ours(run: RunFolder) -> bool:
    """Whether the folder's settings are tagger's, or it has the files that only a run has."""
    try:
        run.load_settings()
        return True
    except TaggerError:
        return holds_run_files(run.path)


def _check_not_chosen(run: RunFolder) -> None:
    """TaggerError if the run is the chosen one while another could be chosen."""
    choice, folder, name = _choice_at(run)
    if choice is None or folder is None or choice.chosen_run != name:
        return
    if [other for other in finished_runs(folder) if other.path.name != name]:
        raise TaggerError(f"{run.path} is the chosen run. Choose another first: tagger runs choose RUN")


def _choice_at(run: RunFolder) -> tuple[Choice | None, Path | None, str]:
    place = runs_folder_of(run.path)
    return (None, None, "") if place is None else (load_choice(place[0]), *place)


def _forget(run: RunFolder) -> None:
    """After the deletion of the chosen run, the last one, nothing is chosen."""
    choice, folder, name = _choice_at(run)
    if choice is not None and folder is not None and choice.chosen_run == name:
        with choice_locked(folder):
            current = load_choice(folder)
            if current is not None and current.chosen_run == name:
                forget_choice(folder)


def _dependents(run: RunFolder) -> list[str]:
    """One line for each thing that depends on a run."""
    lines = []
    beside = [one for one in all_runs(run.path.absolute().parent) if not same_place(one.path, run.path)]
    for child in children_of(run, beside):
        end = "stays." if child.finished else "is not finished: it cannot be resumed without it."
        lines.append(f"{short_path(child.path)} was retrained from it and {end}")
    if sets := _threshold_sets(run):
        lines.append(f"Sets of thresholds saved by hand go with it: {shortlist(sets, 5)}.")
    return [*lines, *_decisions_line(run)]


def _threshold_sets(run: RunFolder) -> list[str]:
    return run.threshold_sets() if run.path.is_dir() else []


def _decisions_line(run: RunFolder) -> list[str]:
    try:
        data = Path(run.load_settings().data.path)
        rows, _ = read_decisions(default_url(data))
    except (TaggerError, OSError):
        return []
    names = run.load_notes().folder_names(run.path.name)
    number = sum(row.run in names for row in standing(rows))
    return [f"{counted(number, 'decision')} made on it stay, in {data / '.tagger'}."] if number else []
