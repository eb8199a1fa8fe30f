"""Groups of duplicate images, and the labels on which the copies disagree.

Three methods, each of which finds more and makes more errors: equal bytes; near duplicates
(``tagger.data.images.near_duplicates``); similar features of a network (``--run``), which also finds cropped,
framed and recoloured copies. docs/data.md has the error rates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_tools.features import features_of
from data_tools.image_measures import measure_images
from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.data import hash_files, near_duplicate_groups
from tagger.data.images.embedding_duplicates import block_starts, embedding_duplicate_groups
from tagger.errors import Problem
from tagger.progress import Track, no_track, progress_callback
from tagger.text import counted

MIN_COSINE = 0.9  # cosine of reduced features from which images count as *alike*: see docs/data.md
SAFE_KINDS = ("exact", "near")  # kinds that may be moved away without a look at them
KIND_ORDER = ("first", "exact", "near", "alike")


@dataclass(frozen=True)
class DuplicateGroups:
    """Groups of duplicates: ``table`` has a row per image with a copy, groups with different labels first.

    Columns: ``group`` (1, 2 ...), ``kind``, ``differs`` (labels on which the group's images disagree,
    joined by ``|``), ``file``, ``hash``. The first image of a group is the one to keep; its kind is *first*.
    The kind of the others compares them with it: *exact* (equal bytes), *near* (near duplicate) or *alike*
    (similar features).
    """

    table: pd.DataFrame
    problems: tuple[Problem, ...]


def find_duplicates(
    root: str | Path,
    files: Sequence[str],
    *,
    names: Sequence[str] = (),
    labels_NK: Cells | None = None,
    known: pd.DataFrame | None = None,
    near: bool = True,
    run: str | Path | None = None,
    min_similarity: float = MIN_COSINE,
    track: Track = no_track,
) -> DuplicateGroups:
    """Groups of duplicates among ``files``: equal bytes; with ``near``, near duplicates; with ``run``, *alike* ones.

    ``labels_NK`` has a row per file, unknown where nobody labelled it. ``known`` holds hashes that need not
    be computed again (``Dataset.images``). Every distinct image is decoded once; memory grows by 0.5 kB an
    image, with ``run`` by 1 kB. Images that cannot be read have no copies.
    """
    images, problems = hash_table(root, files, known, track=track)
    distinct = images.drop_duplicates("hash")
    paths = distinct["file"].tolist()
    group_M = np.arange(len(distinct))
    pixels_M = np.zeros(len(distinct), np.int64)
    if near:
        measures = measure_images(root, paths, track=track)
        seen = np.flatnonzero(measures.readable_N)
        group_M[seen] = seen[near_duplicate_groups(measures.thumbs_NTT[seen], measures.colours_N3[seen])]
        pixels_M = measures.width_N * measures.height_N
        problems += measures.problems
    alike_M = group_M
    if run is not None:
        features_MD, unread = features_of(run, root, paths, distinct["hash"].tolist(), track=track)
        alike_M = embedding_groups(features_MD, group_M, min_similarity=min_similarity, track=track)
        problems += [problem for problem in unread if problem.file not in {p.file for p in problems}]
    row_of_hash = {digest: m for m, digest in enumerate(distinct["hash"])}
    distinct_N = images["hash"].map(row_of_hash).to_numpy(dtype=np.int64)
    cells = np.full((len(files), len(names)), UNKNOWN, np.int8) if labels_NK is None else labels_NK
    images = images.assign(near=group_M[distinct_N], alike=alike_M[distinct_N], pixels=pixels_M[distinct_N])
    return DuplicateGroups(duplicate_table(images, names, cells[images["row"]]), tuple(problems))


def hash_table(
    root: str | Path, files: Sequence[str], known: pd.DataFrame | None, *, track: Track = no_track
) -> tuple[pd.DataFrame, list[Problem]]:
    """(table, problems): ``file``, ``hash``, ``size`` and ``row`` (in ``files``) of every readable file."""
    images = pd.DataFrame({"file": pd.Series(list(files), dtype=str)})
    columns = ["file", "hash", "size"]
    old = pd.DataFrame(columns=columns) if known is None else known[columns]
    new = images.loc[~images["file"].isin(set(old["file"])), "file"].tolist()
    hashes, sizes, problems = hash_files(
        root, new, progress=progress_callback(track, len(new), "Reading images")
    )
    found = {file: (digest, size) for file, digest, size in zip(new, hashes, sizes.tolist(), strict=True)}
    found |= {file: (digest, size) for file, digest, size in old.itertuples(index=False)}
    images["hash"] = [found[file][0] for file in images["file"]]
    images["size"] = [found[file][1] for file in images["file"]]
    images["row"] = np.arange(len(images))
    return images[images["hash"] != ""].reset_index(drop=True), problems


def embedding_groups(
    features_ND: NDArray[np.float16],
    group_N: NDArray[np.int64],
    *,
    min_similarity: float,
    track: Track = no_track,
) -> NDArray[np.int64]:
    """Groups of images whose features, standardised and reduced, have a cosine of at least ``min_similarity``."""
    from tagger.suspects.nearest_neighbours import reduce_features

    rows = np.flatnonzero(np.asarray(features_ND).any(axis=1))
    if len(rows) < 2:
        return group_N
    vectors = reduce_features(features_ND[rows])
    unit_ND = np.zeros((len(features_ND), vectors.shape[1]), np.float32)
    unit_ND[rows] = vectors
    blocks = block_starts(len(unit_ND))
    return embedding_duplicate_groups(
        unit_ND, min_similarity=min_similarity, group_N=group_N, blocks=track(blocks, "Comparing features")
    )


def duplicate_table(images: pd.DataFrame, names: Sequence[str], labels_NK: Cells) -> pd.DataFrame:
    """The table of ``DuplicateGroups``. The first file of a group has most known cells, then pixels, then bytes.

    >>> images = pd.DataFrame({"file": ["a", "b", "c"], "hash": ["x", "x", "y"]})
    >>> images = images.assign(size=1, pixels=1, near=0, alike=0)
    >>> table = duplicate_table(images, ["cat"], np.array([[1], [0], [-1]], np.int8))
    >>> table[["group", "kind", "differs", "file"]].values.tolist()
    [[1, 'first', 'cat', 'a'], [1, 'exact', 'cat', 'b'], [1, 'near', 'cat', 'c']]
    """
    frame = images.assign(row=np.arange(len(images)), known=(labels_NK != UNKNOWN).sum(axis=1))
    frame = frame[frame["alike"].duplicated(keep=False)]
    frame = frame.sort_values(
        ["alike", "known", "pixels", "size", "file"], ascending=[True, False, False, False, True]
    )
    start_G = np.flatnonzero(~frame["alike"].duplicated())
    group_R = np.repeat(np.arange(len(start_G)), np.diff([*start_G, len(frame)]))
    first = frame.iloc[start_G[group_R]]
    kind_R = np.where(frame["near"].to_numpy() == first["near"].to_numpy(), "near", "alike")
    kind_R = np.where(frame["hash"].to_numpy() == first["hash"].to_numpy(), "exact", kind_R)
    frame = frame.assign(kind=kind_R, differs="", head=first["file"].to_numpy(), old=group_R)
    loosest_G = frame["kind"].map(KIND_ORDER.index).groupby(group_R).max()
    frame["kind"] = frame["kind"].mask(~frame["alike"].duplicated(), "first")
    if len(names) and len(frame):
        frame["differs"] = disagreements(labels_NK[frame["row"]], start_G, names)[group_R]
    frame = frame.assign(agree=frame["differs"] == "", loosest=loosest_G.reindex(group_R).to_numpy())
    frame = frame.sort_values(["agree", "loosest", "head"], kind="stable")
    frame["group"] = pd.factorize(frame["old"])[0] + 1
    return frame[["group", "kind", "differs", "file", "hash"]].reset_index(drop=True)


def disagreements(labels_RK: Cells, start_G: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.object_]:
    """The labels on which each group's images disagree, joined by ``|``; a group is the rows from start to start.

    >>> disagreements(np.array([[1, 0], [0, 0], [1, -1]], np.int8), np.array([0, 2]), ["cat", "dog"]).tolist()
    ['cat', '']
    """
    differs_GK = np.logical_or.reduceat(labels_RK == YES, start_G) & np.logical_or.reduceat(
        labels_RK == NO, start_G
    )
    listed = ["|".join(names[k] for k in np.flatnonzero(row).tolist()) for row in differs_GK]
    return np.array(listed, dtype=object)


def removable_files(table: pd.DataFrame) -> list[str]:
    """The files that can be removed: *exact* and *near* copies of a group's first image, if all labels agree.

    Groups whose labels differ keep all files until somebody has corrected the labels. Images that are only
    *alike* may be two photos of one moment, and are kept.
    """
    return table.loc[(table["differs"] == "") & table["kind"].isin(SAFE_KINDS), "file"].tolist()


def format_groups(table: pd.DataFrame, *, most: int = 12) -> Iterator[str]:
    """The first groups as lines for a screen.

    >>> row = {"group": 1, "kind": "first", "differs": "cat", "file": "a.jpg"}
    >>> list(format_groups(pd.DataFrame([row, row | {"kind": "near", "file": "b.jpg"}])))
    ['1: labels differ: cat', '   first  a.jpg', '   near   b.jpg']
    """
    for number, group in table.groupby("group"):
        if int(str(number)) > most:
            yield f"... and {counted(table['group'].nunique() - most, 'more group')}"
            return
        differs = str(group["differs"].iloc[0])
        yield f"{number}: labels differ: {differs.replace('|', ', ')}" if differs else f"{number}:"
        yield from (f"   {row.kind:5}  {row.file}" for row in group.head(most).itertuples())
        if len(group) > most:
            yield f"   ... and {len(group) - most:,} more"
