"""What does looking at a data set cost? Wall time and peak memory of each ``tagger data`` command, by number
of images.

    python benchmarks/data_sets.py --folder /tmp/many --out data_sets.json
    python benchmarks/data_sets.py --folder /tmp/many --sizes 1000 10000 --rounds 5 --commands stats check

FOLDER/N is made once for each size N and kept: N tiny JPEGs (32 to 160 pixels a side, in folders of 1,000),
1 % exact and 1 % re-encoded copies, and ``labels.csv`` with 20 labels from common to rare that keep company
in pairs. Every round runs all commands on one size after the other, each in a process of its own, so that a
busy minute hits all alike. Seconds are the wall clock's and, in brackets, the processors', which other jobs
of the machine do not lengthen. Memory is the largest sum over the process and its children (USS, as shared
pages count once), seen every 50 ms, or the kernel's own peak of the process where that is higher. Medians
over rounds; the issue's measure is ``stats`` on 100,000 images in 60 s and 1 GB on 2 cores.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

LABELS = tuple(f"label {k:02d}" for k in range(20))
SHARES_K = np.geomspace(0.4, 0.01, len(LABELS))
SIDES = (32, 48, 64, 96, 128, 160)
COPIED = 50  # every 50th image is a copy of the one before, exact and re-encoded in turn
COMMANDS: dict[str, tuple[str, ...]] = {
    "stats": ("stats",),
    "stats --html": ("stats", "--html", "OUT/page.html"),
    "check": ("check",),
    "duplicates": ("duplicates",),
    "quality": ("quality",),
    "split": ("split", "--out", "OUT/split.csv"),
    "sample": ("sample", "--num", "500", "--out", "OUT/sample"),
}


def make_images(folder: Path, num: int) -> Path:
    """The data set of ``num`` images in ``folder``, made if it is not there."""
    if (folder / "labels.csv").is_file():
        return folder
    rng = np.random.default_rng(num)
    labels_NK = draw_labels(num, rng)
    files = [f"images/{n // 1000:04d}/{n:07d}.jpg" for n in range(num)]
    for n, file in enumerate(files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        before = folder / files[n - 1]
        if n % COPIED == COPIED - 1 and (n // COPIED) % 2:
            shutil.copyfile(before, path)
        elif n % COPIED == COPIED - 1:
            Image.open(before).save(path, quality=60)
        else:
            Image.fromarray(draw(rng)).save(path, quality=85)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "labels"])
        rows.writerows(
            (name, "|".join(LABELS[k] for k in np.flatnonzero(row)))
            for name, row in zip(files, labels_NK, strict=True)
        )
    return folder


def draw_labels(num: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """labels_NK: each label has its share; every second one stands nearly always beside the one before it."""
    labels_NK = rng.random((num, len(LABELS))) < SHARES_K
    labels_NK[:, 0::2] |= labels_NK[:, 1::2] & (rng.random((num, len(LABELS) // 2)) < 0.95)
    return labels_NK


def draw(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture of soft patches with some grain, of one of several sizes."""
    height, width = rng.choice(SIDES, 2)
    patches = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8))
    pixels = np.asarray(patches.resize((int(width), int(height)), Image.Resampling.BICUBIC), dtype=np.int16)
    return np.clip(pixels + rng.integers(-8, 9, pixels.shape), 0, 255).astype(np.uint8)


def measure(name: str, folder: Path) -> dict[str, float]:
    """Seconds and peak MB of one command."""
    with tempfile.TemporaryDirectory() as out:
        first, *more = (word.replace("OUT", out) for word in COMMANDS[name])
        argv = [sys.executable, "-m", "tagger.cli", "data", first, str(folder), *more]
        begun = perf_counter()
        with Path(out, "screen.txt").open("w") as screen:
            process = subprocess.Popen(argv, stdout=screen, stderr=subprocess.STDOUT)
            watched, most, ended = psutil.Process(process.pid), 0, None
            while ended is None:
                most = max(most, memory(watched))
                sleep(0.05)
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                ended = (os.waitstatus_to_exitcode(status), usage) if pid else None
        seconds = perf_counter() - begun
        code, usage = ended
        if code not in (0, 2 * (name == "check")):  # the copies' labels differ, which check reports
            raise SystemExit(
                f"{' '.join(argv)} ended with {code}:\n{Path(out, 'screen.txt').read_text()[-2000:]}"
            )
    busy = usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "processor": busy, "mb": max(most, usage.ru_maxrss * 1024) / 1e6}


def memory(process: psutil.Process) -> int:
    """Bytes that the process and its children hold for themselves; 0 once it has ended."""
    total = 0
    with suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_full_info().uss
    return total


def table(results: list[dict[str, Any]]) -> str:
    """A Markdown table: for each command and size median seconds (of processors), and the largest peak in MB."""
    sizes = sorted({row["images"] for row in results})
    lines = [
        "| command | " + " | ".join(f"{size:,} images" for size in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for name in dict.fromkeys(row["command"] for row in results):
        cells = []
        for size in sizes:
            own = [row for row in results if (row["command"], row["images"]) == (name, size)]
            if own:
                wall, busy = (statistics.median(row[key] for row in own) for key in ("seconds", "processor"))
                cells.append(f"{wall:.0f} s ({busy:.0f} s), {max(row['mb'] for row in own):.0f} MB")
            else:
                cells.append("")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, required=True, help="where images are made and kept; not in a checkout"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results: list[dict[str, Any]] = []
    folders = {size: make_images(args.folder / str(size), size) for size in args.sizes}
    for number in range(args.rounds):
        for size, folder in folders.items():
            for name in args.commands:
                found = measure(name, folder)
                results.append({"command": name, "images": size, "round": number, **found})
                told = f"{found['seconds']:7.1f} s ({found['processor']:.1f} s) {found['mb']:6.0f} MB"
                print(f"{name:14} {size:>8,} images {told}", flush=True)
    print(f"\n{platform.machine()}, {psutil.cpu_count()} cores, medians of {args.rounds}\n\n{table(results)}")
    if args.out is not None:
        args.out.write_text(json.dumps(results, indent=1), "utf-8")


if __name__ == "__main__":
    main()
