"""``tagger untag``: take back what tagger wrote to sidecars; nothing else goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.steps.untagging import (
    UNTAGGED,
    Selection,
    Untagging,
    plan_untagging,
    sidecars_below,
)
from tagger.commands.writers.recorded_sidecars import recording
from tagger.data.formats.written_record import WrittenRecords, WrittenSidecar, digest, undo_of
from tagger.errors import Problem, TaggerError
from tagger.runs import atomic_write, locked, output_lock
from tagger.runs.locate import find_any_run
from tagger.text import counted


@dataclass(frozen=True)
class UntagResult:
    """Result of ``untag``: what changes in each sidecar, and those that cannot be read or changed."""

    changes: list[Untagging]
    problems: list[Problem]


def untag(
    folder: str | Path,
    *,
    run: str | Path | None = None,
    since: str | None = None,
    until: str | None = None,
    write: bool = False,
    screen: Screen | None = None,
) -> UntagResult:
    """Take back the tags that tagger wrote to sidecars (xmp, txt) below ``folder``; without ``write`` only show them.

    ``run`` is a run or its name, ``since`` and ``until`` are days (2026-11-28) in UTC. Where nobody else has
    written to a sidecar since, it gets the bytes from before, and one that tagger made goes. Otherwise only
    tagger's own keywords go. TaggerError if the folder is not there or a day is no day.
    """
    screen = screen or Screen(quiet=True)
    root = Path(folder)
    _check_folder(root)
    selection = Selection(None if run is None else _run_names(run), _day(since), _day(until))
    with locked(output_lock(root, folder=True), "untag", root, warn=screen.say):
        records = WrittenRecords()
        changes, problems = _plan(root, records, selection)
        _show(changes, screen)
        if write:
            problems += _write(root, changes, records)
        elif changes:
            screen.say("Nothing was changed. To take them back, the same command with --yes.")
    return UntagResult(changes, problems)


def _check_folder(root: Path) -> None:
    """TaggerError if it is no folder; for a table it says why there is nothing to take back."""
    if root.is_dir():
        return
    if not root.is_file():
        raise TaggerError(f"{root}: there is no such folder.")
    sidecar = root.suffix.lower() in (".xmp", ".txt")
    advice = f"Name the folder: tagger untag {root.absolute().parent}"
    table = "A table that tagger wrote is a file of its own: delete it if it is not needed."
    raise TaggerError(
        f"{root} is no folder. {advice if sidecar else f'{table} untag takes tags out of sidecars (xmp, txt).'}"
    )


def _run_names(run: str | Path) -> frozenset[str]:
    """The name that was given, and the former ones of a run that is there and was moved."""
    try:
        names = find_any_run(run).load_notes().folder_names(Path(run).name)
    except TaggerError:  # a run that is not there any more
        names = set()
    return frozenset({Path(run).name, *names})


def _day(text: str | None) -> str | None:
    """A day as it is recorded. TaggerError if it is none."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise TaggerError(f"{text!r} is no day. Write it as 2026-11-28.") from None


def _plan(root: Path, records: WrittenRecords, selection: Selection) -> tuple[list[Untagging], list[Problem]]:
    changes = []
    problems = []
    for path in sidecars_below(root, records):
        try:
            change = plan_untagging(path, records, selection)
        except (TaggerError, OSError, UnicodeDecodeError) as error:
            problems.append(Problem(str(path), None, f"not changed: {error}"))
            continue
        if change is not None:
            changes.append(change)
    return changes, problems


def _show(changes: Sequence[Untagging], screen: Screen) -> None:
    """Show what goes, and where others wrote in between."""
    keywords = sum(len(change.removed) for change in changes)
    screen.say(f"{counted(keywords, 'keyword')} that tagger wrote to {counted(len(changes), 'sidecar')}.")
    made = sum(change.after is None for change in changes)
    exact = sum(change.exact and change.after is not None for change in changes)
    rest = len(changes) - made - exact
    if changes:
        screen.say(
            f"{made:,} made by tagger: removed. {exact:,} with the bytes from before."
            f" {rest:,} changed by others since, or with words that are nowhere else: only tagger's keywords go."
        )
    screen.say_list(
        [f"{change.path}: {', '.join(map(repr, change.removed)) or 'notes'}" for change in changes]
    )


def _write(root: Path, changes: Sequence[Untagging], records: WrittenRecords) -> list[Problem]:
    """Make the changes, each recorded: what was taken off by a person before is still known."""
    problems = []
    time = datetime.now(UTC).isoformat(timespec="seconds")
    for change in changes:
        record = records.record(root)
        now = change.path.read_bytes() if change.path.is_file() else None
        if now != change.before:
            problems.append(
                Problem(str(change.path), None, "not changed: somebody else has just written to it")
            )
            continue
        photos = sorted({photo for one in records.writes(change.path, now) for photo in one.photos})
        line = WrittenSidecar(
            record.name_of(change.path.absolute()), photos, time, UNTAGGED, [], change.removed, False,
            digest(now), digest(change.after), undo_of(now, change.after or b""),
        )  # fmt: skip
        with recording(record, line):
            if change.after is None:
                change.path.unlink()
            else:
                with atomic_write(change.path) as temporary:
                    temporary.write_bytes(change.after)
    return problems
