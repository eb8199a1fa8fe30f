"""Tables of the splits as one: ``train/_classes.csv`` and ``valid/_classes.csv``, or ``train.csv`` and ``val.csv``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.arrays import UNKNOWN, YES
from tagger.data.folder_split import split_of_folder
from tagger.data.formats.long_table import LongTable, LongTableBuilder, to_dense
from tagger.data.formats.tabular import READABLE_SUFFIXES


def split_tables(root: Path) -> list[Path]:
    """Tables of all splits: of one name in their folders, or ``train.csv``, ``val.csv`` with one line of names.

    None unless train has one.
    """
    if not root.is_dir():
        return []
    folders = sorted(folder for folder in root.iterdir() if split_of_folder(folder.name) and folder.is_dir())
    tables = [path for folder in folders for path in sorted(folder.iterdir()) if _is_table(path)]
    names = Counter(path.name for path in tables)
    trained = {path.name for path in tables if split_of_folder(path.parent.name) == "train"}
    best = max(sorted(trained), key=lambda name: names[name], default="")
    return [path for path in tables if path.name == best] or _named_by_split(root)


def _named_by_split(root: Path) -> list[Path]:
    """``train.csv`` and those of other splits beside it that have the same first line, if there are any."""
    tables = [path for path in sorted(root.iterdir()) if split_of_folder(path.stem) and _is_table(path)]
    train = next((path for path in tables if split_of_folder(path.stem) == "train"), None)
    if train is None or train.suffix.lower() == ".parquet":
        return []
    same = [
        path for path in tables if path.suffix == train.suffix and _first_line(path) == _first_line(train)
    ]
    return same if len(same) > 1 else []


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(1 << 16).strip()


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in READABLE_SUFFIXES and path.stem != "metadata" and path.is_file()


def join_tables(tables: Sequence[LongTable], names: Sequence[str]) -> LongTable:
    """One table of all; a label that one of them does not have is unknown there unless its list is complete."""
    if len(tables) == 1:
        return tables[0]
    builder = LongTableBuilder(label for table in tables for label in table.labels)
    labels = tuple(builder.labels)
    for table in tables:
        cells_NK = to_dense(table, labels)
        for file, cells_K in zip(table.files, cells_NK, strict=True):
            builder.add_image(
                file,
                yes=[labels[k] for k in np.flatnonzero(cells_K == YES)],
                unknown=[labels[k] for k in np.flatnonzero(cells_K == UNKNOWN)],
            )
        builder.problems += table.problems
    where = ", ".join(names)
    what = tables[0].summary.partition("(")[2].rstrip(")") if tables else ""
    return builder.build(
        where, f"{where} (the first: {what})", closed_world=all(t.closed_world for t in tables)
    )
