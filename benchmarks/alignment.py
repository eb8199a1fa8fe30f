"""Does alignment help, and what does a warp take away? ROC AUC on drawn faces: no alignment, crop, warps.

    python benchmarks/alignment.py --out alignment.jsonl --seeds 0 1 2
    python benchmarks/alignment.py --out alignment.jsonl --table

Each seed draws other faces (``data_tools/drawn_faces.py``): the label is an open mouth, poses go to 40 degrees to
either side. A small network learns from random weights, once with each way of alignment, on the same photos and split;
the AUC is that of the test photos. Lines that are in OUT are not run again. Intervals: 95 %, t over seeds, of paired
differences to ``crop``.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

import tagger
from data_tools.drawn_faces import make_faces
from tagger.runs import RunFolder

ROWS = {
    "none": None,
    "crop": {"mode": "crop"},
    "warp, coarse": {"mode": "warp", "points": "coarse"},
    "warp, all": {"mode": "warp", "points": "all"},
}
SETTINGS = [
    *("image.size=48", "image.workers=0", "device=cpu", "train.precision=fp32", "train.epochs=16"),
    *("train.batch_size=32", "train.lr=0.003", "train.fold_models=1", "train.ema_decay=0.9"),
    *("data.test=0.35", "data.val=0.1", "data.folds=2", "augment.scale_min=0.9", "augment.aspect=1"),
    *("augment.shear=0", "backbone.levels=1"),
]
MARGIN = 0.1  # of all ways: as large a face in each


def measure(row: str, seed: int, num: int) -> dict[str, Any]:
    """The AUC of the test photos of one training, and how long it took."""
    began = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        data = make_faces(Path(folder) / "faces", num, size=96, seed=seed)
        chosen = ROWS[row]
        align = [] if chosen is None else [f"align.{key}={value}" for key, value in chosen.items()]
        align += (
            [] if chosen is None else [f"align.landmarks={data / 'landmarks.xml'}", f"align.margin={MARGIN}"]
        )
        run = tagger.train(
            data, run=Path(folder) / "run", backbone="test_resnet", weights="none",
            overrides=[*SETTINGS, f"seed={seed}", *align],
        )  # fmt: skip
        return {"auc": test_auc(run), "seconds": round(monotonic() - began, 1)}


def test_auc(run: RunFolder) -> float:
    """ROC AUC of a run's only label on its test photos."""
    test_N = (run.load_images()["split"] == "test").to_numpy()
    return float(roc_auc_score(run.load_cells()[test_N, 0], run.load_oof()[0][test_N, 0]))


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """The rows as Markdown."""
    found = {(line["row"], line["seed"]): line["auc"] for line in lines}
    yield "| alignment | seeds | AUC | against `crop` |"
    yield "|---|---|---|---|"
    for row in ROWS:
        seeds = [seed for name, seed in found if name == row and ("crop", seed) in found]
        if seeds:
            gaps = np.array([found[row, seed] - found["crop", seed] for seed in seeds])
            half = (
                student.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
                if len(gaps) > 1
                else 0.0
            )
            against = f"{gaps.mean():+.3f} ({gaps.mean() - half:+.3f} to {gaps.mean() + half:+.3f})"
            score = np.mean([found[row, seed] for seed in seeds])
            yield f"| {row} | {len(seeds)} | {score:.3f} | {'' if row == 'crop' else against} |"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--photos", type=int, default=1200, help="Drawn faces a seed.")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    lines = (
        [json.loads(line) for line in args.out.read_text("utf-8").splitlines()] if args.out.exists() else []
    )
    done = {(line["row"], line["seed"]) for line in lines if line["photos"] == args.photos}
    for row, seed in [] if args.table else [(row, seed) for seed in args.seeds for row in ROWS]:
        if (row, seed) in done:
            continue
        lines.append({"row": row, "seed": seed, "photos": args.photos, **measure(row, seed, args.photos)})
        print(json.dumps(lines[-1]), flush=True)
        with args.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(lines[-1]) + "\n")
    print("\n".join(table([line for line in lines if line["photos"] == args.photos])))


if __name__ == "__main__":
    main()
