"""A command of tagger whose end and memory are seen from outside: ``run_watched(argv)``; also the child itself.

A crash of a decoder, which no ``except`` sees, is an exit code below 0 here.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Watched(NamedTuple):
    """How a process ended: its exit code (-11: it crashed), what it said, and the most memory it had, in megabytes."""

    code: int
    out: str
    err: str
    megabytes: int


def run_watched(*arguments: str | Path, folder: Path, seconds: float = 300, script: str = "") -> Watched:
    """``tagger ARGUMENTS`` (or another script of this folder) in ``folder``; TimeoutExpired if it hangs."""
    note = folder / f".peak-{os.getpid()}"
    path = Path(__file__).with_name(script) if script else Path(__file__)
    done = subprocess.run(
        [sys.executable, str(path), *map(str, arguments)],
        cwd=folder, capture_output=True, timeout=seconds, check=False,
        env=os.environ | {"TAGGER_PEAK": str(note), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
    )  # fmt: skip
    megabytes = int(note.read_text()) if note.exists() else -1
    note.unlink(missing_ok=True)
    return Watched(
        done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace"), megabytes
    )


def peak_megabytes() -> int:
    """The most memory that this process has had. Linux counts in ru_maxrss what its parent had, so not that there."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)


def main() -> None:
    """The command, and a note of its memory."""
    import tagger.cli

    try:
        tagger.cli.main()
    finally:
        Path(os.environ["TAGGER_PEAK"]).write_text(str(peak_megabytes()))


if __name__ == "__main__":
    main()
