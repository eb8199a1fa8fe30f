"""``tagger apply``: the decisions so far as a label file that training and anyone else can read."""

import glob
from dataclasses import dataclass
from pathlib import Path

from tagger.commands.decisions import Decided, decide, read_decisions, store_url, summarise
from tagger.commands.screen import Screen
from tagger.commands.writers import (
    TABLES,
    LabelsWritten,
    check_empty,
    check_format,
    sidecar_formats,
    write_labels,
    write_report,
)
from tagger.commands.writers.image_folder import METADATA
from tagger.data.wording import counted
from tagger.errors import Problem, TaggerError
from tagger.review.apply import CHANGE_COLUMNS
from tagger.runs import RunFolder, find_run, locked, output_lock, sweep
from tagger.runs.ours import check_list


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
    check_format(format)
    in_folder = format in sidecar_formats.names() or format.startswith("imagefolder")  # which the changes lie in too
    changes = out / "labels.changes.csv" if in_folder else out.with_name(f"{out.stem}.changes.csv")
    if format.startswith("folders"):
        check_empty(out)
    elif in_folder:
        _check_folder(out)
    else:
        _check_out(out, changes, folder, format)
    check_list(changes, ",".join(CHANGE_COLUMNS))
    with locked(output_lock(out, folder=in_folder), "apply", out, warn=screen.say):
        decided = decide(folder, *read_decisions(url))
        summarise(decided, url, screen)
        write_report(decided.applied.changes, changes)  # first: by it a killed call's labels are known as ours
        done = _write(folder, decided, out, format, on_existing if format in sidecar_formats.names() else "", screen)
        _tidy(folder, out, changes, format)
    screen.say(f"Labels of {counted(done.num_images, 'image')}: {out}. What changed: {changes}")
    return Written(out, changes, decided, done.problems)


def _write(run: RunFolder, decided: Decided, out: Path, format: str, on_existing: str, screen: Screen) -> LabelsWritten:
    """The labels, and a word on what their format cannot say. A file that is there is one of ours (``_check_out``)."""
    applied, root = decided.applied, Path(run.load_settings().data.path)
    done = write_labels(
        [str(file) for file in run.load_images()["file"]], applied.labels_NK, applied.names, root=root, out=out,
        format=format, on_existing=on_existing or "overwrite", screen=screen,
    )  # fmt: skip
    for sentence in done.losses:
        screen.say(f"{sentence}.")
    if done.num_skipped:
        screen.say(f"{counted(done.num_skipped, 'image')} with a sidecar kept as it is (--on-existing merge).")
    return done


def _tidy(run: RunFolder, out: Path, changes: Path, format: str) -> None:
    """Remove what killed calls left half-written; the lock says that none is at work now."""
    sweep(changes.parent, glob.escape(changes.name))
    if format not in sidecar_formats.names():
        sweep(out.parent, glob.escape(out.name))
        return
    writer = sidecar_formats.build(format, run.load_labels())
    places = [out / writer.place(str(file)) for file in run.load_images()["file"]]
    for folder, suffix in sorted({(place.parent, place.suffix) for place in places}):
        sweep(folder, f"*{glob.escape(suffix)}")


def _check_folder(out: Path) -> None:
    """TaggerError if a folder cannot be there, or another program's list of images is."""
    if out.exists() and not out.is_dir():
        raise TaggerError(f"--out {out} is a file; this format needs a folder. Name one")
    if (out / METADATA).exists() and not (out / "labels.changes.csv").exists():
        raise TaggerError(f"--out {out}: its {METADATA} was not written by tagger apply. Name another folder.")


def _check_out(out: Path, changes: Path, run: RunFolder, format: str) -> None:
    """TaggerError if the labels must not be written there."""
    if format in TABLES and out.suffix.lower() != f".{format}":
        others = " or ".join(f"--format {name}" for name in TABLES if out.suffix.lower() == f".{name}")
        hint = f", or write another form: {others}" if others else ""
        raise TaggerError(
            f"--out {out}: labels are written as {format.upper()}. Name a file that ends in .{format}{hint}"
        )
    settings = run.load_settings()
    root = Path(settings.data.path)
    sources = [Path(settings.data.labels)] if settings.data.labels else [root / "labels.csv"]
    if any(out.exists() and source.exists() and out.samefile(source) for source in sources):
        raise TaggerError(f"--out {out}: the run was trained with this label file, which stays as it is. Name another.")
    if out.is_dir():
        raise TaggerError(f"--out {out}: this is a folder. Name a file in it, such as {out / 'labels.csv'}")
    if out.exists() and not changes.exists():
        raise TaggerError(f"--out {out} exists already, and tagger apply did not write it. Name another file.")
