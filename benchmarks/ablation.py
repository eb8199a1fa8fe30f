"""What is each method worth, alone and together? Real photos, pretrained and from scratch, several seeds,
resumable.

    python benchmarks/ablation.py --out DIR            # everything that is not there yet, seed by seed
    python benchmarks/ablation.py --out DIR --studies photos-pretrained --methods baseline camdrop --seeds 0 1 2
    python benchmarks/ablation.py --out DIR --report   # the tables of docs/ablation.md

One JSON file a run lies in DIR/BACKBONE; what is there is not run again, and several of these commands may
share DIR: each takes the runs that no other has begun. A run trains one network on a random part of the
data and judges it on a test split; seed s draws another split, other weights and another order, the same
for every method, so differences are paired. Photos: $TAGGER_SHARED or ../shared.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ablation_table import report
from accelerate import Accelerator
from backbones import SHARED, add_backbone_option, backbone_settings
from filelock import FileLock

import tagger
from tagger.arrays import Cells, Floats, sigmoid
from tagger.batches import CachedImages, ImageFiles, make_loader
from tagger.batches.image_cache import open_cache, write_cache
from tagger.config import Settings
from tagger.data import Rule, Vocabulary, split_images
from tagger.model import new_backbone
from tagger.presets import load_settings
from tagger.runs import Checkpoint, write_text
from tagger.scoring import mean_average_precision
from tagger.scoring.metrics import apply_thresholds, confusion_counts, micro_macro_averages
from tagger.training.device import make_accelerator, pick_precision
from tagger.training.features import extract_features
from tagger.training.fit_key import FitKey
from tagger.training.head.cross_fit import fit_head, head_logits
from tagger.training.inference import predict
from tagger.training.network.fit_task import FitTask
from tagger.training.network.model_init import init_model
from tagger.training.network.train_network import train_network

TEST, VAL = {"photos": 2000, "ages": 500}, {"photos": 400, "ages": 150}
IMPLIES_PEOPLE = ("baby", "female", "male", "portrait")


@dataclass(frozen=True)
class Study:
    """One question: on which data, from which weights, with how many images to learn from and for how long."""

    data: str
    pretrained: bool
    size: int
    images: int
    sets: tuple[str, ...]


PRETRAINED = (*("train.freeze_share=0.5", "train.lr=3e-4", "train.head_lr_factor=3", "train.batch_size=32"),)
SCRATCH = (
    *(
        "backbone.name=mobilenetv3_small_100",
        "backbone.weights=none",
        "train.freeze_share=0",
        "train.ema_decay=0.98",
    ),
    *(
        "train.lr=2e-3",
        "train.head_lr_factor=1",
        "train.batch_size=64",
        "train.precision=fp32",
        "backbone.levels=1",
    ),
)
STUDIES = {
    "photos-pretrained": Study("photos", True, 128, 1200, (*PRETRAINED, "train.epochs=3")),
    "ages-pretrained": Study("ages", True, 128, 1000, (*PRETRAINED, "train.epochs=4")),
    "photos-scratch": Study("photos", False, 64, 1500, (*SCRATCH, "train.epochs=6")),
    "ages-scratch": Study("ages", False, 64, 1300, (*SCRATCH, "train.epochs=8")),
    "ages-pretrained-long": Study("ages", True, 128, 1300, (*PRETRAINED, "train.epochs=12")),
    "photos-heads": Study("photos", True, 128, 5600, ("train.epochs=0",)),
    "ages-heads": Study("ages", True, 128, 1300, ("train.epochs=0",)),
    "photos-pretrained-300": Study("photos", True, 128, 300, (*PRETRAINED, "train.epochs=6")),
}

METHODS: dict[str, tuple[str, ...]] = {
    "baseline": (),
    "grid dropout": ("regularisers.grid-dropout=true",),
    "grid dropout, no masking label": ("regularisers.grid-dropout.beta=0",),
    "grid dropout, fill=mean": ("regularisers.grid-dropout.fill=mean",),
    "CamDrop": ("regularisers.camdrop=true",),
    "CamDrop, average guide": ("regularisers.camdrop.guide=average",),
    "AttentionDrop adaptive": ("regularisers.attention-drop.mode=adaptive",),
    "AttentionDrop soft": ("regularisers.attention-drop.mode=soft",),
    "AttentionDrop attention": ("regularisers.attention-drop.mode=attention",),
    "DropBlock": ("regularisers.dropblock=true",),
    "DropBlock, rising": ("regularisers.dropblock.schedule=linear",),
    "DropPath 0.1": ("backbone.drop_path_rate=0.1",),
    "random erasing 0.25": ("augment.erasing=0.25",),
    "OrthoReg local": ("regularisers.orthoreg=true",),
    "OrthoReg global": ("regularisers.orthoreg.mode=global",),
    "OrthoReg local, convolutions": ("regularisers.orthoreg.layers=conv",),
    "OrthoReg local, normalised 0.1": (
        "regularisers.orthoreg.normalise=true",
        "regularisers.orthoreg.gamma=0.1",
    ),
    "OrthoReg local, norms restored": ("regularisers.orthoreg.restore_norms=true",),
    "ECOC hierarchy": (
        "head.name=ecoc",
        "head.code=hierarchy",
        f"head.file={Path(__file__).parent / 'photo_hierarchy.csv'}",
    ),
    "ECOC data": ("head.name=ecoc", "head.code=data"),
    "ECOC dense-random": ("head.name=ecoc", "head.code=dense-random"),
    "ECOC gaussian": ("head.name=ecoc", "head.code=gaussian"),
    "gated attention": ("attention.depth=3",),
    "ordinal regression": ("regularisers.ordinal-regression=true",),
    "grid dropout + ordinal regression": (
        "regularisers.grid-dropout=true",
        "regularisers.ordinal-regression=true",
    ),
    "independent labels": (),
    "rule consistency": ("regularisers.rule-consistency=true",),
    "frequent labels dropped, then all": ("sampler.name=undersampling", "sampler.until=0.5"),
    "growing from half the size": (),  # of the pixels; layers stay
    "random grey 0.3": ("augment.grey=0.3",),
    "mixup 0.2": ("mix.mixup=0.2", "head_stage.mixup=0.2"),
    "squared error": ("loss.name=squared-error",),
    "false positives cost double": ("loss.name=false-positive",),
    "false positives by frequency": ("loss.name=false-positive", "loss.power=1.0"),
    "rate halved in steps": ("train.schedule=step",),
    "rate falling exponentially": ("train.schedule=exponential",),
    "combination": (
        "attention.depth=3",
        "augment.erasing=0.25",
    ),  # chosen on seed 0, with rules where there are any
}
VARIANTS = {  # of a method, and methods for what is known already: one seed, and not from scratch
    *(
        "grid dropout, fill=mean",
        "AttentionDrop adaptive",
        "AttentionDrop soft",
        "OrthoReg global",
        "ECOC gaussian",
    ),
    *("squared error", "false positives cost double", "mixup 0.2", "false positives by frequency"),
    *("CamDrop, average guide", "DropBlock, rising", "ECOC hierarchy"),
    *("OrthoReg local, convolutions", "OrthoReg local, normalised 0.1", "OrthoReg local, norms restored"),
    *("rate halved in steps", "rate falling exponentially"),
}
NOT_FROM_SCRATCH = VARIANTS | {"DropPath 0.1"}
ON_FEATURES = {  # methods that act on a head alone
    *(
        "baseline",
        "ECOC data",
        "ECOC dense-random",
        "ECOC gaussian",
        "ECOC hierarchy",
        "independent labels",
        "rule consistency",
    ),
    *("frequent labels dropped, then all", "mixup 0.2", "squared error", "false positives cost double"),
    "false positives by frequency",
}
ONLY = {
    "photos": {
        "rule consistency",
        "frequent labels dropped, then all",
        "squared error",
        "false positives cost double",
        "false positives by frequency",
        "ECOC hierarchy",
    },
    "ages": {"ordinal regression", "grid dropout + ordinal regression", "independent labels"},
}
HEADLINE = {"photos": ("map", "micro_f1"), "ages": ("accuracy", "one_off", "mae")}


def applies(method: str, study: Study) -> bool:
    """Whether a method has anything to act on in a study."""
    other = ONLY["ages" if study.data == "photos" else "photos"]
    if "train.epochs=0" in study.sets:
        return method in ON_FEATURES - other
    return method not in other and (study.pretrained or method not in NOT_FROM_SCRATCH)


@dataclass(frozen=True)
class Images:
    """A data set, decoded: cells (N, K), hashes, and what is known of the labels."""

    pixels: CachedImages | ImageFiles
    labels_NK: Cells
    hashes: list[str]
    vocabulary: Vocabulary


@cache
def load(data: str, size: int, out: Path) -> Images:
    """The photos or the ages, decoded once into ``out``."""
    root = SHARED / "data" / data
    dataset = tagger.read_dataset(root)
    files = ImageFiles(root, dataset.images["file"].tolist(), size=size)
    everything, path = np.arange(len(files)), out / f"{data}-{size}.npy"
    if not path.is_file():
        temporary = path.with_suffix(f".{os.getpid()}.npy")
        for _ in write_cache(make_loader(files, everything, batch_size=64, workers=0), files, temporary):
            pass
        temporary.rename(path)
    names = tuple(dataset.labels)
    if data == "ages":
        vocabulary = Vocabulary(names, {"age": {"kind": "ordinal", "labels": sorted(names)}}, ())
    else:
        vocabulary = Vocabulary(names, {}, tuple(Rule(name, "people") for name in IMPLIES_PEOPLE))
    return Images(
        open_cache(files, everything, path), dataset.labels_NK, dataset.images["hash"].tolist(), vocabulary
    )


def settings_of(study: Study, method: str, seed: int, backbone: str) -> Settings:
    """What a run is trained with."""
    weights = backbone_settings(backbone) if study.pretrained else []
    more = [f"image.progressive_start={study.size // 2}"] if method == "growing from half the size" else []
    if method == "combination" and study.data == "photos":
        more = ["regularisers.rule-consistency=true"]
    sets = [f"image.size={study.size}", f"seed={seed}", *weights, *study.sets, *METHODS[method], *more]
    return load_settings("standard", sets)


def run_once(study: Study, method: str, seed: int, out: Path, backbone: str) -> dict[str, Any]:
    """Train one network and judge it on the test split of the seed."""
    images, settings = load(study.data, study.size, out), settings_of(study, method, seed, backbone)
    labels_NK, num = images.labels_NK, len(images.labels_NK)
    vocabulary = images.vocabulary
    if method == "independent labels":
        vocabulary = Vocabulary(vocabulary.labels, {}, ())
    cut = split_images(labels_NK, images.hashes, val=0, test=TEST[study.data] / num, folds=2, seed=seed)
    test, rest = np.flatnonzero(cut.split == "test"), np.flatnonzero(cut.split != "test")
    rest = np.random.default_rng(seed).permutation(rest)
    val, rows = np.sort(rest[: VAL[study.data]]), np.sort(rest[VAL[study.data] :][: study.images])
    accelerator, wanted = make_accelerator(settings), np.concatenate([val, test])
    head, began = None, time.process_time()
    if study.pretrained:
        views_VND = features(study, images, settings, accelerator, out)
        head, history = fit_head(
            views_VND, labels_NK, rows, val, settings, name="start", vocabulary=vocabulary
        )
    if settings.train.epochs:
        task = FitTask(images.pixels, labels_NK, rows, val, FitKey.single_network(), vocabulary=vocabulary)
        model = init_model(task, settings, head)
        checkpoint, began = out / f"{os.getpid()}.pt", time.process_time()
        history = train_network(model, task, settings, accelerator, checkpoint, track=lambda items, _: items)
        checkpoint.unlink(missing_ok=True)
    seconds = time.process_time() - began
    if settings.train.epochs:
        loader = make_loader(images.pixels, wanted, batch_size=64, workers=0)
        device, precision = accelerator.device, pick_precision(settings)
        logits_NK = predict(model.eval(), loader, num, device=device, precision=precision, tta_hflip=True)
    else:
        logits_NK = np.full(labels_NK.shape, np.nan, np.float32)
        logits_NK[wanted] = head_logits(head, views_VND, wanted)
    row = {
        "train_loss": history[-1]["train_loss"],
        "val_loss": history[-1]["val_loss"],
        "cpu_seconds": seconds,
    }
    judged = judge_ages if study.data == "ages" else judge_photos
    return row | judged(images, logits_NK, val, test)


def features(study: Study, images: Images, settings: Settings, accelerator: Accelerator, out: Path) -> Any:
    """The pretrained backbone's features of all images, computed once a study's data."""
    folder = out / f"features-{study.data}"
    plain = load_settings("standard", backbone_settings(settings.backbone.name))  # without a method's options
    backbone = new_backbone(settings.model_copy(update={"backbone": plain.backbone}))
    loader = make_loader(images.pixels, np.arange(len(images.labels_NK)), batch_size=64, workers=0)
    return extract_features(
        backbone, loader, len(images.labels_NK),
        device=accelerator.device, precision="bf16", tta_hflip=True, checkpoint=Checkpoint(folder),
    ).views_VND  # fmt: skip


def judge_photos(images: Images, logits_NK: Floats, val: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """mAP, and F1 at the one threshold that was best on the validation split."""
    labels_NK, probs_NK = images.labels_NK, sigmoid(logits_NK.astype(np.float64))

    def f1(rows: np.ndarray, threshold: float) -> dict[str, Floats]:
        return micro_macro_averages(
            confusion_counts(labels_NK[rows], apply_thresholds(probs_NK[rows], threshold))
        )

    threshold = max(np.arange(0.1, 0.7, 0.025), key=lambda value: f1(val, value)["micro_f1"])
    scores = {name: float(value) for name, value in f1(test, threshold).items()}
    return {"map": float(mean_average_precision(labels_NK[test], logits_NK[test])), **scores}


def judge_ages(images: Images, logits_NK: Floats, val: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Accuracy, share at most one class off, mean absolute error in classes, and mAP."""
    order = [images.vocabulary.labels.index(name) for name in images.vocabulary.groups["age"]["labels"]]
    truth, guess = images.labels_NK[test][:, order].argmax(1), logits_NK[test][:, order].argmax(1)
    off = np.abs(truth - guess)
    scores = {"accuracy": (off == 0).mean(), "one_off": (off <= 1).mean(), "mae": off.mean()}
    score = float(mean_average_precision(images.labels_NK[test], logits_NK[test]))
    return {name: float(value) for name, value in scores.items()} | {"map": score}


def place(out: Path, study: str, method: str, seed: int) -> Path:
    """The file of a run."""
    return out / study / f"{method.replace(' ', '_')}-{seed}.json"


def missing(args: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Runs to do, seed by seed, so that all methods have been seen equally often whenever it is stopped."""
    for seed, study, method in product(args.seeds, args.studies, args.methods):
        if method in VARIANTS and "heads" not in study and seed != args.seeds[0]:
            continue
        if applies(method, STUDIES[study]) and not place(args.out, study, method, seed).is_file():
            yield study, method, seed


def work(args: argparse.Namespace) -> None:
    """Do the missing runs that nobody else does."""
    for study, method, seed in missing(args):
        path = place(args.out, study, method, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        claim = path.with_suffix(".begun")
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            result = run_once(STUDIES[study], method, seed, args.out, args.backbone)
            write_text(path, json.dumps({"study": study, "method": method, "seed": seed, **result}))
            print(study, method, seed, {k: round(v, 4) for k, v in result.items()}, flush=True)
        finally:
            claim.unlink()


def main() -> None:
    """Run what is missing, or print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES)[:4])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--report", action="store_true", help="print the tables of what is there")
    add_backbone_option(parser)
    args = parser.parse_args()
    args.out = args.out / args.backbone
    if args.report:
        for name, study in STUDIES.items():
            if table := report(args.out / name, HEADLINE[study.data]):
                print(f"## {name}\n\n{table}\n")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    with FileLock(args.out / "data.lock"):  # what all runs share is made by one
        for study in (STUDIES[name] for name in args.studies):
            images, settings = (
                load(study.data, study.size, args.out),
                settings_of(study, "baseline", 0, args.backbone),
            )
            if study.pretrained:
                features(study, images, settings, make_accelerator(settings), args.out)
    work(args)


if __name__ == "__main__":
    main()
