"""How long until a command is there? Fresh processes, one after another in random order.

    python benchmarks/speed_start.py --out start.json [--rounds 9]

``tagger --help`` against an empty Python, and ``tagger predict`` on one image against importing torch and
timm, which every prediction needs: the network is made, its weights are read, the image is decoded and
tagged. The run is a a backbone with random weights (``--run`` takes another), made for the purpose; no
training.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from backbones import add_backbone_option
from PIL import Image
from rounds import alternate, ratio_interval, spread, table, write_json

TAGGER = (sys.executable, "-m", "tagger.cli")
HELP, RATIO = 0.4, 1.3


def make_run(folder: Path, backbone: str) -> tuple[Path, Path]:
    """(a finished run of a network with random weights, a folder with one image)."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from untrained import make_run as make

    photos = folder / "one"
    photos.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photos / "photo.jpg")
    return make(folder, "image.size=128", backbone=backbone).path, photos


def case(*command: str) -> Callable[[], float]:
    """Seconds of a command, from its start to its end."""

    def run() -> float:
        begun = perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return perf_counter() - begun

    return run


def main() -> None:
    """Measure in fresh processes, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--run", type=Path)
    add_backbone_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run, photos = make_run(Path(scratch), args.backbone)
        tagging = (
            *TAGGER,
            "predict",
            str(photos),
            "--run",
            str(args.run or run),
            "--out",
            f"{scratch}/tags.csv",
        )
        cases = {
            "python": case(sys.executable, "-c", "pass"),
            "help": case(*TAGGER, "--help"),
            "imports": case(sys.executable, "-c", "import torch, timm"),
            "predict": case(*tagging, "--on-existing", "overwrite"),
        }
        found = alternate(cases, args.rounds)
    ratio = ratio_interval(found["predict"], found["imports"])
    rows = [
        ["python, doing nothing", spread(found["python"], " s"), ""],
        ["tagger --help", spread(found["help"], " s"), f"<= {HELP} s"],
        ["import torch, timm", spread(found["imports"], " s"), ""],
        ["tagger predict, one image", spread(found["predict"], " s"), ""],
        ["predict / imports", str(ratio), f"<= {RATIO}"],
    ]
    print(table(["what", "median (range)", "target"], rows))
    if args.out:
        write_json(args.out, {"ratio": ratio._asdict(), "seconds": found})


if __name__ == "__main__":
    main()
