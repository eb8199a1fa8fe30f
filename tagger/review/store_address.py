"""Address of a review store: whether its file is there, and whether the folder of a new one is.

Absent is not empty. A file that is not there, in a folder that is absent or empty, is more likely on a disk that is
not mounted than new.
"""

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tagger.errors import TaggerError


def store_is_missing(url: str) -> bool:
    """Whether ``url`` names a file that does not exist. ``Store.open`` reports any other error.

    >>> store_is_missing("sqlite:////nowhere/review.db"), store_is_missing("postgresql://server/db")
    (True, False)
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        return False
    return parsed.drivername.startswith("sqlite") and not Path(parsed.database or "").is_file()


def check_store_is_there(url: str) -> None:
    """TaggerError if ``url`` names a missing file: who reads decisions that were named would find none in silence."""
    if store_is_missing(url):
        check_store_folder(url)
        raise TaggerError(
            f"{make_url(url).database}: this database of decisions is not there. Name one that is: --store URL."
            " Without --store the one in the data folder is read."
        )


def check_store_folder(url: str, *, writes: bool = False) -> None:
    """TaggerError if ``url`` names a missing file in a folder that is absent or empty.

    For who ``writes``, the message says how to begin a new one.
    """
    if not store_is_missing(url):
        return
    file = Path(make_url(url).database or "")
    folder = file.parent.parent if file.parent.name == ".tagger" else file.parent
    if _has_entries(folder):
        return
    advice = " If it is to be a new one, add --new-store." if writes else ""
    state = f"its folder {folder} is empty" if folder.is_dir() else f"nor is its folder {folder}"
    raise TaggerError(
        f"{file}: this database of decisions is not there, {'and ' * folder.is_dir()}{state}."
        f" Mount its disk, or name another database: --store URL.{advice}"
    )


def check_new_store(url: str | None) -> None:
    """TaggerError if no store is named, or if the one that is named is there already."""
    if not url:
        raise TaggerError("--new-store: no database is named. Name it: --store URL.")
    if not store_is_missing(url):
        raise TaggerError(f"--new-store: {make_url(url).database} is there already. Leave out --new-store.")


def _has_entries(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except PermissionError:
        return True
    except OSError:  # not there, or on a disk or server that is gone
        return False
