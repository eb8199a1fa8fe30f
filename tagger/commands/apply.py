"""``tagger apply``: the decisions so far as a label file that training and anyone else can read."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tagger.commands.decisions import Decided, decide, read_decisions, store_url, summarise
from tagger.commands.screen import Screen
from tagger.commands.writers import LABEL_FORMATS, LabelsWritten, sidecar_formats, write_labels
from tagger.commands.writers.image_folder import METADATA
from tagger.data.wording import counted
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.review import label_table
from tagger.runs import RunFolder, find_run, write_text


@dataclass(frozen=True)
class Written:
    """Where the corrected labels and the list of changes are, and what they follow from."""

    out: Path
    changes: Path
    decided: Decided
    problems: tuple[Problem, ...] = ()


def apply(
    run: str | Path | RunFolder | None = None,
    *,
    out: str | Path,
    format: str = "csv",
    on_existing: str = "skip",
    store: str | None = None,
    screen: Screen | None = None,
) -> Written:
    """The labels after all decisions in ``out`` (.csv) and, beside it, ``NAME.changes.csv``.

    Other ``format``s are those of predictions. Sidecars and image folders are written below the folder ``out``, with
    the list of changes in it; ``on_existing`` says what becomes of sidecars that are there: a ``merge`` takes labels
    that are *no* away and leaves the person's other keywords.

    The same log gives the same bytes. ``file`` is written such that ``tagger train --data DIR --labels OUT`` finds the
    images. TaggerError if ``out`` is the run's own label file, or another file that no ``apply`` has written.
    """
    screen = screen or Screen(quiet=True)
    folder = run if isinstance(run, RunFolder) else find_run(run)
    out, url = Path(out), store_url(folder, store)
    if format not in LABEL_FORMATS:
        known = ", ".join(LABEL_FORMATS)
        raise TaggerError(f"Unknown --format {format!r}.{did_you_mean(format, LABEL_FORMATS)} Available: {known}")
    in_folder = format in sidecar_formats.names() or format.startswith("imagefolder")
    changes = out / "labels.changes.csv" if in_folder else out.with_name(f"{out.stem}.changes.csv")
    if in_folder:
        _check_folder(out)
    else:
        _check_out(out, changes, folder, format)
    decided = decide(folder, *read_decisions(url))
    summarise(decided, url, screen)
    root = Path(folder.load_settings().data.path)
    files = [_as_found(file, root, out.parent) for file in folder.load_images()["file"]]
    problems: tuple[Problem, ...] = ()
    if format != "csv":
        done = _write_other(folder, decided, root, out, format, on_existing, screen)
        problems = done.problems
    write_text(changes, decided.applied.changes.to_csv(index=False, lineterminator="\n"))
    if format == "csv":
        write_text(out, _csv(label_table(files, decided.applied)))
    screen.say(f"Labels of {counted(len(files), 'image')}: {out}. What changed: {changes}")
    return Written(out, changes, decided, problems)


def _write_other(
    run: RunFolder, decided: Decided, root: Path, out: Path, format: str, on_existing: str, screen: Screen
) -> LabelsWritten:
    """The same labels in another format, and a word on what it cannot say."""
    applied, plain = decided.applied, [str(file) for file in run.load_images()["file"]]
    files = [_as_found(file, root, out.parent) for file in plain] if format == "parquet" else plain
    if format not in sidecar_formats.names():
        on_existing = "overwrite"  # _check_out has seen to it that the file is one of ours
    done = write_labels(
        files, applied.labels_NK, applied.names, root=root, out=out, format=format, on_existing=on_existing,
        screen=screen,
    )  # fmt: skip
    if done.num_unsaid:
        screen.say(f"{counted(done.num_unsaid, 'cell')} unknown: {format} cannot say so, and has them as no.")
    if done.num_skipped:
        screen.say(f"{counted(done.num_skipped, 'image')} with a sidecar kept as it is (--on-existing merge).")
    return done


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")


def _check_folder(out: Path) -> None:
    """TaggerError if a folder cannot be there, or another program's list of images is."""
    if out.exists() and not out.is_dir():
        raise TaggerError(f"--out {out} is a file; this format needs a folder. Name one")
    if (out / METADATA).exists() and not (out / "labels.changes.csv").exists():
        raise TaggerError(f"--out {out}: its {METADATA} was not written by tagger apply. Name another folder.")


def _check_out(out: Path, changes: Path, run: RunFolder, format: str) -> None:
    """TaggerError if the labels must not be written there."""
    if format == "csv" and out.suffix.lower() != ".csv":
        raise TaggerError(f"--out {out}: labels are written as CSV. Name a file that ends in .csv")
    settings = run.load_settings()
    root = Path(settings.data.path)
    sources = [Path(settings.data.labels)] if settings.data.labels else [root / "labels.csv"]
    if any(out.exists() and source.exists() and out.samefile(source) for source in sources):
        raise TaggerError(f"--out {out}: the run was trained with this label file, which stays as it is. Name another.")
    if out.is_dir():
        raise TaggerError(f"--out {out}: this is a folder. Name a file in it, such as {out / 'labels.csv'}")
    if out.exists() and not changes.exists():
        raise TaggerError(f"--out {out} exists already, and tagger apply did not write it. Name another file.")


def _as_found(file: str, root: Path, beside: Path) -> str:
    """A path that the label readers resolve to the image: they look beside the label file first, then in the data.

    Below the data folder it is relative to the label file, as the plain path might name another image there. ``./``
    keeps a leading space, which readers would cut off.
    """
    here, data = os.path.abspath(beside), os.path.abspath(root)
    if here != data and here.startswith(os.path.join(data, "")):
        file = os.path.relpath(os.path.join(data, file), here).replace(os.sep, "/")
    return file if file == file.lstrip() else f"./{file}"
