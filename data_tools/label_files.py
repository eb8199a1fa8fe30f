"""How do tools read a data set with a progress bar, and write labels that ``--labels`` reads back the same?"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tagger.arrays import Cells
from tagger.data import Dataset, list_images, read_dataset
from tagger.data.images import check_folder
from tagger.data.records import TABLE_SUFFIXES
from tagger.errors import TaggerError
from tagger.review import apply_decisions, label_table
from tagger.runs import replacing

Track = Callable[[Sequence[Any], str], Iterable[Any]]  # the items as they are; a screen draws progress on the way


def in_silence(items: Sequence[Any], description: str) -> Iterator[Any]:
    """The items, with no progress shown: what a tool does when it is called from Python.

    >>> list(in_silence([1, 2], "counting"))
    [1, 2]
    """
    yield from items


def read_with_progress(root: str | Path, labels: str | Path | None = None, *, track: Track = in_silence) -> Dataset:
    """The data set, as ``tagger.read_dataset`` reads it, with progress while images are hashed."""
    total = len(list_images(check_folder(root)).files)
    return read_dataset(root, labels, progress=stepper(track, total, "Reading images"))


def stepper(track: Track, total: int, description: str) -> Callable[[int], None]:
    """A function that is told how many of ``total`` are done, and moves the progress of ``track`` there.

    >>> step = stepper(in_silence, 3, "counting")
    >>> step(2), step(3)
    (None, None)
    """
    steps, done = iter(track(range(total + 1), description)), 0

    def step(now: int) -> None:
        nonlocal done
        while done < now and next(steps, None) is not None:
            done += 1

    return step


def save_labels(
    out: str | Path, root: str | Path, files: Sequence[str], names: Sequence[str], labels_NK: Cells
) -> Path:
    """``out`` (.csv, .tsv or .parquet), written: ``file,labels``, or where that is needed one 0/1/empty column a label.

    ``files`` are relative to ``root`` and written such that ``tagger train --data ROOT --labels OUT`` finds them.
    TaggerError if ``out`` is there already: no label file is ever overwritten.
    """
    out = check_new(out, TABLE_SUFFIXES)
    found = [as_found(file, root, out.parent) for file in files]
    table = label_table(found, apply_decisions(found, [str(n) for n in range(len(found))], labels_NK, names, []))
    write_table(out, table)
    return out


def write_table(out: Path, table: pd.DataFrame) -> None:
    """A table in the form that its suffix names, whole or not at all."""
    with replacing(out) as temporary:
        if out.suffix.lower() == ".parquet":
            pq.write_table(pa.Table.from_pandas(table, preserve_index=False), temporary)
        else:
            mark = "\t" if out.suffix.lower() == ".tsv" else ","
            temporary.write_text(table.to_csv(index=False, lineterminator="\n", sep=mark), "utf-8", newline="")


def check_new(out: str | Path, suffixes: Sequence[str] = ()) -> Path:
    """``out`` as a Path; TaggerError if something is there already, or if it ends in none of ``suffixes``."""
    out = Path(out)
    if suffixes and out.suffix.lower() not in suffixes:
        raise TaggerError(f"{out}: give a name that ends in {' or '.join(suffixes)}")
    if out.exists():
        raise TaggerError(f"{out}: this is there already and is left as it is. Give another name")
    return out


def as_found(file: str, root: str | Path, beside: Path) -> str:
    """A path that a label file in ``beside`` may name the image ``file`` of ``root`` by.

    Readers look beside the label file first, then in the data; ``./`` keeps a leading space that they would cut off.

    >>> as_found("a/x.jpg", "data", Path("data/lists")), as_found(" x.jpg", "data", Path("elsewhere"))
    ('../a/x.jpg', './ x.jpg')
    """
    here, data = os.path.abspath(beside), os.path.abspath(root)
    if here != data and (here.startswith(os.path.join(data, "")) or os.path.exists(os.path.join(here, file))):
        file = os.path.relpath(os.path.join(data, file), here).replace(os.sep, "/")
    return file if file == file.lstrip() else f"./{file}"
