"""Which images are copies of one another, and where do the copies' labels differ?"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_tools.label_files import Track, check_new, in_silence, write_table
from data_tools.looks import look
from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.data import hash_files, near_duplicate_groups
from tagger.errors import Problem, TaggerError


@dataclass(frozen=True)
class Copies:
    """``table``: a row per image that has a copy, groups with different labels first.

    Columns: ``group`` (1, 2 ...), ``kind`` (*exact*: the same bytes all, or *near*), ``differs`` (labels on which the
    copies disagree, joined by ``|``), ``file``, ``hash``. The first row of a group is the one to keep.
    """

    table: pd.DataFrame
    problems: tuple[Problem, ...]


def find_copies(
    root: str | Path,
    files: Sequence[str],
    *,
    names: Sequence[str] = (),
    labels_NK: Cells | None = None,
    near: bool = True,
    track: Track = in_silence,
) -> Copies:
    """Groups of copies among ``files``: of the same bytes; with ``near`` also re-encoded, resized or mirrored ones.

    ``labels_NK`` has a row per file, unknown where nobody labelled it. How sure *near* is stands in
    ``tagger.data.near_duplicates``. Images that cannot be read count as having no copy.
    """
    hashes, sizes, problems = hash_files(root, files)
    readable_N = np.array(hashes) != ""
    rows = np.flatnonzero(readable_N)
    kept = np.array(hashes)[rows]
    group_M = pd.factorize(kept)[0].astype(np.int64)
    if near and len(rows):
        looks = look(root, [files[n] for n in rows.tolist()], track=track)
        seen = np.flatnonzero(looks.readable_N)
        joined = near_duplicate_groups(looks.thumbs_NTT[seen], looks.colours_N3[seen], hashes=kept[seen])
        group_M = len(rows) + np.arange(len(rows))
        group_M[seen] = joined
        problems = [*problems, *looks.problems]
    cells = np.full((len(files), len(names)), UNKNOWN, np.int8) if labels_NK is None else labels_NK
    table = copy_table([files[n] for n in rows.tolist()], kept, sizes[rows], group_M, names, cells[rows])
    return Copies(table, tuple(problems))


def copy_table(
    files: Sequence[str],
    hashes: NDArray[np.str_],
    sizes_N: NDArray[np.int64],
    group_N: NDArray[np.int64],
    names: Sequence[str],
    labels_NK: Cells,
) -> pd.DataFrame:
    """The table of ``Copies``. First in a group comes the file with most cells known, then the largest.

    >>> cells = np.array([[1], [0], [1]], np.int8)
    >>> hashes, groups = np.array(["x", "x", "y"]), np.array([0, 0, 2])
    >>> table = copy_table(["a", "b", "c"], hashes, np.ones(3, int), groups, ["cat"], cells)
    >>> table[["group", "kind", "differs", "file"]].values.tolist()
    [[1, 'exact', 'cat', 'a'], [1, 'exact', 'cat', 'b']]
    """
    frame = pd.DataFrame({"file": list(files), "hash": hashes, "size": sizes_N, "old": group_N})
    frame["row"], frame["known"] = np.arange(len(frame)), (labels_NK != UNKNOWN).sum(axis=1)
    frame = frame[frame["old"].duplicated(keep=False)]
    groups = []
    for _, group in frame.groupby("old"):
        group = group.sort_values(["known", "size", "file"], ascending=[False, False, True])
        cells = labels_NK[group["row"].to_numpy()]
        differs_K = (cells == YES).any(axis=0) & (cells == NO).any(axis=0)
        kind = "exact" if group["hash"].nunique() == 1 else "near"
        listed = "|".join(names[k] for k in np.flatnonzero(differs_K).tolist())
        groups.append((not differs_K.any(), kind != "exact", group["file"].iloc[0], kind, listed, group))
    rows = [
        (number, kind, listed, file, digest)
        for number, (*_, kind, listed, group) in enumerate(sorted(groups, key=lambda item: item[:3]), 1)
        for file, digest in zip(group["file"], group["hash"], strict=True)
    ]
    return pd.DataFrame(rows, columns=["group", "kind", "differs", "file", "hash"])


def surplus(table: pd.DataFrame) -> list[str]:
    """The files that a group can do without: all but its first, where the labels agree.

    Groups whose labels differ keep all their files until somebody has settled which labels are right.
    """
    agree = table[table["differs"] == ""]
    return agree.loc[agree["group"].duplicated(), "file"].tolist()


def set_aside(root: str | Path, table: pd.DataFrame, to: str | Path) -> list[str]:
    """The surplus copies moved to ``to``, under their own paths, with ``moved.csv``: nothing is deleted.

    Undone by moving the folder's content back. TaggerError if ``to`` is there already, or lies in the data folder.
    """
    to = check_new(to)
    if Path(os.path.abspath(to)).is_relative_to(os.path.abspath(root)):
        raise TaggerError(f"{to}: this lies in the data folder, so the copies would be found again. Name one outside")
    files = surplus(table)
    if not files:
        return []
    to.mkdir(parents=True)
    write_table(to / "moved.csv", table[table["file"].isin(files)])  # before the first is moved
    for file in files:
        target = to / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(root, file), target)
    return files
