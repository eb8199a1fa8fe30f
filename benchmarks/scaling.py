"""How do time and memory grow with images, labels and code bits, stage by stage?

    python benchmarks/scaling.py --out scaling.json [--stages suspects metrics] [--most 200]

Every point is a process of its own on drawn data: seconds of the stage alone, and how much the greatest
resident set grew over what the drawn data took. ``grows`` is the exponent of a log-log fit through the two
largest points: 1 is in proportion, 2 a square. A stage whose next point would take longer than ``--most``
seconds by that exponent is left out.

Images: 20 labels. Labels: 1,000 images, each label on 20 of them. Bits: 2,000 images, 100 labels, ECOC
head. Heads have 64 features and 3 epochs. Libraries compute with one thread, as threads that wait for each
other on a busy machine would show its load and not the work. Reading counts listing, hashing and the table;
the app's queue 2,000 verdicts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rounds import table, write_json

POINTS = {"images": (1000, 10_000, 100_000), "labels": (10, 100, 1000, 10_000), "bits": (32, 128, 512)}
DIMENSIONS, MEGABYTE = 64, 1e6
ALONE = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Drawn(NamedTuple):
    """Labels, probabilities that go with them, features, and names."""

    labels: np.ndarray
    probs: np.ndarray
    features: np.ndarray
    names: tuple[str, ...]
    files: list[str]
    hashes: list[str]


def draw(num_images: int, num_labels: int, share: float) -> Drawn:
    """Labels on a share of the images, seen in the features and found by the probabilities, not always."""
    rng = np.random.default_rng(0)
    kinds = rng.standard_normal((num_labels, DIMENSIONS), np.float32)
    labels = (rng.random((num_images, num_labels), np.float32) < share).astype(np.int8)
    labels[:12], labels[12:24] = 1, 0  # enough of both for every label
    features = labels.astype(np.float32) @ kinds / np.sqrt(max(1, share * num_labels))
    features += rng.standard_normal(features.shape, np.float32)
    probs = rng.standard_normal(labels.shape, np.float32)
    probs += 3 * labels - 2
    probs = 1 / (1 + np.exp(-probs, out=probs))
    names = tuple(f"label {k}" for k in range(num_labels))
    files = [f"{n // 1000:04d}/{n:07d}.jpg" for n in range(num_images)]
    return Drawn(labels, probs, features, names, files, [f"{n:032x}" for n in range(num_images)])


def read(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """A folder of tiny files and its table."""
    from tagger.data import read_dataset

    for file in drawn.files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(file.encode())
    names = np.array(drawn.names, dtype=object)
    joined = ["|".join(names[row == 1]) for row in drawn.labels]
    pd.DataFrame({"file": drawn.files, "labels": joined}).to_csv(folder / "labels.csv", index=False)
    return lambda: read_dataset(folder)


def split(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """Train, validation, test and folds."""
    from tagger.data import split_images

    return lambda: split_images(drawn.labels, drawn.hashes)


def head(drawn: Drawn, folder: Path, *more: str) -> Callable[[], Any]:
    """One head on cached features."""
    from tagger.presets import load_settings
    from tagger.training.head.cross_fit import fit_head

    settings = load_settings("quick", ["head_stage.epochs=3", *more])
    rows = np.arange(len(drawn.labels))
    test, views = rows % 5 == 0, drawn.features[None].astype(np.float16)
    return lambda: fit_head(views, drawn.labels, rows[~test], rows[test], settings, name="head")


def thresholds(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """Calibration and thresholds."""
    from tagger.scoring import choose_thresholds, fit_calibration

    def both() -> None:
        probs = fit_calibration(drawn.labels, drawn.probs).apply(drawn.probs)
        choose_thresholds(drawn.labels, probs)

    return both


def metrics(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """Every metric with its interval."""
    from tagger.scoring import evaluate

    values = np.full(len(drawn.names), 0.5)
    return lambda: evaluate(drawn.labels, drawn.probs, values, drawn.names, shared=0.5)


def suspects(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """Nearest images, all signals, doubts and the table."""
    from tagger.suspects import find_suspects, nearest_images

    def both() -> Any:
        near = nearest_images(drawn.features, np.arange(len(drawn.files)))
        return find_suspects(_evidence(drawn, near), np.array(drawn.files), np.array(drawn.hashes))

    return both


def queue(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """What the app does after a batch of verdicts: doubts learnt anew, and their order."""
    from tagger.suspects import find_suspects, refit_doubt, review_order

    found = find_suspects(_evidence(drawn, None), np.array(drawn.files), np.array(drawn.hashes)).table
    rng = np.random.default_rng(0)
    verdicts = pd.DataFrame({"position": rng.permutation(len(found))[:2000]})
    verdicts["wrong"] = rng.random(len(verdicts)) < 0.3
    return lambda: review_order(found, refit_doubt(found, verdicts))


def write(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """A prediction's table, chunk by chunk."""
    from tagger.commands.writers import batch_formats
    from tagger.commands.writers.base import LabelBatch

    writer = batch_formats.build("csv", folder, folder / "tags.csv", drawn.names)
    names = np.array(drawn.names, dtype=object)

    def part(at: int, until: int) -> LabelBatch:
        chosen = [names[row > 0.5].tolist() for row in drawn.probs[at:until]]
        columns = {"file": drawn.files[at:until], "labels": ["|".join(labels) for labels in chosen]}
        columns |= {name: drawn.probs[at:until, k].round(6) for k, name in enumerate(drawn.names)}
        return LabelBatch(pd.DataFrame(columns), chosen, frozenset())

    def whole() -> None:
        parts = []
        for at in range(0, len(drawn.files), 2048):
            parts.append(folder / f"{at}.part")
            writer.write_batch(part(at, at + 2048), parts[-1])
        writer.join(parts, part(0, 0), folder / "tags.csv")

    return whole


def apply(drawn: Drawn, folder: Path) -> Callable[[], Any]:
    """A decision on every tenth image, and the table of labels with them."""
    from tagger.review import apply_decisions, label_table

    rows = _decisions(drawn)

    def table() -> Any:
        corrected = apply_decisions(drawn.files, drawn.hashes, drawn.labels, drawn.names, rows)
        return label_table(drawn.files, corrected.names, corrected.labels_NK)

    return table


def _evidence(drawn: Drawn, near: tuple[np.ndarray, np.ndarray] | None) -> Any:
    from tagger.suspects import Evidence

    rows = np.arange(len(drawn.files))
    return Evidence(
        labels_NK=drawn.labels, probs_NK=drawn.probs, names=drawn.names, fold_N=rows % 5, duplicate_group_N=rows,
        nearest_NM=near and near[0], similarity_NM=near and near[1],
    )  # fmt: skip


def _decisions(drawn: Drawn) -> list[Any]:
    from tagger.review import RecordedDecision

    said = {"verdict": "yes", "before": 0, "suggested": 1, "doubt": 0.9, "run": "run", "reviewer": "ann"}
    said |= {"seconds": 1.0, "client": "tab"}
    rows = range(0, len(drawn.files), 10)
    return [
        RecordedDecision(
            hash=drawn.hashes[n], label=drawn.names[n % len(drawn.names)], seq=n, id=n + 1, time="", **said
        )
        for n in rows
    ]


STAGES: dict[str, Callable[..., Callable[[], Any]]] = {
    "read": read, "split": split, "head": head, "thresholds": thresholds, "metrics": metrics, "suspects": suspects,
    "queue": queue, "write": write, "apply": apply,
}  # fmt: skip


def prepare(stage: str, axis: str, value: int, folder: Path) -> Callable[[], Any]:
    """The stage with its data drawn, ready to be measured."""
    if axis == "bits":
        return head(draw(2000, 100, 0.05), folder, "head.name=ecoc", f"head.bits={value}")
    drawn = draw(value, 20, 0.1) if axis == "images" else draw(1000, value, 0.02)
    return STAGES[stage](drawn, folder)


def measure(stage: str, axis: str, value: int) -> dict[str, float]:
    """Seconds, and megabytes that the process grew by."""
    with tempfile.TemporaryDirectory() as scratch:
        small, place = Path(scratch, "small"), Path(scratch, "whole")
        small.mkdir()
        place.mkdir()
        prepare(stage, "images", 300, small)()  # what it imports counts nowhere
        call = prepare(stage, axis, value, place)
        Path("/proc/self/clear_refs").write_text("5")  # the greatest resident set counts from here
        before, begun = _megabytes("VmRSS"), perf_counter()
        call()
        seconds = perf_counter() - begun
    return {"value": value, "seconds": seconds, "megabytes": max(0.0, _megabytes("VmHWM") - before)}


def _megabytes(key: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024 / MEGABYTE


def exponent(points: list[dict[str, float]], key: str) -> float:
    """Of the growth between the two largest points."""
    if len(points) < 2:
        return float("nan")
    one, other = points[-2:]
    return float(np.log(max(other[key], 1e-3) / max(one[key], 1e-3)) / np.log(other["value"] / one["value"]))


def curve(stage: str, axis: str, most: float) -> list[dict[str, float]]:
    """The points of one stage along one axis, as far as they take less than ``most`` seconds."""
    points: list[dict[str, float]] = []
    for value in POINTS[axis]:
        if len(points) > 1:
            expected = points[-1]["seconds"] * (value / points[-1]["value"]) ** max(
                1, exponent(points, "seconds")
            )
            if expected > most:
                break
        command = [sys.executable, __file__, "--measure", stage, axis, str(value)]
        points.append(
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=ALONE).stdout)
        )
    return points


def main() -> None:
    """Measure all curves, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--stages", nargs="+", choices=[*STAGES, "bits"], default=[*STAGES, "bits"])
    parser.add_argument("--axes", nargs="+", choices=["images", "labels"], default=["images", "labels"])
    parser.add_argument("--most", type=float, default=200.0)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        stage, axis, value = args.measure
        print(json.dumps(measure(stage, axis, int(value))))
        return
    wanted = [(stage, axis) for axis in args.axes for stage in args.stages if stage != "bits"]
    wanted += [("head", "bits")] if "bits" in args.stages else []
    found = {f"{stage}, {axis}": curve(stage, axis, args.most) for stage, axis in wanted}
    rows = [
        [
            name,
            f"{points[-1]['value']:,}",
            " ".join(f"{point['seconds']:.2g}" for point in points),
            f"{exponent(points, 'seconds'):.2f}",
            f"{points[-1]['megabytes']:,.0f}",
            f"{exponent(points, 'megabytes'):.2f}",
        ]
        for name, points in found.items()
    ]
    print(table(["stage, along", "up to", "seconds", "grows", "MB", "grows"], rows))
    if args.out:
        write_json(args.out, found)


if __name__ == "__main__":
    main()
