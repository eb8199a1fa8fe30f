"""Groups of near-duplicate images, each kept on one side of a split.

Duplicates have equal bytes, or look alike (``near_duplicates``)."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.batches import load_fingerprint_rows, load_fingerprints
from tagger.commands.console.screen import Screen
from tagger.data import near_duplicate_groups
from tagger.runs import RunFolder
from tagger.text import counted


def duplicate_groups(
    images: pd.DataFrame, rows: NDArray[np.int64], fingerprints: Path, screen: Screen
) -> NDArray[np.int64]:
    """The group of each image, named by its smallest row; ``rows``: where its fingerprint lies in the file.

    Only by ``hash`` if there is no such file: then a version that made none began the training, and split so.
    """
    prints = load_fingerprints(fingerprints)
    hashes = images["hash"].to_numpy(dtype=str)
    if prints is None:
        return pd.Series(np.arange(len(images))).groupby(hashes).transform("min").to_numpy(np.int64)
    thumbs_NTT, colours_N3 = (array[rows] for array in prints)
    group_N = near_duplicate_groups(thumbs_NTT, colours_N3, hashes=hashes)
    sizes = np.bincount(group_N, minlength=1)
    sizes = sizes[sizes > 1]
    if len(sizes):
        largest = f", {sizes.max():,} in the largest" if len(sizes) > 1 else ""
        screen.say(
            f"{counted(len(sizes), 'group')} of near-duplicates ({sizes.sum():,} images{largest}):"
            " each stays together, in one fold or in the test split."
        )
    return group_N


def keep_fingerprints(run: RunFolder, rows: NDArray[np.int64]) -> None:
    """Save the fingerprints of these rows of the checkpoint in the run, by which edited photos are recognised."""
    prints = load_fingerprint_rows(run.checkpoint.fingerprints_path)
    if prints is not None:
        run.save_fingerprints(prints[rows])


def picture_last(images: pd.DataFrame) -> pd.DataFrame:
    """The images with the column ``picture_hash`` behind those that earlier versions know by their place.

    >>> picture_last(pd.DataFrame({"picture_hash": ["p"], "split": ["test"]})).columns.tolist()
    ['split', 'picture_hash']
    """
    if "picture_hash" not in images:  # a checkpoint of an earlier version
        return images
    return images[[*images.columns.drop("picture_hash"), "picture_hash"]]
