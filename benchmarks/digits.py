"""Do the thesis's results have the same shape here? A small network on two-digit numbers, a hundred fine
classes.

    python benchmarks/digits.py codes --out results/digits.jsonl --seeds 0 1 2
    python benchmarks/digits.py orthoreg --out results/digits.jsonl --seeds 0 1 2
    python benchmarks/digits.py grid-dropout --out results/digits.jsonl --seeds 0 1 2

The numbers are put together from scikit-learn's handwritten digits, those for testing from other digits
than those for training. A line is added to OUT for each network; lines that are there already are not run
again. ``codes``: test accuracy by code, number of bits and batch size, one-hot being cut as the thesis cuts
it: classes beyond the bits have no bit; the other codes have one output more (``level``). ``orthoreg``:
each filter's angle to its nearest neighbour, the mean over a layer. ``grid-dropout``: the loss of training
numbers, as they are learnt and whole, and of validation numbers. All tables have 95 % t intervals over
seeds, differences being paired by seed.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import t as student
from sklearn.datasets import load_digits
from torch import Tensor, nn

from tagger.heads import Head, heads
from tagger.regularisers import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers

CLASSES, FEATURES = 100, 128
TRAINED, TESTED = 3000, 2000  # numbers an epoch, and to judge by
Line = dict[str, Any]
Split = tuple[Tensor, Tensor]


def draw_numbers(seed: int, part: str, count: int, *, again: int = 0) -> Split:
    """(images_BCHW in 0..1, classes_B): numbers of 10 x 18 pixels, each digit at a place of its own, with some
    noise.

    A third of the digits is kept for the ``part`` "test". ``again`` draws other numbers from the same digits.
    """
    digits = load_digits()
    order = np.random.default_rng([seed, 6]).permutation(len(digits.target))
    cut, rng = 2 * len(order) // 3, np.random.default_rng([seed, 8 + (part == "test"), again])
    pool = order[cut:] if part == "test" else order[:cut]
    pairs_B2 = rng.choice(pool, (count, 2))
    images_BHW = np.zeros((count, 10, 18), np.float32)
    for n, pair in enumerate(pairs_B2):
        for side, digit in enumerate(pair):
            top, left = rng.integers(0, 3), 9 * side + rng.integers(0, 2)
            images_BHW[n, top : top + 8, left : left + 8] = digits.images[digit] / 16
    images_BHW = np.clip(images_BHW + rng.normal(0, 0.15, images_BHW.shape), 0, 1).astype(np.float32)
    classes_B = digits.target[pairs_B2] @ [10, 1]
    return torch.from_numpy(images_BHW[:, None]), torch.from_numpy(classes_B)


class Network(nn.Module):
    """Two convolutions, a hidden layer, a head."""

    def __init__(self, head: Head):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 2 * 4, FEATURES), nn.ReLU(),
        )  # fmt: skip
        self.head = head

    def forward(self, images_BCHW: Tensor) -> ModelOutputs:
        """Scores of the classes, to be met in one softmax, and features."""
        features_BD = self.backbone(images_BCHW)
        return ModelOutputs(self.head.raw_scores(features_BD), features_BD)


def learn(
    head: str,
    options: dict[str, Any],
    seed: int,
    *,
    parts: dict[str, dict[str, Any]],
    epochs: int = 16,
    batch: int = 128,
    optimiser: str = "adam",
    fresh: bool = True,
    watch: Callable[[Network], dict[str, Any]] = lambda model: {},
) -> Line:
    """A network trained; its losses and accuracies on whole images at some epochs; what ``watch`` says of it.

    ``fresh``: other numbers in each epoch, from the same digits.
    """
    torch.manual_seed(seed)
    images, classes = draw_numbers(seed, "train", TRAINED)
    new_images, new_classes = draw_numbers(seed, "test", TESTED)
    targets = F.one_hot(classes, CLASSES)
    rng, generator = np.random.default_rng([seed, 7]), torch.Generator().manual_seed(seed)
    model = Network(heads.build(head, FEATURES, CLASSES, dropout=0.0, **options))
    model.head.prepare(targets.numpy().astype(np.int8), images.flatten(1))
    context = RegulariserContext(FEATURES, tuple(f"{number:02d}" for number in range(CLASSES)))
    active: list[Regulariser] = [
        regularisers.build(name, context, **chosen) for name, chosen in parts.items()
    ]
    learnt = [*model.parameters(), *(p for part in active for p in part.parameters())]
    if optimiser == "adam":
        steps: torch.optim.Optimizer = torch.optim.Adam(learnt, 1e-3)
    else:
        steps = torch.optim.SGD(learnt, 0.05, momentum=0.9)
    began, history, before = monotonic(), {}, watch(model)
    for epoch in range(1, epochs + 1):
        model.train()
        if fresh:
            images, classes = draw_numbers(seed, "train", TRAINED, again=epoch)
            targets = F.one_hot(classes, CLASSES)
        seen = []
        for rows in np.array_split(rng.permutation(len(images)), len(images) // batch):
            step = StepContext(targets[rows].float(), torch.tensor(epoch / epochs), generator)
            shown = images[rows]
            for part in active:
                shown = part.on_images(shown, step)
            outputs = model(shown)
            loss = F.cross_entropy(outputs.logits_BK, classes[rows])
            seen.append(loss.item())
            loss = sum((more for part in active if (more := part.loss(outputs, step)) is not None), loss)
            steps.zero_grad()
            loss.backward()
            for part in active:
                part.on_gradients(model)
            steps.step()
        if epoch in (1, 2, 4, 8, 16, 32, epochs):
            new = {f"new_{name}": value for name, value in judge(model, new_images, new_classes).items()}
            history[epoch] = {"seen_loss": float(np.mean(seen)), **judge(model, images, classes), **new}
    return {"history": history, "before": before, "after": watch(model), "seconds": monotonic() - began}


@torch.inference_mode()
def judge(model: Network, images: Tensor, classes: Tensor) -> dict[str, float]:
    """Cross-entropy and accuracy."""
    model.eval()
    scores = model(images).logits_BK
    accuracy = (scores.argmax(1) == classes).float().mean()
    return {"loss": F.cross_entropy(scores, classes).item(), "accuracy": accuracy.item()}


@torch.inference_mode()
def smallest_angles(model: Network) -> dict[str, Any]:
    """For each layer with filters: the mean over its filters of the angle (degrees) to the nearest other one."""
    found = {}
    for name, weight in model.named_parameters():
        if name.startswith("backbone") and weight.ndim > 1:
            rows = F.normalize(weight.flatten(1))
            cosines = (rows @ rows.T).fill_diagonal_(-1)
            found[name] = torch.rad2deg(torch.arccos(cosines.amax(1).clamp(-1, 1))).mean().item()
    return found


def rows_of(what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is compared: a name and the arguments of ``learn``; the first is what the others are compared with."""
    if what == "codes":
        kinds = [("one-hot", 50), ("one-hot", 25), ("data", 99), ("data", 50), ("data", 25)]
        kinds += [("dense-random", 50), ("dense-random", 25), ("gaussian", 50), ("gaussian", 25)]
        for batch, epochs in ((128, 32), (16, 8)):
            same = {"parts": {}, "batch": batch, "epochs": epochs}
            yield f"one-hot, 100 bits, batches of {batch}", {"head": "linear", "options": {}, **same}
            for kind, bits in kinds:
                options = {"code": kind, "bits": bits, "level": kind != "one-hot"}
                yield f"{kind}, {bits} bits, batches of {batch}", {"head": "ecoc", "options": options, **same}
            options = {"code": "data", "bits": 25, "level": False}
            yield (
                f"data, 25 bits, level=false, batches of {batch}",
                {"head": "ecoc", "options": options, **same},
            )
        return
    same = {"head": "linear", "options": {}, "fresh": False, "epochs": 32}
    if what == "orthoreg":
        same |= {"optimiser": "sgd", "watch": smallest_angles}
    choices: list[dict[str, Any]] = [{"gamma": 0.01}, {"gamma": 0.1}]
    if what == "grid-dropout":
        choices = [{}, {"beta": 0.0}, {"p": 0.1, "fill": "mean"}]
    yield "without", {"parts": {}, **same}
    for chosen in choices:
        yield (
            " ".join([what, *(f"{key}={value}" for key, value in chosen.items())]),
            {"parts": {what: chosen}, **same},
        )


def interval(values: list[float]) -> str:
    """Mean and 95 % t interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.2f}"
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return f"{mean:.2f} ({mean - half:.2f} to {mean + half:.2f})"


def table(what: str, lines: list[Line]) -> Iterator[str]:
    """The rows as Markdown."""
    found = {(line["row"], line["seed"]): line for line in lines if line["what"] == what}
    names = [name for name, _ in rows_of(what) if any(row == name for row, _ in found)]
    rows = {}
    for name in names:
        own = {seed: line for (row, seed), line in found.items() if row == name}
        base = next(other for other in names if other.split("batches")[1:] == name.split("batches")[1:])
        rows[name] = [values_of(what, line, found.get((base, seed), line)) for seed, line in own.items()]
    titles = list(rows[names[0]][0])
    yield "| " + " | ".join(["", "seeds", *titles]) + " |"
    yield "|---" * (len(titles) + 2) + "|"
    for name, values in rows.items():
        cells = [interval([each[title] for each in values]) for title in titles]
        yield "| " + " | ".join([name, str(len(values)), *cells]) + " |"


def values_of(what: str, line: Line, base: Line) -> dict[str, float]:
    """The columns of a line: values by title, differences being those to the line ``base``."""
    last, first = list(line["history"].values())[-1], list(base["history"].values())[-1]
    accuracy = 100 * last["new_accuracy"]
    if what == "codes":
        early = {f"epoch {epoch}": 100 * line["history"][epoch]["new_accuracy"] for epoch in ("2", "4", "8")}
        return early | {
            "last epoch": accuracy,
            "against one-hot of 100 bits": accuracy - 100 * first["new_accuracy"],
        }
    if what == "orthoreg":
        layers = {"first convolution": "0", "second": "4", "hidden layer": "9"}
        angles = {title: line["after"][f"backbone.{place}.weight"] for title, place in layers.items()}
        return angles | {"accuracy %": accuracy}
    return {
        "training loss, as learnt": last["seen_loss"],
        "on whole images": last["loss"],
        "validation loss": last["new_loss"],
        "gap to the loss as learnt": last["new_loss"] - last["seen_loss"],
        "gap on whole images": last["new_loss"] - last["loss"],
        "accuracy %": accuracy,
    }


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["codes", "orthoreg", "grid-dropout"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        [json.loads(line) for line in args.out.read_text("utf-8").splitlines()] if args.out.exists() else []
    )
    done = {(line["what"], line["row"], line["seed"]) for line in lines}
    for seed in [] if args.table else args.seeds:
        for name, arguments in rows_of(args.what):
            if (args.what, name, seed) not in done:
                line = {"what": args.what, "row": name, "seed": seed, **learn(seed=seed, **arguments)}
                lines.append(json.loads(json.dumps(line)))
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    print("\n".join(table(args.what, lines)))


if __name__ == "__main__":
    main()
