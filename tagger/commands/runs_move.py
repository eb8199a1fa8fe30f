"""``tagger runs move``: a data folder that was moved is noted, or the run folder itself is moved to another place."""

import errno
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.steps.reviewed_labels import read_decisions, store_is_missing
from tagger.errors import TaggerError
from tagger.review import default_url
from tagger.runs import RunFolder, find_run, is_absent, with_data
from tagger.runs.choice import choice_locked, forget_choice, load_choice, runs_folder_of, save_choice
from tagger.runs.lineage import children_of, parent_of, same_place
from tagger.runs.locate import all_runs, find_any_run, finished_runs
from tagger.runs.run_advice import short_path
from tagger.text import counted


def move_run(run: Path, data: Path, screen: Screen) -> list[RunFolder]:
    """Note that the data folder of a run is ``data`` now; also for the runs beside it whose folder is gone.

    TaggerError if the photos there are not those of the run, or if decisions would stay behind.
    """
    found = find_run(run)
    former = found.load_settings().data.path
    root = Path(with_data(found, data).load_settings().data.path)
    _check_decisions_come_along(Path(former), root)
    moved = [found, *_also_moved(found, former, root)]
    for one in moved:
        one.save_notes(replace(one.load_notes(), data=str(root)))
        screen.say(f"{one.path}: its photos are in {root} now.")
    return moved


def _also_moved(run: RunFolder, former: str, root: Path) -> list[RunFolder]:
    """Other runs of the same folder, if it is not there any more and their photos are in the new one."""
    if not is_absent(Path(former)):
        return []
    return [
        other
        for other in finished_runs(run.path.parent)
        if not same_place(other.path, run.path) and _fits(other, former, root)
    ]


def _fits(run: RunFolder, former: str, root: Path) -> bool:
    try:
        return run.load_settings().data.path == former and bool(with_data(run, root))
    except TaggerError:
        return False


def _check_decisions_come_along(former: Path, root: Path) -> None:
    """TaggerError if the former folder is there still, with decisions that the new one does not have."""
    url = default_url(former)
    if same_place(former, root) or store_is_missing(url) or not store_is_missing(default_url(root)):
        return
    rows, _ = read_decisions(url)
    if rows:
        raise TaggerError(
            f"{former}: {counted(len(rows), 'decision')} are in its folder .tagger, and {root} has no such folder."
            f" Copy {former / '.tagger'} to {root / '.tagger'} first."
        )


def move_run_folder(run: Path, to: Path, screen: Screen) -> RunFolder:
    """Move the folder of a run to ``to``, or into it if it is a folder; what refers to the run follows.

    These are the choice of its runs folder, the runs that were retrained from it, and its own parent. TaggerError if
    something is there, while it is being trained, and where a training that is not finished needs it.
    """
    found = find_any_run(run)
    target = _new_place(found, to)
    beside = [one for one in all_runs(found.path.absolute().parent) if not same_place(one.path, found.path)]
    children, parent = children_of(found, beside), parent_of(found)
    _check_not_needed(found, beside, children)
    for child in children:  # first: until the folder is moved, the parent is found where it was
        child.save_notes(replace(child.load_notes(), parent=str(target)))
    chosen = _rename(found, target, screen)
    moved = RunFolder(target)
    notes = moved.load_notes()
    names = notes.folder_names(found.path.absolute().name) - {target.name}
    now_parent = str(parent.path.absolute()) if parent is not None else notes.parent
    moved.save_notes(replace(notes, parent=now_parent, former="/".join(sorted(names))))
    screen.say(f"{found.path} is {short_path(moved.path)} now.")
    for line in (
        *([chosen] if chosen else []),
        *(f"{child.path} knows its parent there." for child in children),
    ):
        screen.say(line)
    return moved


def _new_place(run: RunFolder, to: Path) -> Path:
    """Where the folder is moved to. TaggerError if it is no run of ours, or if something is there."""
    if run.path.is_symlink() or not run.exists:
        what = f"a link to {run.path.resolve()}" if run.path.is_symlink() else "no run folder"
        raise TaggerError(f"{run.path} is {what}: it is not moved.")
    target = to.absolute()
    if target.is_dir() and not RunFolder(target).exists:
        target /= run.path.absolute().name
    if target.is_symlink() or target.exists():
        raise TaggerError(f"--to {to}: {target} is there already. Name another place.")
    if target.resolve().is_relative_to(run.path.resolve()):
        raise TaggerError(f"--to {to}: this is inside the run itself. Name another place.")
    return target


def _check_not_needed(run: RunFolder, beside: list[RunFolder], children: list[RunFolder]) -> None:
    """TaggerError if a training that is not finished needs the run where it is."""
    for other in beside:
        if other.finished:
            continue
        with suppress(TaggerError):
            start = other.load_settings().started_from
            if other in children or (start and same_place(Path(start), run.path)):
                break
    else:
        return
    raise TaggerError(
        f"{other.path} is not finished, and its training goes on from {run.path}. Finish it first (--resume), or delete"
        f" it: tagger runs delete {other.path}"
    )


def _rename(run: RunFolder, target: Path, screen: Screen) -> str:
    """Move the folder, and the choice with it; a sentence on the choice, if the run was the chosen one."""
    with run.locked("runs move", screen.say):
        pass  # nobody trains here
    place = runs_folder_of(run.path)
    with ExitStack() as stack:
        if place is not None:
            stack.enter_context(choice_locked(place[0]))
        choice = load_choice(place[0]) if place else None
        _move_folder(run.path, target)
        if place is None or choice is None or choice.chosen_run != place[1]:
            return ""
        if same_place(place[0], target.parent):
            save_choice(place[0], target.name, choice.why)
            return f"It stays the chosen run of {place[0]}."
        forget_choice(place[0])
    return f"It was the chosen run of {place[0]}, where none is chosen now: tagger runs choose RUN"


def _move_folder(folder: Path, target: Path) -> None:
    """One rename, so the run is never in both places, or in none."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise TaggerError(f"{folder} cannot be moved to {target}: {error.strerror}.") from None
        raise TaggerError(
            f"{target} is on another disk than {folder}. Copy the folder there (cp -a), look whether it is whole"
            f" (tagger runs show), and delete this one: tagger runs delete {folder}"
        ) from None
