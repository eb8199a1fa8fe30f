"""How long until a folder that was hashed before is listed and hashed again, when nothing has changed?

    python benchmarks/speed_index.py --out index.json [--files 100000 1000000] [--rounds 3] [--folder KEPT]

Files of 200 bytes in folders of 1,000 (``--folder`` keeps them for the next time: making a million takes
minutes). Each round lists and hashes the folder with the index kept, and reads every file with ``--plain``
rounds, each in a fresh process. The files are small and in the system's cache: of real photos on a disk,
what reading costs is many times more, and what the index costs is the same. Checked: the hashes are those
of plain hashing.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep

from rounds import alternate, ratio_interval, spread, table, write_json

IN_FOLDER = 1000
LIMITS = {1_000_000: 15.0}
RACY = 2.5  # seconds; what was written less long ago is not noted


def make(folder: Path, num: int) -> None:
    """``num`` files with an image's suffix, each with bytes of its own."""
    for start in range(0, num, IN_FOLDER):
        part = folder / f"{start // IN_FOLDER:05d}"
        part.mkdir(parents=True, exist_ok=True)
        for n in range(start, min(start + IN_FOLDER, num)):
            (part / f"IMG_{n:07d}.jpg").write_bytes(f"{n:07d}".encode() * 28)
    sleep(RACY)


def measure(folder: Path, *, plain: bool) -> dict[str, float | str]:
    """Seconds of listing and hashing, and one hash of all."""
    from tagger.data import hash_files, list_images
    from tagger.data.images import hashes

    if plain:
        hashes.MIN_CACHED_FILES = sys.maxsize
    begun = perf_counter()
    files = list_images(folder).files
    listed = perf_counter()
    found, _, problems = hash_files(folder, files)
    taken = perf_counter() - listed
    if problems:
        raise SystemExit(f"{len(problems)} files could not be read, such as {problems[0]}")
    together = hashlib.blake2b("".join(found).encode()).hexdigest()
    return {
        "listing": listed - begun,
        "hashing": taken,
        "seconds": listed - begun + taken,
        "together": together,
    }


def case(folder: Path, found: list[dict], *, plain: bool) -> Callable[[], float]:
    """A round in a process of its own; what it found goes to ``found``."""
    command = [sys.executable, __file__, "--measure", str(folder), *(["--plain"] if plain else [])]

    def run() -> float:
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        return float(found[-1]["seconds"])

    return run


def main() -> None:
    """Make the folders, measure in fresh processes, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--files", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are kept for the next time")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, plain=args.plain)))
        return
    rows, results = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        for num in args.files:
            folder = (args.folder or Path(scratch)) / str(num)
            if not folder.exists():
                make(folder, num)
            kept: list[dict] = []
            plain: list[dict] = []
            cases = {"index": case(folder, kept, plain=False), "plain": case(folder, plain, plain=True)}
            seconds = alternate(cases, args.rounds)  # the warm-up fills the index
            if len({found["together"] for found in kept + plain}) != 1:
                raise SystemExit("The index gave other hashes than plain hashing.")
            rows += show(num, kept[1:], seconds)
            results[str(num)] = {"index": kept[1:], "plain": plain[1:]}
    print(table(["files", "what", "median (range)", "target"], rows))
    if args.out:
        write_json(args.out, results)


def show(num: int, kept: list[dict], seconds: dict[str, list[float]]) -> list[list[str]]:
    """The rows of the table about ``num`` files."""
    target = f"<= {LIMITS[num]:g} s" if num in LIMITS else ""
    return [
        [f"{num:,}", "again, index kept", spread(seconds["index"], " s"), target],
        [f"{num:,}", "- listing", spread([found["listing"] for found in kept], " s"), ""],
        [f"{num:,}", "- hashing", spread([found["hashing"] for found in kept], " s"), ""],
        [f"{num:,}", "every file read", spread(seconds["plain"], " s"), ""],
        [f"{num:,}", "read / index", str(ratio_interval(seconds["plain"], seconds["index"])), ""],
    ]


if __name__ == "__main__":
    main()
