"""``tagger decisions history``, ``undo`` and ``redo``: imports are listed, taken back, brought back."""

from contextlib import closing
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.backups import back_up
from tagger.commands.decisions.import_report import show_effect
from tagger.commands.decisions.place import find_place
from tagger.review import Store
from tagger.review.photo_identity import photo_rows
from tagger.review.readable_store import readable
from tagger.review.store_import import (
    ImportRecord,
    bring_back_import,
    import_records,
    read_log,
    take_back_import,
)
from tagger.text import counted


def history(
    *,
    run: str | Path | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    screen: Screen | None = None,
) -> list[ImportRecord]:
    """All imports into the store, the first one first."""
    screen = screen or Screen(quiet=True)
    place = find_place(run, store, data, screen.say)
    place.require_store()
    with closing(Store.open(readable(place.url))) as opened:
        records = import_records(opened)
    for one in records:
        state = " (taken back)" if one.taken_back else ""
        screen.say(
            f"{one.number}. {one.time[:16].replace('T', ' ')} UTC, {one.kind} by {one.reviewer}:"
            f" {counted(one.num_decisions, 'row')} from {one.source}{state}"
        )
    if not records:
        screen.say("Nothing was ever imported into this store.")
    return records


def undo_import(
    number: int | None,
    *,
    redo: bool = False,
    run: str | Path | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    reviewer: str,
    screen: Screen | None = None,
) -> ImportRecord:
    """Take back an import (None: the last one), or bring it back; as one step, after a backup."""
    screen = screen or Screen(quiet=True)
    place = find_place(run, store, data, screen.say)
    place.require_store()
    kept = back_up(place, reason="redo" if redo else "undo")
    with closing(Store.open(place.url)) as opened:
        before = read_log(opened)
        record = (bring_back_import if redo else take_back_import)(opened, number, reviewer)
        after = read_log(opened)
        with opened.reading() as connection:
            on_run = place.on_run_photos(photo_rows(connection))
    done, other = ("brought back", "undo") if redo else ("taken back", "redo")
    screen.say(
        f"Import {record.number} ({counted(record.num_decisions, 'row')} from {record.source}) was {done}."
    )
    if place.run is not None:
        show_effect(place.run, before, after, on_run, screen)
    screen.say(f"The other way round: tagger decisions {other} {record.number}")
    if kept is not None:
        screen.say(f"Backup of the store as it was: {kept}")
    return record
