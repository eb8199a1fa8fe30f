"""Outputs of ``tagger predict``: where they are written, what must not be there, the list of unreadable images."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from tagger.commands.writers import check_empty_folder
from tagger.commands.writers.image_folder import METADATA_FILE
from tagger.data.formats.csv_injection import BYTE_ORDER_MARK, escape_formula
from tagger.errors import Problem, TaggerError
from tagger.runs import write_text

UNREADABLE_HEADER = "file,reason"  # the first line of a list of unreadable images


@dataclass(frozen=True)
class PredictResult:
    """Result of a prediction: the output, the number of tagged images, the unreadable ones, the kept sidecars."""

    out: Path
    num_images: int
    unreadable: list[Problem]
    num_skipped: int = 0


def table_path(out: str | Path | None, format: str) -> Path:
    """The file that a table format writes. For an image folder this is the list in it; nothing is made."""
    if format.startswith("folders"):
        return Path(out) if out is not None else Path("predictions")
    if not format.startswith("imagefolder"):
        suffix = {"coco": "coco.json", "label-studio": "label-studio.json"}.get(format, format)
        return Path(out) if out is not None else Path(f"predictions.{suffix}")
    folder = Path(out) if out is not None else Path("predictions")
    if folder.is_file():
        raise TaggerError(f"--out {folder} is a file, and an image folder is a folder. Name another.")
    return folder / METADATA_FILE


def check_output_path(out: Path, on_existing: str, format: str, *, resume: bool) -> None:
    """Pass if a table, or a folder of label folders, may be written to ``out``; TaggerError otherwise."""
    if format.startswith("folders"):
        if not resume:
            check_empty_folder(out)
    elif out.is_dir():
        raise TaggerError(f"--out {out} is a folder; name a file in it, such as {out / 'predictions.csv'}.")
    elif out.exists() and on_existing == "skip" and not resume:
        raise TaggerError(
            f"{out} exists already. Replace it with --on-existing overwrite, or give another --out."
        )
    if on_existing == "merge":
        raise TaggerError("--on-existing merge is for sidecars (txt, xmp); tables are replaced as a whole.")


def make_parent(out: Path) -> None:
    """The folder that ``out`` goes into. TaggerError if it cannot be made."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TaggerError(
            f"--out {out}: the folder {out.parent} cannot be made ({error.strerror})."
        ) from None


def unreadable_path(out: Path) -> Path:
    """The list of unreadable images beside a table.

    >>> unreadable_path(Path("new/predictions.csv")).name
    'predictions.csv.unreadable.csv'
    """
    return out.with_name(f"{out.name}.unreadable.csv")


def save_unreadable(problems: list[Problem], path: Path) -> None:
    """List the unreadable images; without any, an older list of ours (``check_own_csv``) is removed."""
    if not problems:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    rows = [(escape_formula(problem.file), escape_formula(problem.reason)) for problem in problems]
    csv.writer(text, lineterminator="\n").writerows([UNREADABLE_HEADER.split(","), *rows])
    write_text(path, BYTE_ORDER_MARK + text.getvalue())
