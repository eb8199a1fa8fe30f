"""Long tails: labels a photo and F1 on other photos, with and without the limit on thresholds.

    python benchmarks/long_tail.py --data PHOTOS --weights FILE

PHOTOS is a folder with a labels.csv; only its photos are used. Labels are drawn: each is the photos furthest in a
random direction of the backbone's features, plus noise; shares fall as 1 / rank. The rows are ``quick`` trained on
some photos and judged on 400 others, for each data set and seed. About 40 s a row on two cores of an AMD EPYC.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image

from tagger.runs import RunFolder
from tagger.scoring import best_shared_threshold, choose_thresholds, parse_objective

SETS = {  # photos, labels, labels a photo, noise
    "20 labels": (600, 20, 3, (0.3, 1, 3)),
    "370 labels": (400, 370, 5, (0.3, 1, 3)),
    "370 labels, noise": (400, 370, 5, (4,)),
    "1,600 labels": (1200, 1600, 6, (0.3, 1, 3)),
}
NUM_OTHERS = 400
NUM_DIRECTIONS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    files = _photos(args.data)[:4000]
    directions_ND = _directions(files, args.backbone, args.weights)
    print(
        f"{'data':18} {'thresholds':12} {'seed':>4} {'labels a photo':>14} {'known':>6} {'micro-F1':>9} {'macro-F1':>9}"
    )
    for name in SETS:
        for seed in range(args.seeds):
            for row in _rows(name, seed, files, directions_ND, args):
                print(*row, flush=True)


def _photos(data: Path) -> list[Path]:
    """The photos of a folder, in order of name."""
    return sorted(path for path in data.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def _directions(files: list[Path], backbone: str, weights: Path) -> np.ndarray:
    """The first principal components (N, D) of the backbone's pooled features, unit variance."""
    overlay = {"file": str(weights)}
    model = timm.create_model(backbone, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay).eval()
    blocks = []
    with torch.inference_mode():
        for start in range(0, len(files), 50):
            images = [
                np.asarray(Image.open(file).convert("RGB").resize((160, 160)))
                for file in files[start : start + 50]
            ]
            pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
            blocks.append(model(pixels).numpy())
    features = np.concatenate(blocks)
    left, _, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, :NUM_DIRECTIONS] * np.sqrt(len(files)))


def _drawn_labels(name: str, seed: int, directions_ND: np.ndarray) -> np.ndarray:
    """Labels (N, K) of one data set."""
    _, num_labels, a_photo, noises = SETS[name]
    rng = np.random.default_rng(seed)
    share_K = 1 / (np.arange(num_labels) + 3.0)
    share_K = np.clip(share_K * a_photo / share_K.sum(), 0, 0.5)
    labels_NK = np.zeros((len(directions_ND), num_labels), dtype=bool)
    for k, share in enumerate(share_K):
        direction = rng.normal(size=NUM_DIRECTIONS) * np.linspace(2, 0.3, NUM_DIRECTIONS)
        score_N = directions_ND @ direction / np.linalg.norm(direction)
        score_N = score_N + rng.choice(noises) * rng.normal(size=len(score_N))
        labels_NK[np.argsort(-score_N)[: max(1, round(share * len(score_N)))], k] = True
    return labels_NK


def _write(folder: Path, files: list[Path], labels_NK: np.ndarray) -> None:
    """A folder of photos with labels.csv."""
    folder.mkdir()
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "labels"])
        for path, labels_K in zip(files, labels_NK, strict=True):
            shutil.copy(path, folder)
            writer.writerow([path.name, "|".join(f"l{k:04d}" for k in np.flatnonzero(labels_K))])


def _rows(
    name: str, seed: int, files: list[Path], directions_ND: np.ndarray, args: argparse.Namespace
) -> Iterator[tuple[str, ...]]:
    """One row of the table for each way of choosing thresholds."""
    labels_NK = _drawn_labels(name, seed, directions_ND)
    order = np.random.default_rng(seed + 1000).permutation(len(files))
    rows, others = order[: SETS[name][0]], order[-NUM_OTHERS:]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        _write(root / "train", [files[n] for n in rows], labels_NK[rows])
        _write(root / "other", [files[n] for n in others], labels_NK[others])
        options = ["--backbone", args.backbone, "--weights", str(args.weights), "--preset", "quick"]
        _run("train", "--data", root / "train", "--run", root / "run", "--set", f"seed={seed}", *options)
        _run("predict", root / "other", "--run", root / "run", "--out", root / "other.csv")
        run = RunFolder(root / "run")
        names = list(run.load_labels())
        known = pd.read_parquet(root / "run/labels.parquet")[names].to_numpy().astype(np.int8)
        probs_NK = run.load_decision_rule()[1].apply(run.load_oof()[0].astype(np.float64))
        table = pd.read_csv(root / "other.csv").set_index("file")
        position = {files[n].name: n for n in others}
        truth = labels_NK[[position[file] for file in table.index]][:, [int(label[1:]) for label in names]]
        usable = ~np.isnan(probs_NK).any(axis=1)
        for way, values in _thresholds(known[usable], probs_NK[usable]):
            yield _row(name, way, seed, truth, table[names].to_numpy() >= values)


def _run(*words: object) -> None:
    """One command of tagger; its output is shown where it fails."""
    command = [sys.executable, "-m", "tagger.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def _thresholds(labels_NK: np.ndarray, probs_NK: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(name, values) of each way of choosing thresholds from the same probabilities."""
    yield "no limit", choose_thresholds(labels_NK, probs_NK, pooled_loss=1).values_K
    yield "limit", choose_thresholds(labels_NK, probs_NK).values_K
    single = best_shared_threshold(labels_NK, probs_NK, parse_objective("f1"), average="micro")
    yield "single", np.full(labels_NK.shape[1], single)


def _row(name: str, way: str, seed: int, truth: np.ndarray, chosen: np.ndarray) -> tuple[str, ...]:
    true = (truth & chosen).sum(axis=0)
    both = truth.sum(axis=0) + chosen.sum(axis=0)
    present = truth.any(axis=0)
    micro = 2 * true.sum() / max(both.sum(), 1)
    macro = (2 * true / np.maximum(both, 1))[present].mean()
    return (
        f"{name:18}", f"{way:12}", f"{seed:4}", f"{chosen.sum(axis=1).mean():14.1f}",
        f"{truth.sum(axis=1).mean():6.1f}", f"{micro:9.3f}", f"{macro:9.3f}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
