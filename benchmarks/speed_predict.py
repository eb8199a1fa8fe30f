"""How fast does `tagger predict` tag a folder of 128 px photos? Images a second, against its parts and against
others.

    python benchmarks/speed_predict.py --out speed_predict.json [--rounds 4] [--views 1] [--run RUN] [--skip fastai]

One backbone (`--backbone`) at 128 px in float32, one view a photo. Cases, which take turns:

* tagger: the command in this process, from listing 4,000 photos to the finished CSV file, model loading
  included.
* from the shell: the same as a new process, imports included.
* bare forward: the network as `tagger predict` computes it, one batch a core, on float images in memory.
* bare forward, shared: all cores together on one batch of 64, as PyTorch does by itself, the same network.
* bare decode: Pillow to RGB arrays in as many processes as there are cores.
* plain loader: DataLoader, Pillow, torchvision, the run's network as it is loaded
  (benchmarks/plain_tagging.py).
* fastai: test_dl and get_preds on that network; left out where fastai is not installed.

Photos and weights: $TAGGER_SHARED or ../shared. A run is trained first (`quick` on 1,500 photos), if none
is given.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from backbones import SHARED, add_backbone_option
from PIL import Image
from plain_tagging import (
    CORES,
    fastai_learner,
    make_run,
    plain_network,
    same_cells,
    with_fastai,
    with_plain_loader,
)
from rounds import alternate, ratio_interval, spread, table, write_json

from tagger.batches import BatchSequence, ImageFiles
from tagger.commands.predict import predict
from tagger.commands.serving.predictor import Predictor, load
from tagger.training.inference import CPU_CHUNK_SIZE, to_float
from tagger.training.thread_map import thread_map

FEW = 768  # photos for the slow cases
TARGETS = {"bare forward": ">= 0.90", "plain loader": ">= 1.50", "fastai": ">= 1.50"}


def rate(call: Callable[[], object], num: int) -> float:
    """Images a second."""
    begun = time.perf_counter()
    call()
    return num / (time.perf_counter() - begun)


def decode(files: list[Path]) -> None:
    """Pixels of the files, by Pillow alone."""
    for file in files:
        with Image.open(file) as image:
            np.asarray(image.convert("RGB"))


def decode_all(files: list[Path], pool: ProcessPoolExecutor) -> None:
    """The files, shared out among the processes of a pool."""
    list(pool.map(decode, [files[core::CORES] for core in range(CORES)]))


def cases_of(
    found: Predictor, folder: Path, views: int, pool: ProcessPoolExecutor
) -> dict[str, Callable[[], float]]:
    """Every case but fastai, each giving images a second; ``folder`` holds the photos in `new`."""
    photos, out, run = folder / "new", folder / "tags.csv", found.run.path
    files = sorted(photos.iterdir())
    size, device = found.settings.image.size, found.device
    batches = BatchSequence(
        ImageFiles(photos, [f.name for f in files[:FEW]], size=size), range(FEW), batch_size=CPU_CHUNK_SIZE
    )
    small = [to_float(batches[n].images_BCHW, device) for n in range(len(batches))]
    large = list(torch.cat(small).split(64))
    plain = plain_network(found.run)
    shell = [
        sys.executable,
        "-c",
        "from tagger.cli import main; main()",
        "predict",
        str(photos),
        "--run",
        str(run),
    ]
    shell += ["--out", str(out), "--on-existing", "overwrite"]

    def forward(images: torch.Tensor) -> None:
        with torch.inference_mode():
            for view in (images, images.flip(-1))[:views]:
                found.inference_model(view)

    return {
        "tagger": lambda: rate(
            lambda: predict(photos, run=run, out=out, on_existing="overwrite"), len(files)
        ),
        "tagger, from the shell": lambda: rate(
            lambda: subprocess.run(shell, check=True, capture_output=True), len(files)
        ),
        "bare forward": lambda: rate(lambda: list(thread_map(forward, small)), FEW),
        "bare forward, shared": lambda: rate(lambda: [forward(images) for images in large], FEW),
        "bare decode": lambda: rate(partial(decode_all, files, pool), len(files)),
        "plain loader": lambda: rate(lambda: with_plain_loader(plain, files[:FEW], size, views=views), FEW),
    }


def show(found: dict[str, list[float]]) -> None:
    """The table of docs/performance.md."""
    rows = []
    for name, rates in found.items():
        ratio = "" if name == "tagger" else str(ratio_interval(found["tagger"], rates))
        rows.append([name, spread(rates), ratio, TARGETS.get(name, "")])
    print(table(["case", "images/s (range)", "tagger / case", "target"], rows))


def main() -> None:
    """Train a run if none is given, measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--views", type=int, choices=[1, 2], default=1)
    parser.add_argument("--run", type=Path)
    add_backbone_option(parser)
    parser.add_argument("--skip", nargs="*", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(CORES) as pool:
        list(pool.map(decode, [[]] * CORES))  # the processes start before torch has threads
        folder = Path(name)
        found = load(args.run or make_run(folder, args.backbone, size=128, num=1500, views=args.views))
        (folder / "new").mkdir()
        for photo in sorted((SHARED / "data/photos/images").glob("*.jpg"))[-args.images :]:
            shutil.copy(photo, folder / "new")
        cases = cases_of(found, folder, args.views, pool)
        files = sorted((folder / "new").iterdir())[:FEW]
        plain, size = plain_network(found.run), found.settings.image.size
        try:
            learner = fastai_learner(plain, files, size, len(found.labels))
            cases["fastai"] = lambda: rate(lambda: with_fastai(learner, files), FEW)
        except ImportError:
            print("fastai is left out: it is not installed (pip install 'retagger[benchmarks]')")
        rates = alternate({name: case for name, case in cases.items() if name not in args.skip}, args.rounds)
        logits = with_plain_loader(plain, files, size, views=args.views)
        predictions = found.predict_probs(folder / "new", [file.name for file in files])
        same = same_cells(found, logits, predictions.probs_NK)
    show(rates)
    print(f"\ncells with the same answer as the plain loader gives: {same:.2%} of {logits.size:,}")
    write_json(args.out, {"images_a_second": rates, "same_cells": same, **vars(args)})


if __name__ == "__main__":
    main()
