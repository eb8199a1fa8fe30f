"""Reader of label folders: ``cat/1.jpg`` has the label *cat*; the same file in two has both.

Where the first folders are splits (``train/cat/1.jpg``, ``val/cat/2.jpg``), the next ones are the labels.
"""

import os
import re
from pathlib import Path

from tagger.data.folder_split import is_part, split_of_folder
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.errors import Problem
from tagger.text import counted, shortlist

# Folders that say what kind of file is in them, not what a photo shows.
STRUCTURE = frozenset(
    {
        "images", "image", "imgs", "img", "photos", "pictures", "pics", "jpg", "jpeg", "jpegs", "jpegimages", "png",
        "raw", "raws", "masks", "mask", "labels", "annotations", "segmentation", "segmentations", "depth", "gt",
        "groundtruth", "ground_truth", "original", "originals", "edited", "export", "exports", "thumbs",
        "thumbnails", "input", "inputs", "output", "outputs", "unlabeled", "unlabelled",
    }
)  # fmt: skip
DATE = re.compile(
    r"(19|20)\d\d([-_. ]?[01]\d([-_. ]?[0-3]\d)?)?\b.*|\d{1,2}"
)  # 2019, 2019-05, 2019-05-01 Paris, 07


class LabelFolderReader:
    """Reader of label folders: the first folder below the data folder is the label, at any depth of the image."""

    def detect(self, images: ImageLookup) -> Path | None:
        """The data folder, if at least two sub-folders hold images and their names may be labels."""
        return images.root if self.holds_labels(images.root, images) else None

    def holds_labels(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with two sub-folders of images or more whose names may be labels."""
        names = {name.casefold() for name in _labels(path, images)}
        return len(names) > 1 and not names <= STRUCTURE

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with at least one sub-folder that holds images."""
        return path.is_dir() and bool(_labels(path, images))

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """A label per sub-folder. Images beside the sub-folders are not listed."""
        first = _first_folders(path, images)
        splits = _split_folders(first)
        labels = _labels(path, images)
        stray = _stray(path, images, splits)
        labels = [label for label in labels if label not in stray]
        builder = LongTableBuilder(labels)
        for file in images.files:
            folders = _inside(path, images, file)
            label = _label(folders, splits)
            if label and not (label in stray and folders[0] in splits):
                builder.add_image(file, yes=[label], location=f"{label}/")
        builder.problems += [
            Problem("the sub-folders", None, doubt) for doubt in _doubts(labels, first, splits, stray)
        ]
        summary = f"{len(labels):,} sub-folders, one per label"
        if splits:
            kept = "--set data.split=folders keeps them"
            names = ", ".join(f"{name}/" for name in splits)
            summary += f", inside {names}, which are {'parts' if is_part(splits[0]) else f'splits ({kept})'}"
        return builder.build("the sub-folders", summary, merge_copies=True)


def _labels(path: Path, images: ImageLookup) -> list[str]:
    splits = _split_folders(_first_folders(path, images))
    return sorted({_label(_inside(path, images, file), splits) for file in images.files} - {""})


def _first_folders(path: Path, images: ImageLookup) -> list[str]:
    return sorted({_label(_inside(path, images, file), []) for file in images.files} - {""})


def _split_folders(first: list[str]) -> list[str]:
    """Those of the first folders that are splits: all are, or there is one for training and another split.

    >>> _split_folders(["train", "val"]), _split_folders(["bus", "car", "train"])
    (['train', 'val'], [])
    """
    if len(first) > 1 and all(map(is_part, first)):
        return first  # fold1, fold2: parts of the photos, not what they show
    splits = [name for name in first if split_of_folder(name)]
    parts = {split_of_folder(name) for name in splits}
    enough = len(parts) > 1 or len(splits) == len(first)
    return splits if "train" in parts and enough else []


def _inside(path: Path, images: ImageLookup, file: str) -> list[str]:
    """The folders of an image below ``path``; none if it is not there."""
    prefix = os.path.relpath(os.path.abspath(path), images.root).replace(os.sep, "/")
    inside = file if prefix == "." else file.removeprefix(prefix + "/")
    return [] if prefix != "." and inside == file else inside.split("/")[:-1]


def _label(folders: list[str], splits: list[str]) -> str:
    """The folder that is the label: the first, or the one in a split; nothing if there is none."""
    if not splits:
        return folders[0] if folders else ""
    if not folders or folders[0] not in splits:
        return ""
    split = split_of_folder(folders[0])  # also training_set/training_set/cat
    return next((name for name in folders[1:] if not split or split_of_folder(name) != split), "")


def _stray(path: Path, images: ImageLookup, splits: list[str]) -> list[str]:
    """Folders such as ``val/images`` that hold photos of a split without labels, while others have labels."""
    found: dict[str, set[str]] = {}
    for file in images.files:
        folders = _inside(path, images, file)
        if label := _label(folders, splits):
            found.setdefault(label, set()).add(split_of_folder(folders[0]))
    if not splits or not any(
        "train" in parts and name.casefold() not in STRUCTURE for name, parts in found.items()
    ):
        return []
    return [name for name, parts in found.items() if name.casefold() in STRUCTURE and "train" not in parts]


def _doubts(labels: list[str], first: list[str], splits: list[str], stray: list[str]) -> list[str]:
    """What may be read wrongly."""
    if stray:
        names = shortlist([f"{name}/" for name in stray])
        return [f"inside the splits, {names} not read as labels", *_doubts(labels, first, splits, [])]
    beside = [f"{name}/" for name in first if splits and name not in splits]
    left = [f"beside the splits, {shortlist(beside)} not read as labels"] if beside else []
    return [*left, *filter(None, [_doubt(labels)])]


def _doubt(labels: list[str]) -> str:
    """Why the names of the sub-folders may be no labels, or nothing.

    >>> _doubt(["2019", "2020-05 Paris"])[:62]
    "2 of 2 sub-folders have names such as '2019', '2020-05 Paris':"
    """
    dates = [name for name in labels if DATE.fullmatch(name)]
    kinds = [name for name in labels if name.casefold() in STRUCTURE]
    odd = dates if 2 * len(dates) > len(labels) else kinds
    if not odd:
        return ""
    names = shortlist([repr(name) for name in odd], most=3)
    what = "dates or numbers" if odd is dates else "kinds of files"
    number = f"{len(odd):,} of {counted(len(labels), 'sub-folder')} have names such as {names}"
    return f"{number}: {what}, perhaps no labels. If so, name a label file with --labels"
