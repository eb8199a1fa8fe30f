"""Moving surplus copies out of a data set, and restoring them; a list is written first.

A list is written before the first is moved.

Each file is moved by one rename, or, to another disk, copied whole under a temporary name before the
original goes. So a kill at any moment leaves every image in one place at least, and ``restore_files`` puts
all of them where they were.
"""

import errno
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from data_tools.label_files import check_new_path, write_table
from tagger.data.images.hashes import hash_file
from tagger.data.images.listing import check_folder
from tagger.errors import TaggerError
from tagger.progress import Track, no_track
from tagger.runs import atomic_write
from tagger.runs.ownership import clear, mark, marked, remove_empty
from tagger.text import counted, shortlist

MOVED_LIST = "moved.csv"


def quarantine_files(
    root: str | Path,
    table: pd.DataFrame,
    files: Sequence[str],
    to: str | Path,
    *,
    track: Track = no_track,
) -> list[str]:
    """``files``, moved to the new folder ``to`` under their own paths, beside ``moved.csv``, their rows of
    ``table``.

    Nothing is deleted; ``restore_files`` undoes it, also after a kill. TaggerError if ``to`` is there
    already, or lies in the data folder.
    """
    to = Path(to)
    root = check_folder(root)
    if (to / MOVED_LIST).is_file():
        raise TaggerError(
            f"{to}: holds files that were set aside before. Take them back with --undo, or name another"
        )
    check_new_path(to)
    if Path(os.path.abspath(to)).is_relative_to(os.path.abspath(root)):
        raise TaggerError(
            f"{to}: this lies in the data folder, so the copies would be found again. Name one outside"
        )
    if not files:
        return []
    mark(to)
    write_table(to / MOVED_LIST, table[table["file"].isin(set(files))])
    for file in track(files, "Moving copies"):
        move_file(root / file, to / file)
    return list(files)


def restore_files(root: str | Path, aside: str | Path, *, track: Track = no_track) -> list[str]:
    """What ``quarantine_files`` moved to ``aside``, moved back; the folder goes when it is empty. The files
    that came back.

    A file that is in both places stays in ``root``, and the other goes, if the bytes are the same.
    TaggerError for a folder without ``moved.csv``, and, once all others are back, for files that are in
    neither place or differ.
    """
    root = check_folder(root)
    aside = check_folder(aside)
    if not (aside / MOVED_LIST).is_file():
        raise TaggerError(f"{aside}: no {MOVED_LIST} in it. Give the folder that --to named")
    made = marked(aside) is not None  # else nothing is removed: of another's folder, or of the last version's
    files = pd.read_csv(aside / MOVED_LIST, dtype=str, keep_default_na=False)["file"].tolist()
    back = []
    lost = []
    differing = []
    for file in track(files, "Moving copies back"):
        here = root / file
        there = aside / file
        if not there.exists():
            lost += [] if here.exists() else [file]
        elif not here.exists():
            move_file(there, here)
            back.append(file)
        elif hash_file(here)[0] == hash_file(there)[0]:
            if made:
                there.unlink()
        else:
            differing.append(file)
    if lost or differing:
        wrong = (("in neither place", lost), ("with another one in its place", differing))
        told = [f"{counted(len(names), 'file')} {what}: {shortlist(names)}" for what, names in wrong if names]
        raise TaggerError(f"{aside}: {'; '.join(told)}. All others are back in {root}")
    for file in files:
        remove_empty(aside, Path(file).parent)
    clear(aside, re.compile(re.escape(MOVED_LIST)))
    return back


def move_file(source: Path, target: Path) -> None:
    """One file, moved; never over another, and whole in one of the two places at any moment."""
    if os.path.lexists(target):
        raise TaggerError(f"{target}: this is there already and is left as it is")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_write(target) as temporary:
            shutil.copy2(source, temporary)
        source.unlink()
