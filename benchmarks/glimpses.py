"""Are glimpses worth their cost? Planted digits that only they can read, and real faces of 64 px against 192 px.

    python benchmarks/glimpses.py planted --out results/planted.jsonl --seeds 0 1 2
    python benchmarks/glimpses.py faces --out results/faces.jsonl --seeds 0 1 2 3 4
    python benchmarks/glimpses.py faces --out results/faces.jsonl --rows "64 px" "64 px, 5 of 8 x 8" --num 1500
    python benchmarks/glimpses.py faces --out results/faces.jsonl --table

``planted``: photos of 576 px with one digit of 24 px among other things, seen at 96 px (data_tools/small_digits.py).
mAP of ten digits on test photos, and how often the digit's cell is among those that were chosen. The control
``random cells`` sees as many cells, drawn anew for each photo. ``faces``: nine ages and gender of faces of 200 px
($TAGGER_SHARED/data/faces), a seed being one of five folds; accuracy of each, seconds of the training, and
milliseconds a photo of the trained network, one thread. A line is added to OUT for each row and seed; lines that are
there are not run again. Photos and runs lie beside OUT.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from backbones import SHARED, add_backbone_option, backbone_settings
from PIL import Image
from scipy.stats import t as student
from sklearn.datasets import load_digits

import tagger
from data_tools.small_digits import draw_small_digit
from tagger.batches import load_image
from tagger.commands.serving.predictor import Predictor
from tagger.explain.glimpses import find_cell_weights
from tagger.model import Glimpses, example_images, fuse_batchnorm
from tagger.model.glimpses import choose_cells

FOLDS = 5
GRID = 16
PLAIN = [
    "image.workers=0",
    "augment.shift=0",
    "augment.scale_min=1",
    "augment.shear=0",
    "augment.brightness=0",
    "augment.contrast=0",
    "augment.saturation=0",
    "augment.grey=0",
    "mix.mixup=0",
    "mix.cutmix=0",
    "train.fold_models=1",
    "data.folds=2",
]
PLANTED = [*PLAIN, "augment.hflip=0", "image.tta_hflip=false", "image.size=96", "data.test=0.25"]
PLANTED_ROWS = {
    "96 px": [],
    "96 px, 5 of 16 x 16": ["glimpses.count=5"],
    "96 px, random cells": ["glimpses.count=5"],
}
FACES = [*PLAIN, "data.split=folders", "image.tta_hflip=false"]


def faces_row(count: int, grid: int, stage: int) -> list[str]:
    """Settings of a small view with glimpses."""
    seen = {"count": count, "grid": grid, "stage": stage, "size": 192}
    return ["image.size=64", *(f"glimpses.{key}={value}" for key, value in seen.items())]


FACES_ROWS = {
    "64 px": ["image.size=64"],
    "64 px, 5 of 8 x 8": faces_row(5, 8, 3),
    "192 px": ["image.size=192"],
    "64 px, 3 of 8 x 8": faces_row(3, 8, 3),
    "64 px, 10 of 8 x 8": faces_row(10, 8, 3),
    "64 px, 5 of 4 x 4": faces_row(5, 4, 3),
    "64 px, 5 of 6 x 6": faces_row(5, 6, 3),
    "64 px, 5 of 8 x 8, stage 2": faces_row(5, 8, 2),
    "64 px, 5 of 8 x 8, stage 4": faces_row(5, 8, 4),
}
Line = dict[str, Any]


def draw_photos(folder: Path, seed: int, num: int) -> dict[str, int]:
    """Draw planted photos with their labels into a folder, once; gives the digit's cell of each."""
    kept = folder / "cells.json"
    if not kept.is_file():
        (folder / "images").mkdir(parents=True, exist_ok=True)
        digits, rng = load_digits(), np.random.default_rng(seed)
        cells, lines = {}, ["file,labels"]
        for number, row in enumerate(rng.permutation(len(digits.target))[:num].tolist()):
            photo = draw_small_digit(digits.images[row] / 16, rng, grid=GRID)
            name = f"{number:05d}.jpg"
            Image.fromarray(photo.pixels_HWC).save(folder / "images" / name, quality=92)
            cells[name] = photo.cell
            lines.append(f"{name},digit-{digits.target[row]}")
        (folder / "labels.csv").write_text("\n".join(lines) + "\n", "utf-8")
        kept.write_text(json.dumps(cells), "utf-8")
    found: dict[str, int] = json.loads(kept.read_text("utf-8"))
    return found


def split_faces(folder: Path, fold: int, num: int) -> Path:
    """Copy the first ``num`` faces into train, val and test of one fold, once."""
    source = SHARED / "data/faces"
    if not (folder / "labels.csv").is_file():
        table = pd.read_csv(source / "labels.csv").head(num)
        part_N = np.random.default_rng(0).permutation(num) % FOLDS
        is_val_N = np.random.default_rng(1).permutation(num) % 10 == 0
        split_N = np.where(part_N == fold, "test", np.where(is_val_N, "val", "train"))
        for name in ("train", "val", "test"):
            (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        for file, split in zip(table["file"], split_N, strict=True):
            shutil.copy(source / "images" / file, folder / "images" / split / file)
        table["file"] = [f"images/{split}/{file}" for split, file in zip(split_N, table["file"], strict=True)]
        shutil.copy(source / "labels.toml", folder / "labels.toml")
        table.to_csv(folder / "labels.csv", index=False)
    return folder


def train(data: Path, run: Path, sets: Sequence[str], seed: int) -> tuple[Predictor, Line]:
    """Train from scratch with these settings; the run's predictor, and what the training says of it."""
    shutil.rmtree(run, ignore_errors=True)
    began = monotonic()
    made = tagger.train(data, run=run, preset="standard", overrides=[*sets, f"seed={seed}"])
    line: Line = {"train_seconds": round(monotonic() - began, 1)}
    test = json.loads((run / "metrics.json").read_text("utf-8"))["test"]
    line["map"] = test["overall"]["map"]["value"]
    line |= {f"{name} accuracy": group["accuracy"] for name, group in test.get("groups", {}).items()}
    predictor = tagger.load(made)
    line["predict_ms"] = milliseconds(predictor)
    return predictor, line


@torch.inference_mode()
def milliseconds(predictor: Predictor, *, rounds: int = 15) -> float:
    """Milliseconds of a photo in a batch of 16, from pixels in memory: the median of some rounds."""
    size = predictor.settings.input_size
    fast = fuse_batchnorm(predictor.model, example_images(size, torch.device("cpu")))
    images = torch.rand(16, 3, size, size).to(memory_format=torch.channels_last)
    times = []
    for _ in range(rounds):
        began = perf_counter()
        fast(images)
        times.append(perf_counter() - began)
    return round(1000 * float(np.median(times)) / len(images), 2)


def random_cells(glimpses: Glimpses, weights_BG: torch.Tensor) -> torch.Tensor:
    """As many cells as the glimpses choose, drawn anew."""
    return choose_cells(torch.rand_like(weights_BG), glimpses.count)


def hit_rate(predictor: Predictor, folder: Path, cells: dict[str, int]) -> float | None:
    """The share of test photos whose digit's cell is among the chosen ones; None without glimpses."""
    glimpses = predictor.model.glimpses
    if glimpses is None:
        return None
    images = predictor.run.load_images()
    hits = []
    for file in images[images["split"] == "test"]["file"]:
        pixels_HWC = load_image(folder / file, size=predictor.settings.input_size)
        pixels = torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            chosen = glimpses.choose(find_cell_weights(predictor.model, pixels))[0].tolist()
        hits.append(cells[Path(str(file)).name] in chosen)
    return float(np.mean(hits))


def run_planted(args: argparse.Namespace, row: str, seed: int) -> Line:
    """One line of the planted digits."""
    folder = args.out.parent / f"planted-{seed}"
    cells = draw_photos(folder, seed, args.num or 1600)
    sets = [*backbone_settings(args.backbone), *PLANTED, f"train.epochs={args.epochs}", *PLANTED_ROWS[row]]
    chosen = Glimpses.choose
    if "random" in row:
        Glimpses.choose = random_cells  # type: ignore[method-assign]
    try:
        predictor, line = train(folder, args.out.parent / "run", [*sets, *args.set], seed)
        return line | {"hits": hit_rate(predictor, folder, cells)}
    finally:
        Glimpses.choose = chosen  # type: ignore[method-assign]


def run_faces(args: argparse.Namespace, row: str, seed: int) -> Line:
    """One line of the faces; the seed is the fold."""
    num = args.num or 5000
    folder = split_faces(args.out.parent / f"faces-{num}-{seed}", seed, num)
    sets = [*backbone_settings(args.backbone), *FACES, f"train.epochs={args.epochs}", *FACES_ROWS[row]]
    return train(folder, args.out.parent / "run", [*sets, *args.set], seed)[1]


def interval(values: Sequence[float]) -> str:
    """Mean and half of the 95 % t interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.3f}"
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean:.3f} ± {half:.3f}"


def table(lines: Sequence[Line], rows: Sequence[str]) -> Iterator[str]:
    """The rows as Markdown."""
    known = [key for key in lines[0] if key not in ("row", "seed")] if lines else []
    yield "| " + " | ".join(["row", "seeds", *known]) + " |"
    yield "|" + "---|" * (len(known) + 2)
    for row in rows:
        own = [line for line in lines if line["row"] == row]
        cells = [[line[key] for line in own if line.get(key) is not None] for key in known]
        if own:
            yield (
                "| "
                + " | ".join([row, str(len(own)), *(interval(values) if values else "" for values in cells)])
                + " |"
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("planted", "faces"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--num", type=int, help="photos; 1,600 drawn ones or all faces")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--set", nargs="*", default=[], help="more settings")
    parser.add_argument("--table", action="store_true")
    add_backbone_option(parser)
    args = parser.parse_args()
    known = PLANTED_ROWS if args.task == "planted" else FACES_ROWS
    unknown = set(args.rows or ()) - set(known)
    if unknown:
        raise SystemExit(f"No such rows: {sorted(unknown)}. There are: {', '.join(known)}")
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        [json.loads(text) for text in args.out.read_text("utf-8").splitlines()] if args.out.exists() else []
    )
    done = {(line["row"], line["seed"]) for line in lines}
    for seed in () if args.table else args.seeds:
        for row in args.rows or known:
            if (row, seed) not in done:
                run = run_planted if args.task == "planted" else run_faces
                lines.append({"row": row, "seed": seed} | run(args, row, seed))
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(lines[-1]) + "\n")
    print("\n".join(table(lines, list(known))))


if __name__ == "__main__":
    main()
