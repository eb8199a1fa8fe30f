"""Backups of a store of decisions: made at any time, and by themselves before a command changes much.

A SQLite store is copied with SQLite's online backup, so an app that is running goes on. One on a server is
written as JSON lines. Of the backups that were made by themselves the last ones are kept; all others stay.
"""

import os
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from tagger.commands.decisions.decision_files import check_export_path, write_log
from tagger.commands.decisions.place import DecisionPlace, files_by_hash
from tagger.commands.steps.reviewed_labels import store_is_missing
from tagger.errors import TaggerError
from tagger.review import Store
from tagger.review.readable_store import readable_copy
from tagger.review.store_import import read_log
from tagger.runs import atomic_write
from tagger.runs.moved_run import data_folder
from tagger.runs.ownership import check_absent, mark, marked, remove

KEPT = 10  # backups made by themselves
NAME = re.compile(r"review-(\d{8}-\d{6})(?:-(\d+))?(?:-before-[a-z]+)?\.(?:db|jsonl)")
AUTOMATIC = re.compile(r"review-\d{8}-\d{6}(-\d+)?-before-(import|merge|undo|redo|restore)\.(db|jsonl)")


def back_up(place: DecisionPlace, out: Path | None = None, *, reason: str = "") -> Path | None:
    """The backup of a store: ``out``, or a new file in ``backups`` beside the store.

    ``reason``: before which command it is made by itself; then None where there is nothing to keep, or no folder to
    keep it in.
    """
    if store_is_missing(place.url):
        if reason:
            return None
        place.require_store()
    source = sqlite_file(place.url)
    if out is None:
        folder = backup_folder(place)
        if folder is None:
            if reason:
                return None
            raise TaggerError("The store is on a server: name a file for the backup, --out FILE.jsonl.")
        _make_folder(folder)
        out = _new_name(folder, reason, ".jsonl" if source is None else ".db")
    else:
        _check_out(out, source)
    if source is None:
        _write_lines(place, out)
    else:
        copy_sqlite(source, out)
    if reason:
        _rotate(out.parent)
    return out


def backup_folder(place: DecisionPlace) -> Path | None:
    """``backups`` beside a SQLite file, or in the data folder of the run; None without either."""
    if (file := sqlite_file(place.url)) is not None:
        return file.parent / "backups"
    return data_folder(place.run) / ".tagger" / "backups" if place.run is not None else None


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite store; None for one on a server."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def copy_sqlite(source: Path, out: Path) -> None:
    """A copy of a SQLite file, whole or not at all, also while others write to it. The source is only read."""
    try:
        with (
            atomic_write(out) as temporary,
            closing(_open_to_read(source)) as old,
            closing(sqlite3.connect(temporary)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.DatabaseError as error:
        raise TaggerError(f"{source}: {error}. This is no store of decisions, or it is damaged.") from None


def _open_to_read(source: Path) -> sqlite3.Connection:
    """A connection that only reads; of a copy where SQLite cannot write beside the file."""
    place = source if os.access(source.parent, os.W_OK) else readable_copy(source)
    return sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True, timeout=30)


def _write_lines(place: DecisionPlace, out: Path) -> None:
    with closing(Store.open(place.url)) as store:
        write_log(read_log(store), files_by_hash(place.images()), place.pictures(store), out)


def _check_out(out: Path, source: Path | None) -> None:
    if source is None:
        check_export_path(out)
        return
    if out.suffix.lower() != ".db":
        raise TaggerError(f"--out {out}: a backup is a SQLite file. Name one that ends in .db.")
    if os.path.lexists(out):
        check_absent(out.parent, [out.name], "Name a new file.")


def _make_folder(folder: Path) -> None:
    """The folder with our mark; TaggerError if it is somebody else's."""
    if folder.is_dir() and marked(folder) is None and any(folder.iterdir()):
        raise TaggerError(
            f"{folder} is not tagger's own folder of backups. Move it away, or give --out FILE."
        )
    if marked(folder) is None:
        mark(folder)


def _new_name(folder: Path, reason: str, suffix: str) -> Path:
    """A name that comes after those of all other backups of the folder, also where the clock was set back."""
    now = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    stamp, number = max([(now, 0), *(_place_in_time(path.name) for path in _backups(folder))])
    first = "" if number == 0 else f"-{number + 1}"
    return folder / f"review-{stamp}{first}{f'-before-{reason}' if reason else ''}{suffix}"


def _rotate(folder: Path) -> None:
    """Remove the oldest backups that were made by themselves, from a folder of ours."""
    made = [path for path in _backups(folder) if AUTOMATIC.fullmatch(path.name)]
    # Names of earlier versions may share a number: then the time of the file decides.
    made.sort(key=lambda path: (*_place_in_time(path.name), path.stat().st_mtime_ns, path.name))
    if old := [path.name for path in made[:-KEPT]]:
        remove(folder, re.compile("|".join(map(re.escape, old))))


def _backups(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if NAME.fullmatch(path.name)]


def _place_in_time(name: str) -> tuple[str, int]:
    """The second and the number in it by which backups are ordered: by name alone, -10 would come before -2."""
    stamp, number = NAME.sub(r"\1 \2", name).split(" ")
    return stamp, int(number or 1)
