"""Moving surplus copies out of a data set, and restoring them; a list is written first.

Each file is moved by one rename, or copied completely to another disk before the original is removed. So a
kill at any moment leaves every image in at least one of the two folders, and ``restore_files`` restores all.
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
    """Move ``files`` to the new folder ``to`` under their own paths; ``moved.csv`` there has their rows of ``table``.

    Nothing is deleted; ``restore_files`` undoes it, also after a kill. TaggerError if ``to`` exists or is
    inside the data folder.
    """
    to = Path(to)
    root = check_folder(root)
    if (to / MOVED_LIST).is_file():
        raise TaggerError(
            f"{to}: this folder holds files that were moved before. Restore them with --undo, or name another"
        )
    check_new_path(to)
    if Path(os.path.abspath(to)).is_relative_to(os.path.abspath(root)):
        raise TaggerError(
            f"{to}: this is inside the data folder, so the copies would be found again. Name a folder outside"
        )
    if not files:
        return []
    mark(to)
    write_table(to / MOVED_LIST, table[table["file"].isin(set(files))])
    for file in track(files, "Moving copies"):
        move_file(root / file, to / file)
    return list(files)


def restore_files(root: str | Path, aside: str | Path, *, track: Track = no_track) -> list[str]:
    """Move back what ``quarantine_files`` moved to ``aside``; return the files. An empty folder is removed.

    If a file exists in both folders with the same bytes, the one in ``aside`` is removed. TaggerError for a
    folder without ``moved.csv``, and, after all others are back, for files that are in neither folder or
    differ.
    """
    root = check_folder(root)
    aside = check_folder(aside)
    if not (aside / MOVED_LIST).is_file():
        raise TaggerError(f"{aside}: there is no {MOVED_LIST} in it. Give the folder that --to named")
    made = marked(aside) is not None  # nothing is removed from a folder without the mark
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
        wrong = (
            ("in neither folder", lost),
            ("with another file of that name in the data folder", differing),
        )
        told = [f"{counted(len(names), 'file')} {what}: {shortlist(names)}" for what, names in wrong if names]
        raise TaggerError(f"{aside}: {'; '.join(told)}. All others are back in {root}")
    for file in files:
        remove_empty(aside, Path(file).parent)
    clear(aside, re.compile(re.escape(MOVED_LIST)))
    return back


def move_file(source: Path, target: Path) -> None:
    """Move one file, never over another; at any moment it is complete at one of the two paths."""
    if os.path.lexists(target):
        raise TaggerError(f"{target}: this exists already and stays as it is")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_write(target) as temporary:
            shutil.copy2(source, temporary)
        source.unlink()
