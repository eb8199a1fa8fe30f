"""Information that a format cannot store, in sentences; names and paths that would not be read back the same."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.arrays import UNKNOWN, YES, Cells
from tagger.commands.writers.base import FormatCapabilities
from tagger.errors import TaggerError
from tagger.text import counted, shortlist


def information_losses(
    labels_NK: Cells, names: Sequence[str], capabilities: FormatCapabilities, format: str
) -> tuple[str, ...]:
    """A sentence for each kind of information in ``labels_NK`` that the format cannot store, with its count.

    >>> cells = np.array([[1, -1], [-1, -1], [0, 0]], np.int8)
    >>> information_losses(cells, ["cat", "dog"], FormatCapabilities(), "coco")[0]
    "1 unknown label: coco cannot store that; 'no' is written instead"
    """
    found = []
    undecided_N = (labels_NK == UNKNOWN).all(axis=1)
    unknown = int((labels_NK[~undecided_N] == UNKNOWN).sum())
    if unknown and not capabilities.unknown_cells:
        number = counted(unknown, "unknown label")
        found.append(f"{number}: {format} cannot store that; 'no' is written instead")
    if undecided_N.any() and not capabilities.unknown_cells:
        found.append(f"{counted(int(undecided_N.sum()), 'photo')} with unknown labels only: left out")
    none_N = ~undecided_N & ~(labels_NK == YES).any(axis=1)
    if none_N.any() and not capabilities.images_without_labels:
        found.append(
            f"{counted(int(none_N.sum()), 'photo')} without labels: {format} cannot store that; left out"
        )
    unused = [
        name for name, cells in zip(names, labels_NK.T, strict=True) if not _is_written(cells, capabilities)
    ]
    if unused and not capabilities.unused_labels:
        listed = shortlist([repr(name) for name in unused])
        found.append(f"{counted(len(unused), 'label')} that no photo has: {format} cannot store {listed}")
    return tuple(found)


def _is_written(cells: np.ndarray, capabilities: FormatCapabilities) -> bool:
    return bool((cells == YES).any() or (capabilities.unknown_cells and (cells == UNKNOWN).any()))


def check_label_names(names: Sequence[str]) -> None:
    """Pass if readers read the names back unchanged; TaggerError with all the others.

    >>> check_label_names(["red, white", "a|b"])
    """
    bad = [repr(name) for name in names if not name.strip() or name != name.strip() or "\0" in name]
    if bad:
        what = "empty, or has blanks at its ends or a NUL character"
        raise TaggerError(
            f"A label is {what}, and would not be read back the same: {shortlist(bad, 20)}. Rename it."
        )
    if len(set(names)) < len(names):
        raise TaggerError(
            f"Several labels have the same name: {shortlist([repr(n) for n in names if names.count(n) > 1])}"
        )


def check_relative_paths(files: Sequence[str], root: str | Path, label_folder: Path) -> None:
    """Pass if no path names another image when it is read beside the label file; TaggerError otherwise.

    Formats whose paths other programs take from the images' folder cannot write ``../a.jpg`` instead.
    """
    here = os.path.abspath(label_folder)
    data = os.path.abspath(root)
    if here == data or not here.startswith(os.path.join(data, "")):
        return
    taken = [file for file in files if os.path.exists(os.path.join(here, file))]
    if taken:
        other = os.path.relpath(os.path.join(here, taken[0]), data)
        raise TaggerError(
            f"A label file in {label_folder} would point to the wrong photo: {taken[0]!r} means {other!r} there"
            f" ({counted(len(taken), 'such photo')}). Write the file to {root} itself, or outside of it."
        )


def path_in_table(file: str, root: str | Path, label_folder: Path) -> str:
    """The path by which a label table in ``label_folder`` names the image ``file`` of ``root``.

    Readers look beside the label file first, then in the data. ``./`` keeps a leading space, which they strip.

    >>> path_in_table("a/x.jpg", "data", Path("data/lists")), path_in_table(" x.jpg", "data", Path("elsewhere"))
    ('../a/x.jpg', './ x.jpg')
    """
    here = os.path.abspath(label_folder)
    data = os.path.abspath(root)
    if here != data and (here.startswith(os.path.join(data, "")) or os.path.exists(os.path.join(here, file))):
        file = os.path.relpath(os.path.join(data, file), here).replace(os.sep, "/")
    return file if file == file.lstrip() else f"./{file}"
