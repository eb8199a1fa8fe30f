"""Results of ``evaluate`` and ``compare`` as a JSON file, which replaces only an earlier one."""

from json import dumps, loads
from pathlib import Path
from typing import Any

from tagger.errors import TaggerError
from tagger.runs import write_text


def check_json_report(out: Path | None) -> None:
    """Pass if nothing is there, or a result of ours, which alone is replaced. TaggerError otherwise."""
    if out is None or not out.exists():
        return
    try:
        found = loads(out.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found.keys() >= {"num_images", "num_cells"}:
        raise TaggerError(f"--out {out} exists already, and tagger did not write it. Name another file.")


def save_json_report(result: dict[str, Any], out: Path | None) -> None:
    """Save a result if a file is named."""
    if out is not None:
        write_text(out, dumps(result, indent=1, ensure_ascii=False))
