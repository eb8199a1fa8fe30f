"""``tagger apply``: the decisions so far as a label file that training and anyone else can read."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tagger.commands.decisions import Decided, decide, read_decisions, store_url, summarise
from tagger.commands.screen import Screen
from tagger.data.wording import counted
from tagger.errors import TaggerError
from tagger.review import label_table
from tagger.runs import RunFolder, find_run, write_text


@dataclass(frozen=True)
class Written:
    """Where the corrected labels and the list of changes are, and what they follow from."""

    out: Path
    changes: Path
    decided: Decided


def apply(
    run: str | Path | RunFolder | None = None,
    *,
    out: str | Path,
    store: str | None = None,
    screen: Screen | None = None,
) -> Written:
    """The labels after all decisions in ``out`` (.csv) and, beside it, ``NAME.changes.csv``.

    The same log gives the same bytes. ``file`` is written such that ``tagger train --data DIR --labels OUT`` finds the
    images. TaggerError if ``out`` is the run's own label file, or another file that no ``apply`` has written.
    """
    screen = screen or Screen(quiet=True)
    folder = run if isinstance(run, RunFolder) else find_run(run)
    out, url = Path(out), store_url(folder, store)
    changes = out.with_name(f"{out.stem}.changes.csv")
    _check_out(out, changes, folder)
    decided = decide(folder, *read_decisions(url))
    summarise(decided, url, screen)
    root = Path(folder.load_settings().data.path)
    files = [_as_found(file, root, out.parent) for file in folder.load_images()["file"]]
    write_text(changes, decided.applied.changes.to_csv(index=False, lineterminator="\n"))
    write_text(out, _csv(label_table(files, decided.applied)))
    screen.say(f"Labels of {counted(len(files), 'image')}: {out}. What changed: {changes}")
    return Written(out, changes, decided)


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")


def _check_out(out: Path, changes: Path, run: RunFolder) -> None:
    """TaggerError if the labels must not be written there."""
    if out.suffix.lower() != ".csv":
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
