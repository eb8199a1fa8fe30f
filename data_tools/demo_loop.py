"""The demo run: train, find suspects, review, retrain, evaluate and predict on the demo set.

It takes minutes and needs no network."""

import csv
from pathlib import Path
from time import monotonic
from typing import Any

from data_tools import demo_folder
from data_tools.demo import make_demo
from data_tools.oracle_reviewer import answer_suspects
from tagger.commands.console.metrics_report import report
from tagger.commands.console.screen import Screen
from tagger.commands.evaluate import evaluate
from tagger.commands.predict import predict
from tagger.commands.retrain import retrain
from tagger.commands.suspects import suspects
from tagger.commands.train import train
from tagger.runs import RunFolder

# A small network from random weights: it needs no download and is enough for digits. Digits are small, so the
# last feature maps stay fine (output_stride), and their maximum counts, not their mean (global_pool).
SETTINGS = [
    "image.size=64",
    "image.tta_hflip=false",
    "backbone.levels=1",
    "backbone.output_stride=8",
    "backbone.global_pool=max",
    "head.dropout=0.2",
    "augment.hflip=0",
    "augment.scale_min=0.9",
    "augment.aspect=1.1",
    "augment.grey=0",
    "data.test=0.15",
    "train.fold_models=1",
    "train.epochs=30",
    "train.lr=0.01",
    "train.head_lr_factor=1",
    "train.freeze_share=0",
    "train.wise_ft_share=0",
    "train.ema_decay=0.97",
]


NUM_REVIEWS = 400


def run_demo(out: Path, screen: Screen) -> None:
    """Run the demo in ``out``, a new folder or an earlier demo's: make the set, train, review, retrain, predict."""
    began = monotonic()
    demo_folder.begin(out)
    data = make_demo(out / "data")
    run = out / "run"
    new = (data / "new").rename(out / "new")  # a folder of its own, as a person's new photos would be
    demo_folder.note(out)
    screen.say(f"1. Make photos of handwritten digits, some with wrong labels: {data}")
    screen.say("2. Train a small network on them, from random weights", style="bold")
    train(
        data,
        run=run,
        preset="standard",
        backbone="test_resnet",
        weights="none",
        overrides=SETTINGS,
        screen=screen,
    )
    screen.say("3. Find the labels most likely wrong", style="bold")
    suspects(run, screen=screen)
    screen.say()
    screen.say(
        f"4. Review the first {NUM_REVIEWS} (here from the known truth; on your photos: tagger review)"
    )
    done = answer_suspects(RunFolder(run), read_truth(data / "truth" / "truth.csv"), NUM_REVIEWS)
    screen.say(
        f"{done.asked} labels checked: {done.wrong} were wrong and are corrected, {done.asked - done.wrong} were right."
    )
    screen.say()
    screen.say("5. Retrain: learn from the decisions", style="bold")
    better = retrain(run, out=out / "retrained", screen=screen).path
    screen.say("6. Evaluate both models on new photos with true labels", style="bold")
    truth = data / "truth" / "new_truth.csv"
    before, after = (evaluate(new, folder, labels=truth, screen=screen) for folder in (run, better))
    report(after, "new images, against the truth", screen, rest="there is no file of them")
    _say_gains(before, after, screen)
    screen.say()
    screen.say("7. Predict: tag the new photos", style="bold")
    tags = predict(new, run=better, out=out / "predictions.csv", screen=screen)
    screen.say(f"{tags.num_images} photos tagged: {tags.out}")
    for line in tags.out.read_text("utf-8").splitlines()[1:6]:
        file, labels = line.split(",")[:2]
        screen.say(f"  {file}  {labels.replace('|', ', ') or '(no label)'}")
    screen.say()
    screen.say(f"Done in {monotonic() - began:.0f} s. Look at:")
    _say_files(data, better, tags.out, screen)
    screen.say()
    where = "make review" if str(out) == "demo" else f"tagger review --run {better}"
    screen.say(f"Review suspects yourself in the browser: {where}", style="bold")


def _say_gains(before: dict[str, Any], after: dict[str, Any], screen: Screen) -> None:
    """The main scores of both models."""
    for name, word in (("map", "mAP"), ("micro_f1", "micro-F1"), ("macro_f1", "macro-F1")):
        old, now = (result["overall"][name]["value"] for result in (before, after))
        screen.say(f"{word} before {old:.3f}, after {now:.3f}")


def _say_files(data: Path, run: Path, predictions: Path, screen: Screen) -> None:
    """The files to look at."""
    for path, what in (
        (run / "README.md", "model card: training, scores and plots"),
        (data / "labels.csv", "the labels with errors; the true ones are in truth/"),
        (predictions, "the tags of the new photos"),
    ):
        screen.say(f"  {path}  {what}")


def read_truth(path: Path) -> dict[str, set[str]]:
    """The right labels of each file."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["file"]: set(row["labels"].split("|")) - {""} for row in csv.DictReader(file)}
