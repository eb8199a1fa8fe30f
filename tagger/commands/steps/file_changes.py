"""Detection of image files that were replaced or removed since they were hashed.

A replaced file must not get the label of the old one. So the size, inode and times of each file are saved
before the files are hashed, and compared when all pixels have been read, and again at the end. Only files
for which they differ are hashed again. A file into which a program wrote metadata is not replaced: its picture is
the same.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.commands.console.screen import Screen
from tagger.data.images.file_stats import file_stats
from tagger.data.images.hash_cache import STAT_FIELDS
from tagger.data.images.hashes import hash_files, identify_file, identify_files
from tagger.errors import Problem
from tagger.progress import Track, progress_callback
from tagger.runs import Checkpoint
from tagger.text import counted


def stats_when_hashed(checkpoint: Checkpoint, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stats of the files of some rows when they were hashed (N, ``STAT_FIELDS``).

    Zeros, which no file has, in a checkpoint of an earlier version.
    """
    stats_NF = checkpoint.load_file_stats()
    return np.zeros((len(rows), len(STAT_FIELDS)), np.int64) if stats_NF is None else stats_NF[rows]


def find_changed_files(root: str | Path, images: pd.DataFrame, stats_NF: NDArray[np.int64]) -> dict[int, str]:
    """Row -> reason of every image whose file differs from the one that was hashed: missing, or other bytes."""
    files = images["file"].tolist()
    found = {}
    for n in np.flatnonzero((file_stats(root, files) != stats_NF).any(axis=1)).tolist():
        now = identify_file(Path(root, files[n]))
        if not same_picture(images, n, now.hash, now.picture_hash):
            found[n] = now.reason.partition(":")[0] if not now.hash else "replaced by another image"
    return found


def same_picture(images: pd.DataFrame, row: int, hash: str, picture_hash: str) -> bool:
    """Whether a file with these hashes is the image of a row, perhaps with other metadata.

    >>> images = pd.DataFrame({"hash": ["a"], "picture_hash": ["p"]})
    >>> same_picture(images, 0, "b", "p"), same_picture(images, 0, "b", "q"), same_picture(images, 0, "a", "")
    (True, False, True)
    """
    if hash == images["hash"][row]:
        return True
    return "picture_hash" in images and bool(picture_hash) and picture_hash == images["picture_hash"][row]


def find_changed_while_reading(
    root: str | Path, images: pd.DataFrame, checkpoint: Checkpoint
) -> dict[int, str]:
    """Row -> reason of images replaced or removed before all pixels were read; found once, then kept."""

    def find() -> dict[int, str]:
        found = find_changed_files(root, images, stats_when_hashed(checkpoint, np.arange(len(images))))
        return {row: f"{reason} while it was being read: left out" for row, reason in found.items()}

    return checkpoint.changed_rows(find)


def find_replaced_files(
    root: str | Path, images: pd.DataFrame, checkpoint: Checkpoint, track: Track
) -> dict[int, str]:
    """Row -> reason of images that were replaced since the previous run; hashes all files, after they were read."""
    files = images["file"].tolist()

    def find() -> dict[int, str]:
        checkpoint.save_file_stats(file_stats(root, files))
        hashes, _, _ = hash_files(
            root, files, progress=progress_callback(track, len(files), "comparing photos")
        )
        pairs = enumerate(zip(hashes, images["hash"], strict=True))
        changed = [row for row, (now, then) in pairs if now and now != then]
        now = identify_files(root, [files[row] for row in changed])
        kept = zip(changed, now.hashes, now.picture_hashes, strict=True)
        return {
            row: "replaced by another image: left out"
            for row, hash, picture in kept
            if not same_picture(images, row, hash, picture)
        }

    return checkpoint.changed_rows(find)


def report_changed_files(
    root: str | Path, images: pd.DataFrame, stats_NF: NDArray[np.int64], screen: Screen
) -> list[str]:
    """A sentence for the model card if images were replaced or removed meanwhile; the screen lists them."""
    changed = find_changed_files(root, images, stats_NF)
    if not changed:
        return []
    sentence = (
        f"{counted(len(changed), 'photo')} changed on disk during the training."
        " The run keeps the labels and hashes from before."
    )
    screen.say("Changed on disk since they were read:")
    screen.say_list([Problem(images["file"][row], None, reason) for row, reason in sorted(changed.items())])
    return [sentence]
