"""How many outputs does a multi-label head need? mAP against the bits of each code, on cached features of real
photos.

    python benchmarks/codes.py --out results/codes.jsonl --seeds 0 1 2
    python benchmarks/codes.py --out results/codes.jsonl --table

Features of ``data/photos`` (of a frozen backbone, as preset ``quick`` has them) are computed once, into a
folder beside OUT. Each seed holds out another 2,000 of the 8,000 photos; one head a row learns from the
other 6,000 and ranks the 2,000. Lines that are in OUT are not run again. The table gives mAP and its
difference to ``linear`` on the same seeds with a 95 % t interval. Photos: $TAGGER_SHARED or ../shared.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from backbones import SHARED, add_backbone_option, backbone_settings
from scipy.stats import t as student

import tagger
from tagger.batches import ImageFiles, make_loader
from tagger.config import Settings
from tagger.data import Dataset, split_images
from tagger.model import new_backbone
from tagger.presets import load_settings
from tagger.runs import Checkpoint
from tagger.scoring import mean_average_precision
from tagger.training.features import extract_features
from tagger.training.head.cross_fit import fit_head, head_logits

ROWS: dict[str, list[str]] = {"linear": ["head.name=linear"]}
for _code, _bits in (
    ("data", (3, 6, 9, 13)),
    ("dense-random", (6, 13, 39, 78)),
    ("gaussian", (6, 13, 39, 78)),
):
    for _j in _bits:
        ROWS[f"{_code}, {_j} bits"] = ["head.name=ecoc", f"head.code={_code}", f"head.bits={_j}"]
_DATA = [*ROWS["data, 13 bits"]]
ROWS["data, 13 bits, binarise=zero"] = [*_DATA, "head.binarise=zero"]
ROWS["data, 13 bits, binarise=median"] = [*_DATA, "head.binarise=median"]
ROWS["data, 6 bits, similarity=features"] = [*ROWS["data, 6 bits"], "head.similarity=features"]
ROWS["data, 13 bits, similarity=features"] = [*_DATA, "head.similarity=features"]
ROWS["data, 13 bits, level=false"] = [*_DATA, "head.level=false"]


def settings_of(backbone: str, sets: list[str]) -> Settings:
    """Preset ``quick`` on the photos."""
    base = backbone_settings(backbone)
    return load_settings("quick", [*base, *sets], data={"path": str(SHARED / "data/photos"), "labels": ""})


def load_features(folder: Path, dataset: Dataset, backbone_name: str) -> np.ndarray:
    """Features (V, N, D) of all photos, computed once."""
    settings = settings_of(backbone_name, [])
    files = ImageFiles(
        settings.data.path, dataset.images["file"].tolist(), size=settings.input_size, fit=settings.image.fit
    )
    loader = make_loader(files, np.arange(len(files)), batch_size=64, workers=0)
    backbone = new_backbone(settings).to(memory_format=torch.channels_last)
    cpu = torch.device("cpu")
    found = extract_features(
        backbone,
        loader,
        len(files),
        device=cpu,
        precision="fp32",
        tta_hflip=True,
        checkpoint=Checkpoint(folder),
    )
    return found.views_VND


def measure(views_VND: np.ndarray, dataset: Dataset, backbone: str, name: str, seed: int) -> dict[str, float]:
    """mAP of one head on photos that it has not seen, and how long it took to learn."""
    labels_NK = dataset.labels_NK
    cut = split_images(labels_NK, dataset.images["hash"].tolist(), val=0, test=0.25, folds=2, seed=seed)
    rows, held_out = np.flatnonzero(cut.split != "test"), np.flatnonzero(cut.split == "test")
    began = monotonic()
    settings = settings_of(backbone, [*ROWS[name], f"seed={seed}"])
    head, _ = fit_head(views_VND, labels_NK, rows, held_out, settings, name="code")
    logits_RK = head_logits(head, views_VND, held_out)
    score = mean_average_precision(labels_NK[held_out], logits_RK)
    truth_RK = torch.from_numpy(labels_NK[held_out].astype(np.float32))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(logits_RK), truth_RK).item()
    return {"map": float(score), "loss": loss, "seconds": monotonic() - began}


def table(lines: list[dict[str, object]]) -> Iterator[str]:
    """The rows as Markdown."""
    found = {(line["row"], line["seed"]): line for line in lines}
    yield "| head | seeds | mAP | mAP against `linear` | cross-entropy |"
    yield "|---|---|---|---|---|"
    for name in ROWS:
        own = {seed: line for (row, seed), line in found.items() if row == name}
        if not own:
            continue
        pairs = [line["map"] - found["linear", s]["map"] for s, line in own.items() if ("linear", s) in found]  # type: ignore[operator]
        half = (
            student.ppf(0.975, len(pairs) - 1) * np.std(pairs, ddof=1) / len(pairs) ** 0.5
            if len(pairs) > 1
            else 0.0
        )
        against = f"{np.mean(pairs):+.3f} ({np.mean(pairs) - half:+.3f} to {np.mean(pairs) + half:+.3f})"
        score, loss = (np.mean([line[key] for line in own.values()]) for key in ("map", "loss"))  # type: ignore[type-var]
        yield f"| {name} | {len(own)} | {score:.3f} | {'' if name == 'linear' else against} | {loss:.4f} |"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    add_backbone_option(parser)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        [json.loads(line) for line in args.out.read_text("utf-8").splitlines()] if args.out.exists() else []
    )
    lines = [line for line in lines if line.get("backbone", "mobilenetv2_100") == args.backbone]
    done = {(line["row"], line["seed"]) for line in lines}
    missing = [(name, seed) for seed in args.seeds for name in ROWS if (name, seed) not in done]
    if missing and not args.table:
        dataset = tagger.read_dataset(SHARED / "data/photos")
        views_VND = load_features(args.out.parent / f"features-{args.backbone}", dataset, args.backbone)
        for name, seed in missing:
            measured = measure(views_VND, dataset, args.backbone, name, seed)
            lines.append({"backbone": args.backbone, "row": name, "seed": seed, **measured})
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    print("\n".join(table(lines)))


if __name__ == "__main__":
    main()
