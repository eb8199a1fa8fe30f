"""What does it cost the ranking of suspects that beyond 20,000 images only near regions are searched for
neighbours?

    python benchmarks/neighbours.py --out neighbours.json [--seeds 0 1 2] [--crops 3] [--features KEPT.npz]

Real features: a backbone's of ``--crops`` random crops of each photo (24,000 images of 8,000 photos), which
``--features`` keeps for the next time. Crops of one photo count as near-duplicates, share a fold and have
its labels, with the same errors (20 % of positives dropped, 15 % as many added). Heads as in ``quick`` (10
epochs) give the probabilities, and all cells are ranked: with no neighbours, with those of all pairs, and
with those found in regions. Regions of 512 images are what a search among so many has; smaller ones compare
an image with as small a share of all as among 100,000 and more images. ``overlap`` is the share of the 25
nearest that are those of all pairs. Photos and weights: $TAGGER_SHARED or ../shared.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from backbones import SHARED, add_backbone_option, backbone_settings
from numpy.typing import NDArray
from PIL import Image
from rounds import table, write_json
from sklearn.metrics import average_precision_score
from suspects import interval, plant

from tagger.arrays import sigmoid
from tagger.model import example_images, fuse_batchnorm, new_backbone
from tagger.presets import load_settings
from tagger.suspects import Evidence, find_suspects, nearest_images
from tagger.suspects import nearest_neighbours as search
from tagger.training.head.cross_fit import cross_fit_heads
from tagger.training.thread_map import thread_map

SIZE, AT_ONCE, PARTS = 128, 16, 5


def crops(file: Path, rng: np.random.Generator, num: int) -> list[NDArray[np.uint8]]:
    """``num`` squares of 60 to 100 % of the photo's shorter side, at ``SIZE``."""
    with Image.open(file) as image:
        image = image.convert("RGB")
        found = []
        for _ in range(num):
            side = min(image.size) * rng.uniform(0.6, 1.0)
            left, top = (rng.uniform(0, length - side) for length in image.size)
            found.append(np.asarray(image.resize((SIZE, SIZE), box=(left, top, left + side, top + side))))
    return found


def make_features(num_crops: int, backbone: str) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """(features_ND, labels_NK) of the crops, those of a photo one after the other."""
    settings = load_settings("quick", backbone_settings(backbone))
    network = fuse_batchnorm(new_backbone(settings).eval(), example_images(SIZE, torch.device("cpu")))
    labels = pd.read_csv(SHARED / "data/photos/labels.csv", keep_default_na=False)
    files = [SHARED / "data/photos/images" / Path(file).name for file in labels["file"]]
    names = sorted({name for text in labels["labels"] for name in text.split("|") if name})
    cells = [
        [name in text.split("|") for name in names] for text in labels["labels"] for _ in range(num_crops)
    ]

    @torch.inference_mode()
    def features(at: int) -> NDArray[np.float16]:
        rng = np.random.default_rng(at)
        pixels = np.stack([crop for file in files[at : at + AT_ONCE] for crop in crops(file, rng, num_crops)])
        return network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).numpy().astype(np.float16)

    return np.concatenate(list(thread_map(features, range(0, len(files), AT_ONCE)))), np.array(cells, np.int8)


def neighbours(features: NDArray[np.float16], photo: NDArray[np.int64], size: int | None) -> tuple:
    """The nearest of each image and their cosines: of all pairs (None), or in regions of ``size`` images."""
    if size is None:
        return nearest_images(features, photo, exact=len(features))
    before = search.region_size
    search.region_size = lambda num: size
    try:
        return nearest_images(features, photo, exact=0)
    finally:
        search.region_size = before


def precisions(labels: NDArray, truth: NDArray, probs: NDArray, photo: NDArray, near: tuple | None) -> float:
    """Average precision of the doubts of all cells against the planted errors."""
    nearest, cosine = near or (None, None)
    names = tuple(f"label {k}" for k in range(labels.shape[1]))
    evidence = Evidence(
        labels_NK=labels, probs_NK=probs, names=names, fold_N=photo % PARTS, duplicate_group_N=photo,
        nearest_NM=nearest, similarity_NM=cosine,
    )  # fmt: skip
    files = np.arange(len(labels)).astype(str)
    doubt = find_suspects(evidence, files, files, limit=1000).doubt.doubt_NK
    return float(average_precision_score((labels != truth).ravel(), np.nan_to_num(doubt).ravel()))


def main() -> None:
    """Make features, plant errors, rank, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--crops", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 128, 32])
    parser.add_argument("--features", type=Path)
    add_backbone_option(parser)
    args = parser.parse_args()
    if args.features and args.features.exists():
        kept = np.load(args.features)
        if "backbone" not in kept or kept["backbone"] != args.backbone:
            parser.error(f"{args.features} has the features of another backbone than {args.backbone}")
        features, truth = kept["features"], kept["labels"]
    else:
        features, truth = make_features(args.crops, args.backbone)
        if args.features:
            np.savez(args.features, features=features, labels=truth, backbone=args.backbone)
    photo = np.arange(len(features)) // args.crops
    near = {size: neighbours(features, photo, size) for size in [None, *args.sizes]}
    settings = load_settings("quick", ["head_stage.epochs=10", "image.tta_hflip=false"])
    found: dict[str, list[float]] = {}
    for seed in args.seeds:
        labels = np.repeat(plant(truth[:: args.crops], None, np.random.default_rng(seed)), args.crops, axis=0)
        stage = cross_fit_heads(features[None], labels, photo % PARTS, settings, track=lambda items, _: items)
        probs = sigmoid(stage.logits_NK)
        for name, some in {"none": None, **{str(size): pair for size, pair in near.items()}}.items():
            found.setdefault(name, []).append(precisions(labels, truth, probs, photo, some))
    rows = [["no neighbours", "", "", interval(found["none"]), ""]]
    for size, (nearest, _) in near.items():
        same = [
            len(np.intersect1d(a, b)) / len(b) for a, b in zip(nearest[::7], near[None][0][::7], strict=True)
        ]
        less = [a - b for a, b in zip(found[str(size)], found["None"], strict=True)]
        share = min(1.0, 10 * size / len(features)) if size else 1.0
        kind = f"regions of {size}" if size else "all pairs"
        rows.append(
            [kind, f"{share:.1%}", f"{np.mean(same):.3f}", interval(found[str(size)]), interval(less)]
        )
    print(f"{len(features):,} images, {len(args.seeds)} seeds\n")
    print(table(["neighbours", "compared", "overlap", "average precision", "less all pairs"], rows))
    if args.out:
        write_json(args.out, {"average_precision": found, "images": len(features)})


if __name__ == "__main__":
    main()
