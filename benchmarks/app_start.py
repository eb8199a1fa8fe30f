"""How long until the app answers, with 100,000 suspects over 1,000,000 images? And how fast does it page?

    python benchmarks/app_start.py --out start.json
    python benchmarks/app_start.py --images 100000 --suspects 10000 --rounds 5

A run of that size is made up in a temporary folder (no photos: none is shown before the first card). Each
round starts ``tagger review`` anew and waits for the first answer of ``/_stcore/health``; its processor
time is beside the wall clock's. Then pages of 24 are asked for and settled, one after the other, and the
time that each page takes is taken.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pandas as pd
import psutil

from tagger.config import Settings, check_settings
from tagger.review import Card, Decision, ReviewedRun, ReviewSession, Store, SuspectFilter
from tagger.runs import RunFolder


def make_run(folder: Path, num_images: int, num_suspects: int, num_labels: int) -> RunFolder:
    """A finished run of that size with suspects; numbers at random."""
    rng = np.random.default_rng(0)
    run = RunFolder(folder / "run")
    run.path.mkdir(parents=True)
    (folder / "data").mkdir()
    names = tuple(f"label {k}" for k in range(num_labels))
    run.save_settings(check_settings(Settings().model_dump() | {"data": {"path": str(folder / "data")}}))
    run.save_labels(names, {}, ())
    files = np.array([f"holiday/{n // 1000:04d}/photo-{n:07d}.jpg" for n in range(num_images)], dtype=object)
    hashes = np.array([f"{n:064x}" for n in range(num_images)], dtype=object)
    split = np.where(np.arange(num_images) % 10, "train", "test")
    run.save_images(pd.DataFrame({"file": files, "hash": hashes, "size": 1, "split": split, "fold": 0}))
    labels_NK = (rng.random((num_images, num_labels)) < 0.05).astype(np.int8)
    run.save_cells(labels_NK, names)
    run.save_oof(rng.random((num_images, num_labels), dtype=np.float32), np.zeros(num_images, np.int16))
    run.save_neighbours(
        rng.integers(num_images, size=(num_images, 25)), np.zeros((num_images, 25), np.float16)
    )
    cells = rng.choice(num_images * num_labels, num_suspects, replace=False)
    rows, columns = np.divmod(cells, num_labels)
    given, doubt = labels_NK[rows, columns], np.sort(rng.random(num_suspects).astype(np.float32))[::-1]
    audit = rng.random(num_suspects) < 0.005
    run.save_suspects(
        pd.DataFrame(
            {
                "file": files[rows],
                "hash": hashes[rows],
                "label": np.array(names, dtype=object)[columns],
                "given": given,
                "suggested": (1 - given).astype(np.int8),
                "direction": np.where(given == 1, "spurious", "missing"),
                "row": rows.astype(np.int32),
                "audit": audit,
                "audit_order": np.where(audit, np.cumsum(audit) - 1, -1).astype(np.int32),
                "stratum": np.zeros(num_suspects, np.int16),
                "stratum_size": num_suspects,
                "positives": 100,
                "doubt": doubt,
                "reason": "18 of its 25 most similar photos have `label`",
                "main_signal": "neighbours",
                "signal_neighbours": doubt,
                "signal_self_confidence": doubt,
            }
        )
    )
    (run.path / "metrics.json").write_text("{}")
    return run


def start_once(run: RunFolder) -> tuple[float, float]:
    """(wall clock, processor) seconds from the command to the first answer."""
    command = [
        sys.executable,
        "-m",
        "tagger.cli",
        "review",
        "--run",
        str(run.path),
        "--port",
        "0",
        "--no-browser",
    ]
    began = perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"HOME": str(run.path.parent)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"http://\w+:(\d+)/", line):
                break
        else:
            raise RuntimeError("the app did not start")
        while True:
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/_stcore/health", timeout=2),
            ):
                times = psutil.Process(process.pid).cpu_times()
                return perf_counter() - began, times.user + times.system
            sleep(0.01)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def paging(run: RunFolder, pages: int) -> list[float]:
    """Milliseconds that the desk takes for each of some pages of 24 cards, each settled before the next."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/review.db")
        reviewed = ReviewedRun(
            name="run",
            suspects=run.load_suspects(),
            images=run.load_images(),
            labels_NK=run.load_cells(),
            labels=run.load_labels(),
            neighbours=run.load_neighbours(),
        )
        session = ReviewSession(reviewed, store)
        chosen, after, times = SuspectFilter(label="label 0", direction="missing"), None, []
        for _ in range(pages):
            began = perf_counter()
            cards = session.grid("client", "ann", chosen, after=after, count=24)
            times.append(1000 * (perf_counter() - began))
            if not cards:
                break
            after = cards[-1].position
            session.record([_kept(card, len(times) * 24 + place) for place, card in enumerate(cards)])
        store.close()
    return times


def _kept(card: Card, seq: int) -> Decision:
    """The decision that keeps a cell as it is."""
    return Decision(
        hash=card.hash, label=card.label, verdict="yes" if card.given else "no", before=card.given,
        suggested=card.suggested, doubt=card.doubt, run="run", reviewer="ann", seconds=None, client="client", seq=seq,
        source="grid",
    )  # fmt: skip


def main() -> None:
    """Make the run, start and page, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--suspects", type=int, default=100_000)
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder), args.images, args.suspects, args.labels)
        starts = [start_once(run) for _ in range(args.rounds)]
        pages = paging(run, 100)
    wall, processor = (sorted(times) for times in zip(*starts, strict=True))
    tenth = max(1, len(pages) // 10)
    print(f"{args.images:,} images, {args.suspects:,} suspects, {args.rounds} starts\n")
    print("| | median | least | most |\n|---|---|---|---|")
    for name, times in (("seconds to the first answer", wall), ("of the processor", processor)):
        print(f"| {name} | {statistics.median(times):.1f} | {times[0]:.1f} | {times[-1]:.1f} |")
    first, last = statistics.median(pages[:tenth]), statistics.median(pages[-tenth:])
    print(
        f"\nA page of the grid: {first:.1f} ms at the beginning, {last:.1f} ms {len(pages)} pages on (medians)."
    )
    if args.out:
        args.out.write_text(json.dumps({"wall_s": wall, "processor_s": processor, "page_ms": pages}))


if __name__ == "__main__":
    main()
