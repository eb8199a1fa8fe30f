"""Tables that ``tagger decisions`` writes: only new files, or files that it wrote itself."""

from collections.abc import Sequence
from pathlib import Path

from tagger.errors import TaggerError
from tagger.runs.ownership import check_own_csv

SUFFIXES = (".csv", ".tsv")


def check_new_report(out: Path, columns: Sequence[str], suffixes: Sequence[str] = SUFFIXES) -> None:
    """Pass if ``out`` has one of the suffixes, and is not there or one of ours; TaggerError otherwise."""
    if out.suffix.lower() not in suffixes:
        raise TaggerError(f"--out {out}: name a file that ends in {' or '.join(suffixes)}.")
    if out.is_dir():
        raise TaggerError(f"--out {out} is a folder. Name a file in it, such as {out / 'decisions.csv'}.")
    delimiter = "\t" if out.suffix.lower() == ".tsv" else ","
    check_own_csv(out, delimiter.join(columns))
