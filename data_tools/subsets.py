"""Stratified samples of a data set: each label keeps its share."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_tools.label_files import check_new_path, save_labels
from tagger.arrays import Cells
from tagger.data import split_images
from tagger.errors import TaggerError
from tagger.progress import Track, no_track
from tagger.runs import atomic_write


def sample_rows(labels_NK: Cells, hashes: Sequence[str], num: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Rows of exactly ``num`` images, in order, in which every label keeps nearly its share.

    Iterative stratification, as for the test split; the number is then completed or cut at random.
    TaggerError if ``num`` is 0, or not below the number of images.

    >>> sample_rows(np.array([[1], [0]] * 10, np.int8), [str(n) for n in range(20)], 4).size
    4
    """
    if not 0 < num < len(labels_NK):
        raise TaggerError(
            f"A sample of {num:,} out of {len(labels_NK):,} images: give a number from 1 to {len(labels_NK) - 1:,}"
        )
    split = split_images(labels_NK, hashes, val=0, test=num / len(labels_NK), folds=1, seed=seed).split
    rng = np.random.default_rng(seed)
    chosen, others = (
        rng.permutation(np.flatnonzero((split == "test") == wanted)) for wanted in (True, False)
    )
    return np.sort(np.concatenate([chosen[:num], others[: max(num - len(chosen), 0)]]))


def save_sample(
    out: str | Path, root: str | Path, files: Sequence[str], names: Sequence[str], labels_NK: Cells,
    *, track: Track = no_track,
) -> Path:  # fmt: skip
    """Copy images to the new folder ``out`` under their own paths, with ``labels.csv`` and any ``labels.toml``.

    TaggerError if ``out`` exists or is inside the data folder.
    """
    out = check_new_path(out)
    root = Path(root)
    if Path(os.path.abspath(out)).is_relative_to(os.path.abspath(root)):
        raise TaggerError(
            f"{out}: this is inside the data folder, so its images would be found twice. Name a folder outside"
        )
    for file in track(files, "Copying images"):
        with atomic_write(out / file) as temporary:  # an interrupted copy would be a damaged image
            shutil.copy2(root / file, temporary)
    save_labels(out / "labels.csv", out, files, names, labels_NK)
    if (root / "labels.toml").is_file():
        shutil.copy2(root / "labels.toml", out / "labels.toml")
    return out
