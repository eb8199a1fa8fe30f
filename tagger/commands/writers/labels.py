"""Settled labels in any format: what ``tagger apply`` and ``tagger data convert`` write."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.commands.screen import Screen
from tagger.commands.writers.image_folder import METADATA
from tagger.commands.writers.part import Part
from tagger.commands.writers.sidecars import sidecar_formats
from tagger.commands.writers.tables import table_formats
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.review import Applied, label_table
from tagger.runs import replacing, write_text

CHUNK = 2048
WITH_UNKNOWN = ("csv", "parquet")  # formats that can say that nobody knows
EXISTING = ("skip", "overwrite", "merge")
LABEL_FORMATS = (*table_formats.names(), *sidecar_formats.names())


@dataclass(frozen=True)
class LabelsWritten:
    """Where the labels are, of how many images, how many sidecars were kept, and what could not be said or written."""

    out: Path
    num_images: int
    num_skipped: int = 0
    num_unsaid: int = 0
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
) -> LabelsWritten:
    """Labels of the images ``root / file`` in ``out``: a file, or a folder of sidecars or of images.

    Cells are -1 unknown, 0 no, 1 yes. Only csv and parquet can say *unknown*: elsewhere such a cell is as if it were
    *no* (``num_unsaid`` counts them), but in a merged sidecar the label stays as it is. ``on_existing`` is ``skip``
    (TaggerError for a file that is there; a sidecar is kept), ``overwrite``, or ``merge`` (sidecars).
    The images are never changed. TaggerError if something is not to be had.
    """
    screen, out, names = screen or Screen(quiet=True), Path(out), tuple(names)
    if format not in LABEL_FORMATS:
        known = ", ".join(LABEL_FORMATS)
        raise TaggerError(f"Unknown --format {format!r}.{did_you_mean(format, LABEL_FORMATS)} Available: {known}")
    if format in sidecar_formats.names():
        if on_existing not in EXISTING:
            raise TaggerError(f"Unknown --on-existing {on_existing!r}. Available: {', '.join(EXISTING)}")
        return _sidecars(files, labels_NK, names, out, format, on_existing, screen)
    if on_existing not in ("skip", "overwrite"):
        raise TaggerError(f"--on-existing {on_existing} is for sidecars (txt, xmp). Available here: skip, overwrite")
    if format == "jsonl" and (bars := [name for name in names if "|" in name]):
        raise TaggerError(f"jsonl joins labels by |, which {bars[0]!r} has in it. Write parquet, or rename it")
    target = out / METADATA if format.startswith("imagefolder") else out
    if target.exists() and on_existing != "overwrite":
        raise TaggerError(f"{target} exists already. Replace it with --on-existing overwrite, or give another --out.")
    if format in WITH_UNKNOWN:
        _table(files, labels_NK, names, target, format)
        return LabelsWritten(out, len(files))
    _joined(files, labels_NK, names, Path(root), target, format, screen)
    return LabelsWritten(out, len(files), num_unsaid=int((labels_NK == UNKNOWN).sum()))


def _table(files: Sequence[str], labels_NK: Cells, names: tuple[str, ...], out: Path, format: str) -> None:
    """The table that ``--labels`` reads; columns of text, as they hold 0, 1 and nothing."""
    nobody = np.zeros(labels_NK.shape, dtype=bool)
    applied = Applied(
        names=names, labels_NK=labels_NK, verified_NK=nobody, blind_NK=nobody, changes=pd.DataFrame(), unmatched=(),
        problems=(),
    )  # fmt: skip
    table = label_table(files, applied)
    if format == "csv":
        write_text(out, table.to_csv(index=False, lineterminator="\n"))
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as temporary:
            table.to_parquet(temporary, index=False)


def _joined(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    root: Path,
    out: Path,
    format: str,
    screen: Screen,
) -> None:
    """One file through the writers of predictions, a part at a time."""
    writer = table_formats.build(format, root, out, names)
    files = [file if file == file.lstrip() else f"./{file}" for file in files]  # readers cut a leading space off
    out.parent.mkdir(parents=True, exist_ok=True)
    folder, parts = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent)), []
    try:
        for first in screen.track(range(0, len(files), CHUNK), "writing"):
            rows = slice(first, first + CHUNK)
            parts.append(folder / f"{first:09d}")
            writer.write_part(_part(files[rows], labels_NK[rows], names), parts[-1])
        writer.join(parts, _part([], labels_NK[:0], names), out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _part(files: Sequence[str], labels_NK: Cells, names: tuple[str, ...]) -> Part:
    chosen = [[name for name, cell in zip(names, row, strict=True) if cell == YES] for row in labels_NK]
    table = pd.DataFrame({"file": pd.Series(list(files), dtype=str), "labels": ["|".join(labels) for labels in chosen]})
    return Part(table, chosen, judged=True)


def _sidecars(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    out: Path,
    format: str,
    on_existing: str,
    screen: Screen,
) -> LabelsWritten:
    """A sidecar for each image; images that share one have the labels of both in it."""
    writer = sidecar_formats.build(format, names)
    rows_of: dict[Path, list[int]] = {}
    for row, file in enumerate(files):
        rows_of.setdefault(out / writer.place(file), []).append(row)
    problems, skipped = [], 0
    for place, rows in screen.track(list(rows_of.items()), "writing"):
        if on_existing == "skip" and place.exists():
            skipped += len(rows)
            continue
        best_K = np.max(labels_NK[rows], axis=0)
        no_K = np.all(labels_NK[rows] == NO, axis=0)
        yes, no = ([name for name, said in zip(names, is_K, strict=True) if said] for is_K in (best_K == YES, no_K))
        try:
            writer.write(place, yes, existing=on_existing, withdrawn=no)
        except TaggerError as error:
            problems.append(Problem(files[rows[0]], None, f"its sidecar is left as it is: {error}"))
            skipped += len(rows)
    unsaid = 0 if on_existing == "merge" else int((labels_NK == UNKNOWN).sum())
    return LabelsWritten(out, len(files) - skipped, skipped, unsaid, tuple(problems))
