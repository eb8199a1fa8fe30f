"""Split that the folders of the photos give: ``train/``, ``val/``, ``test/`` and their usual other names."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Cells
from tagger.data.split import SPLITS, Split, split_images
from tagger.errors import TaggerError
from tagger.text import counted, shortlist

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# Words beside those in names such as training_set, seg_train, test_images.
FILLERS = frozenset(
    {
        *("set", "sets", "data", "dataset", "images", "image", "img", "imgs", "photos", "pics"),
        *("files", "folder", "split", "seg", "jpg", "jpeg", "png"),
    }
)
PART = re.compile(r"(k?fold|cv|part|split|batch|chunk|shard)[-_ ]?\d+", re.IGNORECASE)


def split_of_folder(name: str) -> str:
    """``train``, ``val`` or ``test`` if a folder of that name usually holds this split; else nothing.

    >>> [split_of_folder(name) for name in ("Validation", "training_set", "test2017", "cats", "train station")]
    ['val', 'train', 'test', '', '']
    """
    words = re.findall(r"[^\W\d_]+", name.casefold())
    kinds = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    if len(kinds) != 1 or not all(word in SPLIT_WORDS or word in FILLERS for word in words):
        return ""
    return kinds.pop()


def is_part(name: str) -> bool:
    """Whether a folder of that name usually holds a part of the photos that says nothing of them.

    >>> is_part("fold_1"), is_part("batch3"), is_part("folder")
    (True, True, False)
    """
    return bool(PART.fullmatch(name))


def split_of_file(file: str) -> str:
    """The split of the first folder of a path that names one; nothing if none does.

    >>> split_of_file("images/train/cat/1.jpg"), split_of_file("train.jpg")
    ('train', '')
    """
    folders = re.split(r"[/\\]", file)[:-1]
    return next(filter(None, map(split_of_folder, folders)), "")


def split_by_folders(
    files: Sequence[str],
    labels_NK: Cells,
    hashes: Sequence[str],
    *,
    groups: NDArray[np.int64],
    folds: int,
    seed: int,
    names: Sequence[str],
) -> Split:
    """The split of each image by its path, folds of those that are not test, and notes on groups in two splits.

    TaggerError, with examples, if the path of an image names no split, or if none is for training.
    """
    split_N = np.array([split_of_file(file) for file in files])
    lost = [file for file, part in zip(files, split_N, strict=True) if not part]
    usual = "train/, val/ or test/ (also valid, validation, dev, training, testing)"
    if lost:
        raise TaggerError(
            f"data.split=folders: {counted(len(lost), 'photo')} in no folder of a split, such as {lost[0]}."
            f" Each must be in a folder {usual}; or leave data.split=random."
        )
    if not (split_N == "train").any():
        raise TaggerError(f"data.split=folders: no photo is in a folder train/. Name the folders {usual}.")
    fold_N = np.full(len(files), -1, dtype=np.int64)
    learnt = np.flatnonzero(split_N != "test")
    inner = split_images(
        labels_NK[learnt],
        [hashes[n] for n in learnt.tolist()],
        groups=groups[learnt],
        val=0.0,
        test=0.0,
        folds=folds,
        seed=seed,
        names=names,
    )
    fold_N[learnt] = inner.fold
    absent = [f"no photo is in a folder {part}/" for part in ("val", "test") if not (split_N == part).any()]
    notes = [*inner.notes, *absent, *_torn_groups(files, split_N, groups)]
    return Split(split_N, fold_N, tuple(notes))


def _torn_groups(files: Sequence[str], split_N: NDArray[np.str_], groups: NDArray[np.int64]) -> list[str]:
    """One note on photos that belong together (copies) but are in two splits; they are left where they are."""
    parts: dict[int, dict[str, str]] = {}
    for file, part, group in zip(files, split_N.tolist(), groups.tolist(), strict=True):
        parts.setdefault(group, {}).setdefault(part, file)
    torn = [by_part for by_part in parts.values() if len(by_part) > 1]
    if not torn:
        return []
    examples = [" and ".join(by_part[part] for part in SPLITS if part in by_part) for by_part in torn]
    return [
        f"{counted(len(torn), 'group')} of copies or near-duplicates in two splits, so that metrics are too good:"
        f" {shortlist(examples, most=3)}"
    ]
