"""Results of ``evaluate``, ``compare`` and ``runs`` as a JSON file, which replaces only an earlier one."""

from json import dumps, loads
from pathlib import Path
from typing import Any

from tagger.errors import TaggerError
from tagger.runs import write_text

MEASURED = ("num_images", "num_cells")  # in every result of evaluate and compare


def check_json_report(out: Path | None, keys: tuple[str, ...] = MEASURED) -> None:
    """Pass if nothing is there, or a result of ours, which alone is replaced. TaggerError otherwise.

    ``keys`` are in every result of the command.
    """
    if out is None or not out.exists():
        return
    try:
        found = loads(out.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found.keys() >= set(keys):
        raise TaggerError(f"--out {out} exists already, and tagger did not write it. Name another file.")


def save_json_report(result: dict[str, Any], out: Path | None) -> None:
    """Save a result if a file is named."""
    if out is not None:
        write_text(out, dumps(result, indent=1, ensure_ascii=False))
