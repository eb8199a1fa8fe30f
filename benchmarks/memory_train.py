"""Does training take more memory when there are more images? 10,000 and 1,000,000 listed, each in a process of
its own.

    python benchmarks/memory_train.py --out memory_train.json [--sizes 10000 1000000] [--batches 20] [--workers 1]

`fit` with its loader, sampler, targets and averaged weights, cut short after ``--batches`` batches of the
first epoch, whose order holds all images; all names lead to one photo, and the network is small, so that
what grows with the number of images is seen. Counted is memory without mapped files at its highest: that of
the process, and what the processes that read images do not share with it. Target: at most 300 MB more. The
list of names (30 letters) and the cells (14 labels) that the caller has are counted too.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rounds import table, write_json

LABELS, SIZE, TARGET = 14, 32, 300


class Highest:
    """The highest memory, in MB, of this process and of its children together, looked at all the time."""

    def __init__(self) -> None:
        self.own, self.children, self._over = 0.0, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.own = max(self.own, memory_of("self", "Anonymous"))
            pids: list[str] = []
            for children in Path("/proc/self/task").glob("*/children"):
                with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                    pids += children.read_text().split()
            self.children = max(self.children, sum(memory_of(pid, "Private_Dirty") for pid in pids))


def memory_of(pid: str, kind: str) -> float:
    """MB of a process of one kind of pages; 0 if it is gone."""
    try:
        lines = Path("/proc", pid, "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1000


def train(num: int, batches: int, workers: int) -> dict[str, float]:
    """The highest memory of a training that begins."""
    from tagger.batches import ImageFiles
    from tagger.config import check_settings
    from tagger.model import TagModel, new_backbone, new_head
    from tagger.training.device import make_accelerator
    from tagger.training.fit_key import FitKey
    from tagger.training.network.fit_task import FitTask
    from tagger.training.network.train_network import train_network

    class Same(ImageFiles):
        """One photo under every name."""

        def __getitem__(self, index: int) -> Any:
            assert len(self.files[int(index)]) == 30
            self.fixed = getattr(self, "fixed", Path("photo.jpg"))
            image, _, reason = ImageFiles(self.root, [str(self.fixed)], size=self.size)[0]
            return image, int(index), reason

    def cut(items: Any, _: str) -> Iterator[Any]:
        for _number, item in zip(range(batches), items, strict=False):
            yield item
        raise KeyboardInterrupt

    settings = check_settings(
        {
            "device": "cpu",
            "backbone": {"name": "test_resnet", "weights": "none"},
            "image": {"size": SIZE, "workers": workers},
            "train": {"epochs": 1, "precision": "fp32"},
        }
    )
    backbone = new_backbone(settings)
    model = TagModel(backbone, new_head(backbone.num_features, LABELS, settings))
    with tempfile.TemporaryDirectory() as folder:
        Image.new("RGB", (SIZE, SIZE)).save(Path(folder, "photo.jpg"))
        highest = Highest()
        images = Same(folder, [f"photos/of/summer/{n:09d}.jpg" for n in range(num)], size=SIZE)
        cells_NK = np.random.default_rng(0).integers(0, 2, (num, LABELS), dtype=np.int8)
        task = FitTask(
            images,
            cells_NK,
            np.arange(num - num // 10),
            np.arange(num - num // 10, num),
            FitKey.single_network(),
        )
        with contextlib.suppress(KeyboardInterrupt):
            train_network(model, task, settings, make_accelerator(settings), Path(folder, "c.pt"), track=cut)
        highest.stop()
    return {"process": highest.own, "readers": highest.children}


def main() -> None:
    """Measure in processes, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(train(args.one, args.batches, args.workers)))
        return
    found = {}
    for num in args.sizes:
        command = [sys.executable, *sys.argv, "--one", str(num)]
        found[num] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    first = found[args.sizes[0]]
    rows = []
    for num, memory in found.items():
        more = sum(memory.values()) - sum(first.values())
        rows.append(
            [
                f"{num:,}",
                f"{memory['process']:.0f}",
                f"{memory['readers']:.0f}",
                f"{more:+.0f}",
                f"<= +{TARGET}",
            ]
        )
    print(table(["images", "process, MB", "readers, MB", "more, MB", "target"], rows))
    write_json(args.out, {"megabytes": found})


if __name__ == "__main__":
    main()
