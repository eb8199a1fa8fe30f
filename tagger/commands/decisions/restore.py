"""``tagger decisions restore``: a store as a backup has it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from time import time

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.backups import back_up, sqlite_file
from tagger.commands.decisions.place import DecisionPlace, find_place
from tagger.commands.steps.reviewed_labels import store_is_missing
from tagger.errors import TaggerError
from tagger.review import Store
from tagger.text import counted


def restore_store(
    file: str | Path,
    *,
    run: str | Path | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    screen: Screen | None = None,
) -> None:
    """Make a SQLite store what the backup ``file`` (.db) is, in one step; the present one is backed up before.

    TaggerError while somebody reviews, if the file is no store, or if the store is on a server.
    """
    screen = screen or Screen(quiet=True)
    file = Path(file)
    place = find_place(run, store, data, screen.say)
    target = sqlite_file(place.url)
    if target is None or file.suffix.lower() != ".db":
        raise TaggerError(
            f"{file}: restore puts a backup (.db) in the place of a SQLite store. Into a store on a server, or from a"
            " table: tagger decisions merge, or import."
        )
    _check_backup(file)
    _check_nobody_reviews(place)
    kept = _keep_present(place, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as old, closing(sqlite3.connect(target, timeout=30)) as new:
        old.backup(new)
    with closing(Store.open(place.url)) as opened:  # upgraded, if the backup is of an earlier version
        number = counted(len(opened.decisions()), "decision")
    screen.say(f"{opened.url} has {number} now, as in {file}.")
    if kept is not None:
        screen.say(f"What was there before is kept: {kept}")


def _keep_present(place: DecisionPlace, target: Path) -> Path | None:
    """Where the present store is kept: a backup, or the file itself under another name if it is damaged."""
    try:
        return back_up(place, reason="restore")
    except TaggerError:
        if not target.is_file():
            raise
    names = (target.with_name(f"{target.stem}-damaged-{n}{target.suffix}") for n in range(1, 1000))
    aside = next(name for name in names if not name.exists())
    for end in ("-wal", "-shm", ""):
        if (file := target.with_name(target.name + end)).exists():
            file.rename(aside.with_name(aside.name + end))
    return aside


def _check_backup(file: Path) -> None:
    """TaggerError if it is no whole store."""
    if not file.is_file():
        raise TaggerError(f"{file}: there is no such file.")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (state,) = connection.execute("PRAGMA quick_check").fetchone()
            connection.execute("SELECT value FROM tagger_meta WHERE key = 'version'").fetchone()
    except sqlite3.DatabaseError as error:
        raise TaggerError(f"{file}: this is no store of decisions ({error}). Nothing was changed.") from None
    if state != "ok":
        raise TaggerError(
            f"{file}: this file is damaged ({state}). Nothing was changed. Try an older backup."
        )


def _check_nobody_reviews(place: DecisionPlace) -> None:
    """TaggerError while an app holds cells of the store."""
    target = sqlite_file(place.url)
    if target is None or store_is_missing(place.url):
        return
    try:
        with closing(sqlite3.connect(f"{target.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            query = "SELECT count(*) FROM leases WHERE expires > ?"
            (held,) = connection.execute(query, (time(),)).fetchone()
    except sqlite3.DatabaseError:
        return  # damaged: that is what a backup is for
    if held:
        raise TaggerError(
            f"{target}: somebody is reviewing at this moment. Stop the app, wait for 90 seconds, and restore again."
        )
