"""``tagger decisions merge``: all of one store into another one; the first one is only read."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.backups import copy_sqlite, sqlite_file
from tagger.commands.decisions.import_decisions import bring_in
from tagger.commands.decisions.place import DecisionPlace, find_place, store_address
from tagger.commands.steps.reviewed_labels import hide_password
from tagger.errors import TaggerError
from tagger.review import Store
from tagger.review.decision_log import DecisionLog
from tagger.review.photo_identity import PhotoRow, photo_rows
from tagger.review.store_import import PlannedImport, read_log


def merge_stores(
    source: str,
    *,
    into: str | None = None,
    run: str | Path | None = None,
    data: str | Path | None = None,
    reviewer: str,
    preview: bool = False,
    screen: Screen | None = None,
) -> PlannedImport:
    """Import all that the store ``source`` has into ``into`` (default: that of the run); each row once.

    Stores are named by their URL, their file, or their photo folder. TaggerError if ``source`` is not there.
    """
    screen = screen or Screen(quiet=True)
    url = store_address(source, must_exist=True)
    place = _target(into, run, data, screen)
    if make_url(url) == make_url(place.url):
        raise TaggerError(f"{hide_password(url)}: this is the store to merge into. Name another one.")
    log, photos = _read(url)
    return bring_in(log, place, "merge", hide_password(url), reviewer, preview, screen, photos)


def _target(
    into: str | None, run: str | Path | None, data: str | Path | None, screen: Screen
) -> DecisionPlace:
    if into is not None and "://" not in into and not Path(into).exists() and not Path(into).parent.is_dir():
        raise TaggerError(f"--into {into}: there is no such folder.")
    return find_place(run, into, data, screen.say)


def _read(url: str) -> tuple[DecisionLog, list[PhotoRow]]:
    """All of a store, which stays as it is, and what it knows of photos. A SQLite file is copied first."""
    file = sqlite_file(url)
    if file is None:
        return _read_open(url)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        copy_sqlite(file, copy)
        return _read_open(f"sqlite:///{copy}")


def _read_open(url: str) -> tuple[DecisionLog, list[PhotoRow]]:
    with closing(Store.open(url)) as store, store.reading() as connection:
        return read_log(store), photo_rows(connection)
