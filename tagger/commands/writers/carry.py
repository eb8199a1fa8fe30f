"""What gets lost when labels are written in a format? Said in words, and refused where it would be read as another."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.arrays import UNKNOWN, YES, Cells
from tagger.commands.writers.part import Says
from tagger.data.wording import counted, shortlist
from tagger.errors import TaggerError


def losses(labels_NK: Cells, names: Sequence[str], says: Says, format: str) -> tuple[str, ...]:
    """A sentence for each kind of thing that ``labels_NK`` says and the format cannot, with how often.

    >>> losses(np.array([[1, -1], [-1, -1], [0, 0]], np.int8), ["cat", "dog"], Says(), "coco")[0]
    '1 cell unknown: coco cannot say so, and has it as no'
    """
    found = []
    unheard_N = (labels_NK == UNKNOWN).all(axis=1)
    unknown = int((labels_NK[~unheard_N] == UNKNOWN).sum())
    if unknown and not says.unknown:
        them = "it" if unknown == 1 else "them"
        found.append(f"{counted(unknown, 'cell')} unknown: {format} cannot say so, and has {them} as no")
    if unheard_N.any() and not says.unknown:
        found.append(f"{counted(int(unheard_N.sum()), 'image')} of which nothing is known: left out")
    none_N = ~unheard_N & ~(labels_NK == YES).any(axis=1)
    if none_N.any() and not says.none:
        found.append(f"{counted(int(none_N.sum()), 'image')} without a label: {format} cannot say so; left out")
    unused = [name for name, cells in zip(names, labels_NK.T, strict=True) if not _stands(cells, says)]
    if unused and not says.unused:
        listed = shortlist([repr(name) for name in unused])
        found.append(f"{counted(len(unused), 'label')} that no image has: {format} has no place for {listed}")
    return tuple(found)


def _stands(cells: np.ndarray, says: Says) -> bool:
    return bool((cells == YES).any() or (says.unknown and (cells == UNKNOWN).any()))


def check_labels(names: Sequence[str]) -> None:
    """Pass if readers take the names as they are; TaggerError with all that they would cut, or not find.

    >>> check_labels(["red, white", "a|b"])
    """
    bad = [repr(name) for name in names if not name.strip() or name != name.strip() or "\0" in name]
    if bad:
        what = "empty, or has blanks at its ends or a NUL"
        raise TaggerError(f"A label is {what}, and would not be read again the same: {shortlist(bad, 20)}. Rename it")
    if len(set(names)) < len(names):
        raise TaggerError(f"Labels of the same name: {shortlist([repr(n) for n in names if names.count(n) > 1])}")


def check_places(files: Sequence[str], root: str | Path, beside: Path) -> None:
    """Pass if no file's path means another image when it is read beside the label file; TaggerError otherwise.

    Formats whose paths other programs take from the images' folder cannot write ``../a.jpg`` instead.
    """
    here, data = os.path.abspath(beside), os.path.abspath(root)
    if here == data or not here.startswith(os.path.join(data, "")):
        return
    taken = [file for file in files if os.path.exists(os.path.join(here, file))]
    if taken:
        other = os.path.relpath(os.path.join(here, taken[0]), data)
        raise TaggerError(
            f"{beside}: {taken[0]!r} would be read as {other!r} there ({counted(len(taken), 'image')} like it)."
            f" Write the file to {root} itself, or outside of it"
        )


def as_found(file: str, root: str | Path, beside: Path) -> str:
    """A path that a label table in ``beside`` may name the image ``file`` of ``root`` by.

    Readers look beside the label file first, then in the data; ``./`` keeps a leading space that they would cut off.

    >>> as_found("a/x.jpg", "data", Path("data/lists")), as_found(" x.jpg", "data", Path("elsewhere"))
    ('../a/x.jpg', './ x.jpg')
    """
    here, data = os.path.abspath(beside), os.path.abspath(root)
    if here != data and (here.startswith(os.path.join(data, "")) or os.path.exists(os.path.join(here, file))):
        file = os.path.relpath(os.path.join(data, file), here).replace(os.sep, "/")
    return file if file == file.lstrip() else f"./{file}"
