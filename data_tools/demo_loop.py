"""What does the tool do? The whole loop on the demo set, in minutes, with nothing but what is installed."""

import shutil
from pathlib import Path
from time import monotonic

from data_tools.demo import make_demo
from tagger.commands.conclude import report
from tagger.commands.evaluate import evaluate
from tagger.commands.predict import predict
from tagger.commands.screen import Screen
from tagger.commands.train import train
from tagger.errors import TaggerError

# A small network from random weights: nothing can be fetched here, and digits need no more. They are small, so its last
# maps stay fine (output_stride) and the strongest place counts, not the mean of all (global_pool).
SETTINGS = [
    "image.size=64",
    "image.flip_views=false",
    "backbone.levels=1",
    "backbone.output_stride=8",
    "backbone.global_pool=max",
    "head.dropout=0.2",
    "augment.hflip=0",
    "augment.scale_min=0.9",
    "augment.aspect=1.1",
    "augment.grey=0",
    "data.test=0.15",
    "train.members=1",
    "train.epochs=30",
    "train.lr=0.01",
    "train.head_lr_factor=1",
    "train.freeze_share=0",
    "train.keep=0",
    "train.ema=0.97",
]


def run_demo(out: Path, screen: Screen) -> None:
    """Make the set, train, evaluate against the truth, predict; everything is in ``out``, which must be new or ours."""
    began = monotonic()
    if out.exists() and any(out.iterdir()) and not (out / "data" / "labels.csv").exists():
        raise TaggerError(f"{out} is not empty and not a demo of ours. Name another folder with --out.")
    shutil.rmtree(out, ignore_errors=True)
    data, run = make_demo(out / "data"), out / "run"
    new = (data / "new").rename(out / "new")  # a folder of its own, as a person's new photos would be
    screen.say(f"1. Images with several handwritten digits each, some labels wrong on purpose: {data}")
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
    screen.say("3. Evaluate on new images whose labels are all right", style="bold")
    result = evaluate(new, run, labels=data / "truth" / "new_truth.csv", screen=screen)
    report(result, "new images, against the truth", screen)
    screen.say("4. Predict: tag the new images", style="bold")
    done = predict(new, run=run, out=out / "predictions.csv", screen=screen)
    screen.say(f"{done.num_images} images tagged: {done.out}")
    for line in done.out.read_text("utf-8").splitlines()[1:6]:
        file, labels = line.split(",")[:2]
        screen.say(f"  {file}  {labels.replace('|', ', ') or '(no label)'}")
    screen.say()
    screen.say(f"Done in {monotonic() - began:.0f} s. Look at:")
    for path, what in (
        (run / "README.md", "model card: what was trained, how good it is, plots"),
        (data / "labels.csv", "the labels it learnt from; the right ones are in truth/"),
        (done.out, "the tags of the new images"),
    ):
        screen.say(f"  {path}  {what}")
