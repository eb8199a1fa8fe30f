"""``make torture``: the long tests of faults, at most 20 minutes of them, and what each of them did.

A torture test ends with ``record_torture("killed trainings", kills=100, lost=0)``. ``python
tests/faults/torture.py`` runs them all; when all have passed, ``docs/torture.jsonl`` has their figures, and
``docs/promises.py`` prints them.
"""

import json
import os
import platform
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "torture.jsonl"
LIMIT = 20 * 60  # seconds
BEGAN = "TAGGER_TEST_BEGAN"  # conftest's note of when the test now running began, on the clock of monotonic()


def record_torture(name: str, *, seconds: float | None = None, **figures: Any) -> None:
    """Append ``{"name", "seconds", ...figures}`` to the file that ``$TAGGER_TORTURE`` names; nothing without
    one.

    The seconds are those of the test that calls, up to now, unless they are given.
    """
    target = os.environ.get("TAGGER_TORTURE")
    if target:
        if seconds is None:
            seconds = round(monotonic() - float(os.environ[BEGAN]), 1) if BEGAN in os.environ else None
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "seconds": seconds, **figures}, ensure_ascii=False) + "\n")


def figures_text(row: dict[str, Any]) -> str:
    """What a test did, in words.

    >>> figures_text({"name": "killed trainings", "seconds": 3.0, "kills": 1200, "not_resumed": 0})
    'kills 1,200, not resumed 0'
    """
    shown = {key.replace("_", " "): value for key, value in row.items() if key not in ("name", "seconds")}
    return ", ".join(
        f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in shown.items()
    )


def table_text(rows: list[dict[str, Any]], width: int = 80) -> str:
    """One line a test and below it what it did, no line longer than ``width``; the last line is the sum.

    >>> print(table_text([{"name": "a", "seconds": 3.0, "kills": 2}, {"name": "b", "seconds": 1.5}], width=20))
    a              3.0 s
      kills 2
    b              1.5 s
    2 tests        4.5 s
    """
    sums = {"name": f"{len(rows)} tests", "seconds": sum(row["seconds"] or 0 for row in rows)}
    lines = []
    for row in [*rows, sums]:
        seconds = f"{row['seconds'] or 0:,.1f} s"
        lines.append(f"{row['name'][: width - len(seconds) - 1]:<{width - len(seconds)}}{seconds}")
        words = figures_text(row).split()
        while words:
            line = " "
            while words and (len(line) + 1 + len(words[0]) <= width or line == " "):
                line += " " + words.pop(0)
            lines.append(line)
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the results hold for: the first line of the file."""
    python = f"Python {platform.python_version()}"
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "on": f"{platform.system()}, {python}",
    }


def main(arguments: list[str]) -> int:
    """Run the torture tests and print the table; 0 if all passed in time, and only then the results are kept."""
    results = ROOT / "build" / "torture.jsonl"
    results.parent.mkdir(exist_ok=True)
    results.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "tests", "-m", "torture", "-p", "no:cacheprovider", *arguments]
    began = monotonic()
    done = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"TAGGER_TORTURE": str(results), "TAGGER_DRAW_ANEW": "1"},
        start_new_session=True,
    )
    try:
        code = done.wait(LIMIT)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(done)
    rows = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.is_file() else []
    print(table_text(rows))
    minutes = (monotonic() - began) / 60
    if code is None:
        print(f"Stopped: not done after {LIMIT // 60} minutes. docs/torture.jsonl is as it was.")
        return 1
    if code or not rows:
        print(f"Failed after {minutes:.1f} minutes; pytest says why above. docs/torture.jsonl is as it was.")
        return code or 1
    if not arguments:
        lines = [
            json.dumps(row, ensure_ascii=False) for row in [machine() | {"minutes": round(minutes, 1)}, *rows]
        ]
        RESULTS.write_text("\n".join(lines) + "\n", "utf-8")
        print(f"All passed in {minutes:.1f} minutes. Now: python docs/promises.py > docs/promises.md")
    return 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the tests and whatever they started, politely first: pytest then says which test it was in."""
    for sign, patience in ((signal.SIGINT, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, sign)
            process.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
