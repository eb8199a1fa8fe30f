"""Does predicting take more memory when there are more images? Peak of `tagger predict`, 10,000 and 1,000,000
listed.

    python benchmarks/memory_predict.py --out memory_predict.json [--sizes 10000 1000000] [--folder /tmp/many]

Every size is a process of its own: the real command over a folder of files (1,000 a folder, hard links to
one photo), with a network that answers at once, so that what grows with their number is seen and not what a
network takes. The memory is the process's peak resident set; the target is at most 300 MB more for
1,000,000 than for 10,000.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rounds import table, write_json

LABELS = 20
TARGET = 300  # MB


def make_files(folder: Path, num: int) -> Path:
    """``num`` photos in sub-folders of 1,000; those that are there already stay."""
    root = folder / str(num)
    root.mkdir(parents=True, exist_ok=True)
    first = folder / "photo.png"
    for start in range(0, num, 1000):
        inner = root / f"{start:08d}"
        if inner.exists():
            continue
        inner.mkdir()
        Image.new("RGB", (8, 8)).save(first)  # a file system bounds the links to one file
        for number in range(start, min(start + 1000, num)):
            os.link(first, inner / f"{number:08d}.png")
        first.unlink()
    return root


def tag_all(root: Path, run: Path, out: Path) -> dict[str, float]:
    """The real command, with a network that answers at once; peak memory (MB) and seconds, of this process."""
    from tagger.commands import predict as command
    from tagger.commands.serving.predictor import Predictions, Predictor

    def predict_probs(self: Predictor, root: Path, files: list[str], *, description: str = "") -> Predictions:
        return Predictions(files, np.full((len(files), len(self.labels)), 0.5), {})

    Predictor.predict_probs = predict_probs  # type: ignore[method-assign]
    begun = time.perf_counter()
    command.predict(root, run=run, out=out, on_existing="overwrite")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {"peak_mb": peak, "seconds": time.perf_counter() - begun}


def main() -> None:
    """Make the files, run each size in a process, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="keep the files here (default: a temporary folder)")
    parser.add_argument("--run", type=Path, required=True, help="any finished run")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(tag_all(args.one, args.run, args.out)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for size in args.sizes:
            root = make_files(args.folder or Path(name), size)
            command = [sys.executable, __file__, "--one", str(root), "--run", str(args.run)]
            done = subprocess.run(
                [*command, "--out", f"{name}/tags.csv"], check=True, capture_output=True, text=True
            )
            found[size] = json.loads(done.stdout)
    first = found[args.sizes[0]]["peak_mb"]
    rows = [
        [
            f"{size:,}",
            f"{row['peak_mb']:,.0f} MB",
            f"{row['peak_mb'] - first:+,.0f} MB",
            f"{row['seconds']:,.0f} s",
        ]
        for size, row in found.items()
    ]
    print(table(["images", "peak", f"more (target <= {TARGET} MB)", "time"], rows))
    write_json(args.out, {"found": found, **vars(args)})


if __name__ == "__main__":
    main()
