"""``tagger apply``: write the labels after all decisions, and a list of what changed."""

import glob
from dataclasses import dataclass
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.steps.located_photos import locate_photos, missing_photos
from tagger.commands.steps.removed_report import (
    changes_with_removed,
    check_changes,
    lists_removed,
    show_changes,
)
from tagger.commands.steps.reviewed_labels import (
    ReviewedLabels,
    correct_labels,
    read_decisions,
    show_decisions,
    store_url,
)
from tagger.commands.steps.text_separators import check_text_merge
from tagger.commands.writers import (
    TABLE_DELIMITERS,
    SidecarOptions,
    WriteResult,
    changed_keywords,
    check_empty_folder,
    check_format,
    check_writable,
    sidecar_formats,
    write_labels,
    write_report,
)
from tagger.commands.writers.image_folder import METADATA_FILE
from tagger.data.formats.cell_values import CellValues
from tagger.data.formats.prediction_columns import SEPARATOR
from tagger.errors import Problem, TaggerError
from tagger.read_options import ReadOptions
from tagger.review import vocabulary_after
from tagger.review.disagreement import check_way
from tagger.runs import RunFolder, data_folder, find_run, locked, output_lock, remove_leftovers, with_data
from tagger.text import counted


@dataclass(frozen=True)
class ApplyResult:
    """Result of ``apply``: the label file, the list of changes, and the reviewed labels."""

    out: Path
    changes: Path
    corrected: ReviewedLabels
    problems: tuple[Problem, ...] = ()
    missing: tuple[Problem, ...] = ()  # photos of the run that were not found: nothing is written for them


def apply(
    run: str | Path | RunFolder | None = None,
    *,
    out: str | Path,
    format: str = "csv",
    on_existing: str = "skip",
    on_disagreement: str = "skip",
    store: str | None = None,
    data: str | Path | None = None,
    accept_edited: bool = False,
    screen: Screen | None = None,
) -> ApplyResult:
    """Write the labels after all decisions to ``out`` (.csv), and ``NAME.changes.csv`` beside it.

    Other ``format``s are those of predictions. Sidecars and image folders are written below the folder
    ``out``, with the list of changes in it; ``on_existing`` says what happens to sidecars that exist: a
    ``merge`` removes labels that a person decided as *no*, or that tagger itself wrote and are *no* now. The
    person's other keywords stay. All that is removed is shown, and listed among the changes.

    ``on_disagreement`` says what a label becomes on which people differ: ``skip`` leaves it as it was before the
    review, ``majority`` and ``newest`` decide.

    Photos are found under their present names, by what is in them. One that is not there is ``missing`` in the
    result, and left out; ``accept_edited`` takes a file that looks like an edited version for it.

    The same decisions give the same bytes. ``file`` is written such that ``tagger train --data DIR
    --labels OUT`` finds the images. ``data`` is the data folder if it was moved. TaggerError if it, and the
    decisions in it, are not there; if ``out`` is the run's own label file, or a file that ``apply`` did not
    write.
    """
    screen = screen or Screen(quiet=True)
    folder = with_data(run if isinstance(run, RunFolder) else find_run(run, screen.say), data)
    out = Path(out)
    url = store_url(folder, store)
    check_format(format)
    check_way(on_disagreement)
    check_text_merge(folder.load_settings().data, format, on_existing)
    # The list of changes goes into the same folder.
    in_folder = format in sidecar_formats.names() or format.startswith("imagefolder")
    changes = out / "labels.changes.csv" if in_folder else out.with_name(f"{out.stem}.changes.csv")
    if format.startswith("folders"):
        check_empty_folder(out)
    elif in_folder:
        _check_output_folder(out)
    else:
        _check_output_file(out, changes, folder, format)
    check_changes(changes)
    with locked(output_lock(out, folder=in_folder), "apply", out, warn=screen.say):
        located = locate_photos(folder, url, screen, accept_edited=accept_edited)
        folder = located.present()
        corrected = correct_labels(folder, *read_decisions(url, folder), on_disagreement)
        show_decisions(folder, corrected, url, screen)
        _check_writable(folder, corrected, out, format)
        existing = on_existing if format in sidecar_formats.names() else "overwrite"
        # The list of changes comes first: it marks a killed call's labels as ours, and says what goes.
        _write_changes(folder, corrected, out, changes, format, existing, screen)
        done = _write(folder, corrected, out, format, existing, screen)
        _remove_leftovers(folder, out, changes, format)
    screen.say(f"Labels of {counted(done.num_images, 'photo')}: {out}. Changes: {changes}")
    return ApplyResult(out, changes, corrected, done.problems, tuple(missing_photos(located)))


def _check_writable(run: RunFolder, corrected: ReviewedLabels, out: Path, format: str) -> None:
    """TaggerError, before the list of changes is written, if the labels cannot be."""
    files = [str(file) for file in run.load_images()["file"]]
    root = run.load_settings().data.path
    check_writable(files, corrected.applied.names, root=root, out=out, format=format)


def _write_changes(
    run: RunFolder,
    corrected: ReviewedLabels,
    out: Path,
    changes: Path,
    format: str,
    on_existing: str,
    screen: Screen,
) -> None:
    """Write the list of changes; with keywords that go from sidecars in it, which are shown too."""
    applied = corrected.applied
    if format not in sidecar_formats.names():
        table = changes_with_removed(run, corrected, [], out, changes) if lists_removed(changes) else None
        write_report(applied.changes if table is None else table, changes)
        return
    found = changed_keywords(
        [str(file) for file in run.load_images()["file"]], applied.labels_NK, applied.names, out, format,
        SidecarOptions(
            on_existing, applied.verified_NK, data_folder(run), former=_former_names(run, corrected),
            pairs=run.load_settings().data.pairs,
        ),
    )  # fmt: skip
    write_report(changes_with_removed(run, corrected, found, out, changes), changes)
    show_changes(found, on_existing, screen)


def _write(
    run: RunFolder, corrected: ReviewedLabels, out: Path, format: str, on_existing: str, screen: Screen
) -> WriteResult:
    """Write the labels, and say what their format cannot store. An existing file is ours (``_check_output_file``)."""
    applied = corrected.applied
    how = run.load_settings().data
    done = write_labels(
        [str(file) for file in run.load_images()["file"]], applied.labels_NK, applied.names, root=how.path,
        out=out, format=format, on_existing=on_existing, decided_NK=applied.verified_NK, run=run.path.name,
        former=_former_names(run, corrected),
        # with the run's settings it is read the same
        joined=how.label_separator in (SEPARATOR, "auto") and how.labels_column != "none" and not _judged(how),
        words=CellValues(how).written(), pairs=how.pairs, screen=screen,
    )  # fmt: skip
    for sentence in done.lost_information:
        screen.say(f"{sentence}.")
    if done.num_skipped:
        screen.say(f"{counted(done.num_skipped, 'photo')} with a sidecar kept as it is (see --on-existing).")
    return done


def _judged(how: ReadOptions) -> bool:
    """True if settings say where verdicts stand, which are not in a table of joined labels."""
    return bool(how.value_column) or how.label_values != "none" or how.cutoff != "none"


def _former_names(run: RunFolder, corrected: ReviewedLabels) -> dict[str, str]:
    return vocabulary_after(run.load_labels(), corrected.operations).former_names()


def _remove_leftovers(run: RunFolder, out: Path, changes: Path, format: str) -> None:
    """Remove unfinished files of killed calls; the lock says that no other call is running."""
    remove_leftovers(changes.parent, glob.escape(changes.name))
    if format not in sidecar_formats.names():
        remove_leftovers(out.parent, glob.escape(out.name))
        return
    writer = sidecar_formats.build(format, run.load_labels())
    sidecar_paths = [out / writer.sidecar_path(str(file)) for file in run.load_images()["file"]]
    for folder, suffix in sorted(
        {(sidecar_path.parent, sidecar_path.suffix) for sidecar_path in sidecar_paths}
    ):
        remove_leftovers(folder, f"*{glob.escape(suffix)}")


def _check_output_folder(out: Path) -> None:
    """TaggerError if ``out`` is a file, or holds another program's list of images."""
    if out.exists() and not out.is_dir():
        raise TaggerError(f"--out {out} is a file, and this format writes a folder. Name another.")
    if (out / METADATA_FILE).exists() and not (out / "labels.changes.csv").exists():
        raise TaggerError(
            f"--out {out}: its {METADATA_FILE} was not written by tagger apply. Name another folder."
        )


def _check_output_file(out: Path, changes: Path, run: RunFolder, format: str) -> None:
    """TaggerError if ``out`` has another suffix, is the run's label file, or was not written by ``apply``."""
    if format in TABLE_DELIMITERS and out.suffix.lower() != f".{format}":
        others = " or ".join(
            f"--format {name}" for name in TABLE_DELIMITERS if out.suffix.lower() == f".{name}"
        )
        hint = f", or use {others}" if others else ""
        raise TaggerError(
            f"--out {out}: labels are written as {format.upper()}. Name a file that ends in .{format}{hint}."
        )
    settings = run.load_settings()
    root = Path(settings.data.path)
    sources = [Path(settings.data.labels)] if settings.data.labels else [root / "labels.csv"]
    if any(out.exists() and source.exists() and out.samefile(source) for source in sources):
        raise TaggerError(
            f"--out {out} is the label file that the run was trained on, which is never changed. Name another."
        )
    if out.is_dir():
        raise TaggerError(f"--out {out} is a folder. Name a file in it, such as {out / 'labels.csv'}.")
    if out.exists() and not changes.exists():
        raise TaggerError(
            f"--out {out} exists already, and tagger apply did not write it. Name another file."
        )
