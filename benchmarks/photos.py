"""How good is a preset on photos that it has not seen? The judged measure, on held-out photos of
``data/photos``.

    python benchmarks/photos.py --out photos.jsonl --preset quick --seeds 0 1 2
    python benchmarks/photos.py --out photos.jsonl --preset standard --set train.epochs=8
    python benchmarks/photos.py --out photos.jsonl --table

Each seed holds out another 2,000 of the 8,000 photos (stratified), trains on the other 6,000 through
``tagger.train`` and tags the 2,000. A line is added to OUT for each; lines that are there already are not
run again. The table gives the mean over seeds, and the difference to the first row's on the same seeds.
Photos: $TAGGER_SHARED or ../shared.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd
from backbones import SHARED, add_backbone_option, backbone_settings

import tagger
from tagger.commands.console.screen import Screen
from tagger.data import split_images

METRICS = ("map", "micro_f1", "macro_f1")


def run_once(preset: str, backbone: str, sets: list[str], seed: int, held_out: int) -> dict[str, object]:
    """Train on all photos but ``held_out``, tag those, and give the scores."""
    photos = SHARED / "data/photos"
    table = pd.read_csv(photos / "labels.csv", keep_default_na=False)
    dataset = tagger.read_dataset(photos)
    share = held_out / len(dataset.images)
    cut = split_images(
        dataset.labels_NK, dataset.images["hash"].tolist(), val=0, test=share, folds=2, seed=seed
    )
    held = set(dataset.images["file"][cut.split == "test"].str.removeprefix("images/"))
    with tempfile.TemporaryDirectory() as folder:
        rest, others = Path(folder, "train.csv"), Path(folder, "others.csv")
        table[~table["file"].isin(held)].to_csv(rest, index=False)
        table[table["file"].isin(held)].to_csv(others, index=False)
        began = monotonic()
        run = tagger.train(
            photos,
            run=Path(folder, "run"),
            preset=preset,
            labels=rest,
            overrides=[*backbone_settings(backbone), f"seed={seed}", *sets],
            screen=Screen(),
        )
        minutes = (monotonic() - began) / 60
        result = tagger.evaluate(photos, run, labels=others)
        own = run.load_metrics()
    return {
        "minutes": minutes,
        **{name: result["overall"][name] for name in METRICS},
        "shared": {name: result["thresholds_compared"]["best_shared"][name] for name in METRICS[1:]},
        "gain": result["threshold_gain"]["macro_f1"],
        "validation_map": own["validation_map"],
    }


def read_lines(path: Path) -> list[dict]:
    """The results of a file; lines from before there was a choice were measured with mobilenetv2_100."""
    return [
        {"backbone": "mobilenetv2_100", **json.loads(line)} for line in path.read_text("utf-8").splitlines()
    ]


def print_table(path: Path) -> None:
    """Means over seeds as Markdown, and the paired difference in mAP to the first row."""
    lines = read_lines(path)
    rows: dict[str, dict[int, dict[str, object]]] = {}
    for line in lines:
        rows.setdefault(" ".join([line["preset"], line["backbone"], *line["sets"]]), {})[line["seed"]] = line
    first = next(iter(rows.values()))
    print(
        "| settings | seeds | mAP | micro-F1 | macro-F1 | gain of thresholds | minutes | mAP against the first row |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, seeds in rows.items():
        means = [np.mean([line[m]["value"] for line in seeds.values()]) for m in METRICS]  # type: ignore[index]
        gain = np.mean([line["gain"]["value"] for line in seeds.values()])  # type: ignore[index]
        minutes = np.mean([line["minutes"] for line in seeds.values()])  # type: ignore[arg-type]
        pairs = [line["map"]["value"] - first[s]["map"]["value"] for s, line in seeds.items() if s in first]  # type: ignore[index]
        low_high = ", ".join(f"{d:+.3f}" for d in pairs)
        print(f"| {name} | {len(seeds)} | " + " | ".join(f"{m:.3f}" for m in means), end="")
        print(f" | {gain:+.3f} | {minutes:.1f} | {low_high} |")


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="quick")
    add_backbone_option(parser)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    done = read_lines(args.out) if args.out.exists() else []
    for seed in [] if args.table else args.seeds:
        key = {
            "preset": args.preset,
            "backbone": args.backbone,
            "sets": args.sets,
            "seed": seed,
            "held_out": args.held_out,
        }
        if any(all(line[name] == value for name, value in key.items()) for line in done):
            continue
        result = run_once(args.preset, args.backbone, args.sets, seed, args.held_out)
        with args.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(key | result) + "\n")
    print_table(args.out)


if __name__ == "__main__":
    main()
