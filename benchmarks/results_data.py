"""Data sets, weights and decisions of the same-results check, drawn from fixed seeds.

Used by ``results_cases.py``. All that the check takes from the code beside its commands stands here:
``draw_demo`` and ``review`` have to follow when what they call is renamed.
"""

import csv
import random
import shutil
from pathlib import Path

LABELS_TOML = """
[groups.tone]
kind = "exclusive"
labels = ["dark", "light"]

[groups.number]
kind = "ordinal"
labels = ["few", "some", "many"]

[[rules]]
if = "two"
then = "digit"
"""


def draw_demo(folder: Path) -> Path:
    """96 photos of digits with wrong labels and 16 new ones."""
    from data_tools.demo import make_demo

    return make_demo(folder, num_images=96, num_new=16, size=40, noise=0.1)


def review(run: Path, truth: dict[str, set[str]], store: Path, *, rename: bool) -> None:
    """Put decisions into a store: 40 from the review queue by the truth, then one of each other kind.

    Networks are not retrained with a label renamed: its column would begin with weights that no seed draws.
    """
    from data_tools.oracle_reviewer import answer_suspects
    from tagger.review import Decision, LabelOperation, Store
    from tagger.runs import RunFolder

    answer_suspects(RunFolder(run), truth, 40, store=f"sqlite:///{store}")
    opened = Store.open(f"sqlite:///{store}")
    first, second = opened.decisions()[:2]
    shared = {"run": run.name, "suggested": None, "doubt": None, "seconds": None, "client": "tab"}
    said = [(first, "yes", "ann", False), (first, "no", "ben", False), (first, "yes", "cleo", True)]
    said += [(second, "unsure", "ann", False), (second, "skip", "ben", False)]
    for seq, (about, verdict, reviewer, settles) in enumerate(said):
        cell = {"hash": about.hash, "label": about.label, "before": about.before}
        opened.record(
            [Decision(**cell, **shared, verdict=verdict, reviewer=reviewer, seq=seq, settles=settles)]
        )
    cell = {"hash": second.hash, "label": second.label, "before": second.before}
    opened.record([Decision(**cell, **shared, verdict="undo", undoes=second.id, reviewer="ann", seq=90)])
    if rename:
        names = {"label": "three", "target": "drei"}
        opened.record_operation(LabelOperation(kind="rename", **names, reviewer="ann", client="tab", seq=91))
    opened.close()


def draw_grouped(demo: Path, folder: Path, truth: dict[str, set[str]], given: dict[str, set[str]]) -> None:
    """The demo's photos with a table of 0, 1 and empty cells, an exclusive and an ordinal group, and a rule."""
    import numpy as np
    from PIL import Image

    shutil.copytree(demo / "images", folder / "images")
    names = ["one", "two", "three", "digit", "dark", "light", "few", "some", "many"]
    rng, rows = random.Random(0), []
    for file in given:
        brightness = float(np.asarray(Image.open(demo / file).convert("L")).mean())
        labels = given[file] | ({"digit"} if truth[file] else set())
        labels |= {"dark"} if brightness < 120 else {"light"} if brightness > 160 else set()
        truth[file] = (truth[file] - {"digit"}) | {*names[3:]} & labels
        number = names[6:][min(2, len(truth[file] - {*names[3:]}))]
        labels, truth[file] = labels | {number}, truth[file] | {number}
        rows.append(
            [
                file,
                *(
                    "" if k < 3 and rng.random() < 0.05 else int(names[k] in labels)
                    for k in range(len(names))
                ),
            ]
        )
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table, lineterminator="\n").writerows([["file", *names], *rows])
    (folder / "labels.toml").write_text(LABELS_TOML, "utf-8")


def read_labels(path: Path) -> dict[str, set[str]]:
    """The labels of each file in a table ``file,labels``."""
    with path.open(newline="", encoding="utf-8") as table:
        return {row["file"]: {*row["labels"].split("|")} - {""} for row in csv.DictReader(table)}


def save_random_weights(name: str, path: Path) -> None:
    """Weights of a timm network, drawn from a fixed seed."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(
        {key: tensor.contiguous() for key, tensor in timm.create_model(name).state_dict().items()}, path
    )
