"""How long does it take to train heads anew on cached features, as `tagger retrain` does after decisions?

    python benchmarks/speed_head.py --out speed_head.json [--images 100000] [--rounds 3] [--labels 20]

Features are made up, as wide as mobilenetv2's (1,696, both views, mapped from disk), with labels that show
in them. The settings are those of `quick`: 30 epochs of 256 images a step. Cases, which take turns:

* one head: four fifths of the images teach, the last fifth validates after every epoch.
* heads of 5 parts: what `tagger train` and `tagger retrain` do under `quick`: five such heads, each without
  its part.
* bare: the forward and backward matrix products of one head's steps alone, on float32 features already in
  memory, in order. Nothing is read, standardised, dropped out or validated.

"Memory" is what anonymous memory grew by at most; pages of the mapped file are the system's to drop.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rounds import alternate, ratio_interval, spread, table, write_json

from tagger.presets import load_settings
from tagger.training.head.cross_fit import cross_fit_heads, fit_head

WIDTH, VIEWS, PARTS, SHOWN = 1696, 2, 5, 8
TARGETS = {"one head": "<= 20 s"}


def make(path: Path, num: int, num_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """(views_VND mapped from ``path``, labels_NK): labels on a tenth of the images, seen in some directions."""
    rng = np.random.default_rng(0)
    labels = (rng.random((num, num_labels)) < 0.1).astype(np.int8)
    kinds = rng.standard_normal((num_labels, WIDTH), np.float32) / np.sqrt(SHOWN)
    kinds *= rng.random(kinds.shape) < SHOWN / num_labels
    views = np.lib.format.open_memmap(path, "w+", np.float16, (VIEWS, num, WIDTH))
    for start in range(0, num, 4096):
        rows = slice(start, start + 4096)
        shown = labels[rows].astype(np.float32) @ kinds
        for view in views:
            view[rows] = np.maximum(shown + rng.standard_normal(shown.shape, np.float32), 0)
    views.flush()
    return np.load(path, mmap_mode="r"), labels


def bare(num: int, num_labels: int, epochs: int, batch: int) -> None:
    """The matrix products of one head."""
    features, weights = torch.rand(4096, WIDTH), torch.rand(num_labels, WIDTH)
    left = torch.rand(batch, num_labels)
    for step in range(epochs * -(-num // batch)):
        at = step * batch % (len(features) - batch)
        part = features[at : at + batch]
        torch.mm(part, weights.T)
        torch.mm(left.T, part)


class Memory:
    """The most anonymous memory above what there was, in megabytes; asked every 20 ms."""

    def __enter__(self) -> "Memory":
        self.before = self.most = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.megabytes = (self.most - self.before) / 1e3

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, self._now())

    def _now(self) -> int:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1])


def timed(call: Callable[[], object], memory: list[float]) -> Callable[[], float]:
    """A case that gives seconds, and notes its memory."""

    def run() -> float:
        begun = time.perf_counter()
        with Memory() as used:
            call()
        memory.append(used.megabytes)
        return time.perf_counter() - begun

    return run


def main() -> None:
    """Make the features, measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=0)
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--set", nargs="*", default=[], help="settings, such as head.name=mlp")
    args = parser.parse_args()
    settings = load_settings("quick", args.set)
    with tempfile.TemporaryDirectory() as folder:
        views, labels = make(Path(folder, "features.npy"), args.images, args.labels)
        part = np.arange(args.images) % PARTS
        teach, rest = np.flatnonzero(part > 0), np.flatnonzero(part == 0)
        num = (len(teach), args.labels, settings.head_stage.epochs, settings.head_stage.batch_size)
        calls: dict[str, Callable[[], Any]] = {
            "one head": lambda: fit_head(views, labels, teach, rest, settings, name="head"),
            f"heads of {PARTS} parts": lambda: cross_fit_heads(
                views, labels, part, settings, track=lambda items, _: items
            ),
            "bare": lambda: bare(*num),
        }
        memory: dict[str, list[float]] = {name: [] for name in calls}
        cases = {name: timed(call, memory[name]) for name, call in calls.items() if name not in args.skip}
        seconds = alternate(cases, args.rounds, warm_up=args.warm_up)
    rows = [
        [
            name,
            spread(found, " s"),
            str(ratio_interval(found, seconds["bare"])),
            f"{max(memory[name]):,.0f} MB",
            target,
        ]
        for name, found in seconds.items()
        for target in [TARGETS.get(name, "")]
    ]
    print(table([f"{args.images:,} images", "median (range)", "/ bare", "memory", "target"], rows))
    if args.out:
        write_json(args.out, {"seconds": seconds, "megabytes": memory, **vars(args)})


if __name__ == "__main__":
    main()
