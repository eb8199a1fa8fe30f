"""Writing labels in any format: the writer is chosen by its name; plain tables are written here."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tagger.arrays import UNKNOWN, YES, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.writers.base import LabelBatch
from tagger.commands.writers.image_folder import METADATA_FILE
from tagger.commands.writers.label_folders import check_empty_folder
from tagger.commands.writers.lossiness import (
    check_label_names,
    check_relative_paths,
    information_losses,
    path_in_table,
)
from tagger.commands.writers.sidecar_batch import ON_EXISTING, write_sidecars
from tagger.commands.writers.sidecars import sidecar_formats
from tagger.commands.writers.tables import csv_text, table_formats
from tagger.data.formats.csv_injection import escape_formulas
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.runs import atomic_write, write_text

CHUNK = 2048
TABLE_DELIMITERS = {
    "csv": ",",
    "tsv": "\t",
    "parquet": "",
}  # what train's --labels reads first, and what separates columns
ROOT_RELATIVE_FORMATS = ("coco", "label-studio")  # other programs take their paths from the images' folder
LABEL_FORMATS = (*table_formats.names(), *sidecar_formats.names())


@dataclass(frozen=True)
class WriteResult:
    """Where the labels are, of how many images, how many sidecars were kept, and what could not be said or
    written.

    ``information_losses`` are sentences on what the format has no words for.
    """

    out: Path
    num_images: int
    num_skipped: int = 0
    lost_information: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def write_labels(
    files: Sequence[str],
    labels_NK: Cells,
    names: Sequence[str],
    *,
    root: str | Path,
    out: str | Path,
    format: str,
    on_existing: str = "skip",
    screen: Screen | None = None,
) -> WriteResult:
    """Labels of the images ``root / file`` in ``out``: a file, or a folder of sidecars or of images.

    Cells are -1 unknown, 0 no, 1 yes. What a format cannot say is in ``information_losses``: where that is
    *unknown*, such a cell is as if it were *no* (in a merged sidecar the label stays as it is), and an
    image of which nothing is known is left out. ``on_existing`` is ``skip`` (TaggerError for a file that is
    there; a sidecar is kept), ``overwrite``, or ``merge`` (sidecars). The images are never changed.
    TaggerError if something is not to be had.
    """
    screen = screen or Screen(quiet=True)
    out = Path(out)
    names = tuple(names)
    root = Path(root)
    check_format(format)
    check_label_names(names)
    if format in sidecar_formats.names():
        if on_existing not in ON_EXISTING:
            raise TaggerError(f"Unknown --on-existing {on_existing!r}. Available: {', '.join(ON_EXISTING)}")
        kept_N = (labels_NK != UNKNOWN).any(axis=1)
        writer = sidecar_formats.build(format, names)
        done, skipped, problems = write_sidecars(
            [file for file, kept in zip(files, kept_N, strict=True) if kept], labels_NK[kept_N], names, out, writer,
            on_existing=on_existing, screen=screen,
        )  # fmt: skip
        capabilities = replace(writer.capabilities, unknown=on_existing == "merge")
        return WriteResult(
            out, done, skipped, information_losses(labels_NK, names, capabilities, format), problems
        )
    if on_existing not in ("skip", "overwrite"):
        raise TaggerError(
            f"--on-existing {on_existing} is for sidecars (txt, xmp). Available here: skip, overwrite"
        )
    target = out / METADATA_FILE if format.startswith("imagefolder") else out
    if format.startswith("folders"):
        check_empty_folder(target)
    elif target.exists() and on_existing != "overwrite":
        raise TaggerError(
            f"{target} exists already. Replace it with --on-existing overwrite, or give another --out."
        )
    if format in TABLE_DELIMITERS:
        _write_label_table(
            [path_in_table(file, root, out.parent) for file in files], labels_NK, names, target, format
        )
        return WriteResult(out, len(files))
    num = _write_batches(files, labels_NK, names, root, target, format, screen)
    capabilities = table_formats.find(format).capabilities  # type: ignore[attr-defined]
    return WriteResult(out, num, lost_information=information_losses(labels_NK, names, capabilities, format))


def check_format(format: str) -> None:
    """Pass if labels can be written so; TaggerError with the nearest name.

    >>> check_format("coco")
    """
    if format not in LABEL_FORMATS:
        known = ", ".join(LABEL_FORMATS)
        raise TaggerError(
            f"Unknown --format {format!r}.{did_you_mean(format, LABEL_FORMATS)} Available: {known}"
        )


def _write_label_table(
    files: Sequence[str], labels_NK: Cells, names: tuple[str, ...], out: Path, format: str
) -> None:
    """The table that ``--labels`` reads; columns of text, as they hold 0, 1 and nothing."""
    from tagger.review import (
        CorrectedLabels,
        label_table,
    )  # here, because predicting starts without a database

    nobody = np.zeros(labels_NK.shape, dtype=bool)
    applied = CorrectedLabels(
        names=names, labels_NK=labels_NK, verified_NK=nobody, blind_NK=nobody, changes=pd.DataFrame(), unmatched=(),
        problems=(),
    )  # fmt: skip
    write_table(label_table(files, applied), out, format)


def write_table(table: pd.DataFrame, out: Path, format: str) -> None:
    """A table as csv, tsv or parquet, whole or not at all."""
    if format == "parquet":
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(out) as temporary:
            pq.write_table(pa.Table.from_pandas(table, preserve_index=False), temporary)
    else:
        write_text(out, csv_text(table, TABLE_DELIMITERS[format]))


def write_report(table: pd.DataFrame, out: Path) -> None:
    """A table for people, in the form that its suffix names: in CSV and TSV no cell that a spreadsheet would run."""
    format = out.suffix.lower()[1:]
    write_table(table if format == "parquet" else escape_formulas(table), out, format)


def _write_batches(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    root: Path,
    out: Path,
    format: str,
    screen: Screen,
) -> int:
    """One file through the writers of predictions, a part at a time; how many images are in it."""
    writer = table_formats.build(format, root, out, names)
    if format in ROOT_RELATIVE_FORMATS:
        check_relative_paths(files, root, out.parent)
    if not writer.capabilities.unknown:
        kept_N = (
            (labels_NK != UNKNOWN).any(axis=1) if writer.capabilities.none else (labels_NK == YES).any(axis=1)
        )
        files = [file for file, kept in zip(files, kept_N, strict=True) if kept]
        labels_NK = labels_NK[kept_N]
    files = [_written_path(file, root, out.parent, format) for file in files]
    with_unknown = bool((labels_NK == UNKNOWN).any()) and writer.capabilities.unknown
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    batch_paths = []
    try:
        for first in screen.track(range(0, len(files), CHUNK), "writing"):
            rows = slice(first, first + CHUNK)
            batch_paths.append(folder / f"{first:09d}")
            writer.write_batch(
                _label_batch(files[rows], labels_NK[rows], names, with_unknown), batch_paths[-1]
            )
        writer.join(batch_paths, _label_batch([], labels_NK[:0], names, with_unknown), out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return len(files)


def _written_path(file: str, root: Path, label_folder: Path, format: str) -> str:
    """The name of an image in the file: readers cut a leading space off."""
    if format == "jsonl":
        return path_in_table(file, root, label_folder)
    return file if file == file.lstrip() else f"./{file}"


def _label_batch(
    files: Sequence[str], labels_NK: Cells, names: tuple[str, ...], with_unknown: bool
) -> LabelBatch:
    chosen = _names_where(labels_NK == YES, names)
    unknown = _names_where(labels_NK == UNKNOWN, names)
    table = pd.DataFrame(
        {"file": pd.Series(list(files), dtype=str), "labels": ["|".join(labels) for labels in chosen]}
    )
    return LabelBatch(table, chosen, ground_truth=True, unknown=unknown if with_unknown else None)


def _names_where(is_NK: np.ndarray, names: tuple[str, ...]) -> list[list[str]]:
    return [[names[k] for k in np.flatnonzero(row)] for row in is_NK]
