"""The data folder of a run: whether it is there, and a run whose photos were moved.

Absent is not empty: the decisions of people are in the data folder by default. Where it is absent, nobody can
tell whether there are any.
"""

import os
from pathlib import Path

from tagger.config import Settings
from tagger.data.images.hashes import hash_files
from tagger.data.images.listing import check_folder
from tagger.data.images.locate_photos import locate_photos
from tagger.errors import TaggerError
from tagger.runs.folder import RunFolder
from tagger.runs.located_run import sought_photos
from tagger.runs.notes_file import with_data_folder
from tagger.text import counted

NUM_COMPARED = 24  # photos whose content is compared, at least where a run has as many


class MovedRun(RunFolder):
    """A run whose photos are in the folder ``data`` now; its own files do not change."""

    def __init__(self, path: str | Path, data: Path):
        super().__init__(path)
        self.data = data.resolve()

    def load_settings(self) -> Settings:
        """The settings of the run with the present data folder."""
        return with_data_folder(super().load_settings(), self.data)


def with_data(run: RunFolder, data: str | Path | None) -> RunFolder:
    """The run with its photos in ``data``; without ``data`` the run as it is.

    TaggerError if more than half of its photos are not there. A sample is compared by name and content; all are looked
    for only if that fails.
    """
    if data is None:
        return run
    root = check_folder(data)
    images = run.load_images()
    sample = images.iloc[:: max(1, len(images) // NUM_COMPARED)]
    files = sample["file"].tolist()
    hashes, _, _ = hash_files(root, files)
    num_missing = sum(now != then for now, then in zip(hashes, sample["hash"], strict=True))
    if 2 * num_missing > len(files):
        _check_photos(run, root)
    return MovedRun(run.path, root)


def _check_photos(run: RunFolder, root: Path) -> None:
    """TaggerError if more than half of a run's photos are not in a folder, under any name and with any metadata."""
    found = locate_photos(root, sought_photos(run))
    if 2 * len(found.missing) > len(found.files):
        raise TaggerError(
            f"--data {root}: this is not the data folder of {run.path}. Of {counted(len(found.files), 'photo')},"
            f" {len(found.missing):,} are not there with the same picture, such as"
            f" {found.files[min(found.missing)]}."
        )


def data_folder(run: RunFolder, *, holds_decisions: bool = True) -> Path:
    """The data folder of a run. TaggerError if it is not there, or empty as the mount point of a disk is."""
    root = Path(run.load_settings().data.path)
    if is_absent(root):
        state = "is empty" if root.is_dir() else "is not there"
        advice = "Mount its disk. If it was moved, name the new folder: --data DIR;"
        advice += f" or once for all commands: tagger runs move {run.path} --data DIR."
        if holds_decisions:
            advice += " The decisions are in it; if they are in another database, name it: --store URL."
        raise TaggerError(f"{root}: the data folder of {run.path} {state}. {advice}")
    return root


def is_absent(root: Path) -> bool:
    """Whether a folder is not there, or is empty, as the mount point of a disk that is not mounted.

    >>> is_absent(Path("/nowhere")), is_absent(Path("/"))
    (True, False)
    """
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is None
    except PermissionError:
        return False
    except OSError:  # not there, or on a disk or server that is gone
        return True
