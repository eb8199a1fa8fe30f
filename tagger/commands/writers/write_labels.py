"""Write labels in any format: the writer is chosen by its name; plain tables are written here."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tagger.arrays import UNKNOWN, YES, Bools, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.writers.base import LabelBatch, TableWriter, batch_formats
from tagger.commands.writers.image_folder import METADATA_FILE
from tagger.commands.writers.label_folders import check_empty_folder
from tagger.commands.writers.lossiness import (
    check_label_names,
    check_relative_paths,
    information_losses,
    path_in_table,
)
from tagger.commands.writers.recorded_sidecars import RecordedSidecars
from tagger.commands.writers.sidecar_batch import ON_EXISTING, SidecarOptions, write_sidecars
from tagger.commands.writers.sidecars import sidecar_formats
from tagger.commands.writers.tables import csv_text
from tagger.data.formats.csv_injection import BYTE_ORDER_MARK, escape_formulas
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.runs import atomic_write, write_text

CHUNK = 2048  # images in a batch
TABLE_DELIMITERS = {"csv": ",", "tsv": "\t", "parquet": ""}  # the tables that --labels reads
ROOT_RELATIVE_FORMATS = ("coco", "label-studio")  # other programs take their paths from the images' folder


@dataclass(frozen=True)
class WriteResult:
    """What was written: where, of how many images, how many sidecars were kept, and what could not be written.

    ``lost_information`` are sentences on what the format cannot store.
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
    decided_NK: Bools | None = None,
    joined: bool = True,
    words: tuple[str, str, str] = ("", "0", "1"),
    run: str | None = None,
    former: Mapping[str, str] | None = None,
    pairs: str = "raw",
    screen: Screen | None = None,
) -> WriteResult:
    """Write the labels of the images ``root / file`` to ``out``: a file, or a folder of sidecars or images.

    ``pairs`` says which files of one name are one photo (``data.pairs``).

    Cells are -1 unknown, 0 no, 1 yes. What the format cannot store is in ``lost_information``. A format
    without *unknown* stores such a cell as *no* (a merged sidecar keeps the label as it is), and leaves out
    an image with unknown cells only. ``on_existing`` is ``skip`` (TaggerError for a file that exists; a
    sidecar is kept), ``overwrite``, or ``merge`` (sidecars). A merge takes away only labels that are *no*,
    and only where a person decided so (``decided_NK``; None: nowhere) or tagger itself wrote them, also under a
    ``former`` name. ``run`` is recorded beside sidecars as the one that wrote them (None: nothing is recorded).
    A csv, tsv or parquet table has a 0/1 column a label unless labels may be ``joined`` by ``|``. The images are
    never changed. TaggerError for an unknown format, an unusable name, or a file in the way.
    """
    screen = screen or Screen(quiet=True)
    out = Path(out)
    names = tuple(names)
    root = Path(root)
    check_format(format)
    check_label_names(names)
    known = ON_EXISTING if format in sidecar_formats.names() else ("skip", "overwrite")
    if on_existing not in ON_EXISTING:
        raise TaggerError(f"Unknown --on-existing {on_existing!r}. Available: {', '.join(known)}.")
    if on_existing not in known:
        raise TaggerError(
            f"--on-existing {on_existing} is for sidecars (txt, xmp). Available here: {', '.join(known)}."
        )
    if format in sidecar_formats.names():
        options = SidecarOptions(on_existing, decided_NK, root, run, former or {}, pairs)
        return _write_all_sidecars(files, labels_NK, names, out, format, options, screen)
    target = out / METADATA_FILE if format.startswith("imagefolder") else out
    if format.startswith("folders"):
        check_empty_folder(target)
    elif target.exists() and on_existing != "overwrite":
        raise TaggerError(
            f"{target} exists already. Replace it with --on-existing overwrite, or give another --out."
        )
    if format in TABLE_DELIMITERS:
        from tagger.review import label_table  # here: predicting starts without a database

        paths = [path_in_table(file, root, out.parent) for file in files]
        write_table(label_table(paths, names, labels_NK, joined=joined, words=words), target, format)
        return WriteResult(out, len(files))
    num_images = _write_batches(files, labels_NK, names, root, target, format, screen)
    capabilities = batch_formats.find(format).capabilities  # type: ignore[attr-defined]
    lost = information_losses(labels_NK, names, capabilities, format)
    return WriteResult(out, num_images, lost_information=lost)


def label_formats() -> tuple[str, ...]:
    """The names of all formats of labels and predictions: files and folders, then sidecars."""
    return (*batch_formats.names(), *sidecar_formats.names())


def check_format(format: str) -> None:
    """Pass if the format is known; TaggerError with the nearest name otherwise.

    >>> check_format("coco")
    """
    known = label_formats()
    if format not in known:
        hint = did_you_mean(format, known)
        raise TaggerError(f"Unknown --format {format!r}.{hint} Available: {', '.join(known)}.")


def check_writable(
    files: Sequence[str], names: Iterable[str], *, root: str | Path, out: str | Path, format: str
) -> None:
    """Pass if ``write_labels`` can write these names and photos there; TaggerError before anything is written."""
    names = tuple(names)
    check_label_names(names)
    if format in sidecar_formats.names():
        sidecar_formats.build(format, names)
    elif format not in TABLE_DELIMITERS:
        target = Path(out) / METADATA_FILE if format.startswith("imagefolder") else Path(out)
        _batch_writer(files, names, Path(root), target, format)


def _batch_writer(
    files: Sequence[str], names: tuple[str, ...], root: Path, out: Path, format: str
) -> TableWriter:
    """The writer of one file or folder; TaggerError if it cannot hold these names, or not be there."""
    writer = batch_formats.build(format, root, out, names)
    if format in ROOT_RELATIVE_FORMATS:
        check_relative_paths(files, root, out.parent)
    return writer


def _write_all_sidecars(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    out: Path,
    format: str,
    options: SidecarOptions,
    screen: Screen,
) -> WriteResult:
    """A sidecar for each image with a known cell."""
    kept_N = (labels_NK != UNKNOWN).any(axis=1)
    kept = [file for file, is_kept in zip(files, kept_N, strict=True) if is_kept]
    if options.decided_NK is not None:
        options = replace(options, decided_NK=options.decided_NK[kept_N])
    writer = sidecar_formats.build(format, names)
    sidecars = RecordedSidecars(writer, out, options.run)
    num_images, num_skipped, problems = write_sidecars(kept, labels_NK[kept_N], sidecars, options, screen)
    capabilities = replace(writer.capabilities, unknown_cells=options.on_existing == "merge")
    lost = information_losses(labels_NK, names, capabilities, format)
    return WriteResult(out, num_images, num_skipped, lost, problems)


def write_table(table: pd.DataFrame, out: Path, format: str, *, mark: str = "") -> None:
    """A table as csv, tsv or parquet, whole or not at all. Text begins with the ``mark``."""
    if format == "parquet":
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(out) as temporary:
            pq.write_table(pa.Table.from_pandas(table, preserve_index=False), temporary)
    else:
        write_text(out, mark + csv_text(table, TABLE_DELIMITERS[format]))


def write_report(table: pd.DataFrame, out: Path) -> None:
    """A table for people, in the format of its suffix.

    CSV and TSV have a byte order mark, for Excel, and no cell that a spreadsheet would run.
    """
    format = out.suffix.lower()[1:]
    written = table if format == "parquet" else escape_formulas(table)
    write_table(written, out, format, mark=BYTE_ORDER_MARK)


def _write_batches(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    root: Path,
    out: Path,
    format: str,
    screen: Screen,
) -> int:
    """Write one file batch by batch, as predictions are; the number of images in it."""
    writer = _batch_writer(files, names, root, out, format)
    if not writer.capabilities.unknown_cells:
        stored_NK = labels_NK != UNKNOWN if writer.capabilities.images_without_labels else labels_NK == YES
        kept_N = stored_NK.any(axis=1)
        files = [file for file, kept in zip(files, kept_N, strict=True) if kept]
        labels_NK = labels_NK[kept_N]
    files = [_written_path(file, root, out.parent, format) for file in files]
    with_unknown = bool((labels_NK == UNKNOWN).any()) and writer.capabilities.unknown_cells
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
    """The name of an image in the file; ``./`` keeps a leading space, which readers strip."""
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
