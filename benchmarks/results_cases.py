"""Cases of the same-results check: the commands that are run, and which of their files are hashed.

Used by ``same_results.py``, which says what for.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from results_data import draw_demo, draw_grouped, read_labels, review, save_random_weights
from results_digest import Digests, digest_export, digest_store, digest_tree

# One process runs several commands one after the other and prints their exit codes last.
COMMANDS = """
import json, sys
from tagger.cli import main
ends = []
for argv in json.loads(sys.argv[1]):
    sys.argv = ["tagger", *argv]
    try:
        main()
    except SystemExit as stop:
        ends.append(int(stop.code or 0))
print(json.dumps(ends))
"""
UNREADABLE = 3  # the exit code where a photo could not be read
SMALL = {
    "device": "cpu",
    "image.size": 32,
    "image.workers": 0,
    "train.precision": "fp32",
    "train.batch_size": 16,
    "data.val": 0.15,
    "data.test": 0.2,
    "threshold.min_positives": 5,
}
HEADS = {
    "head_stage.epochs": 8,
    "head_stage.num_seeds": 2,
    "head_stage.mixup": 0.2,
    "head.name": "mlp",
    "head.hidden": 32,
}
CROSS_FITTED = {
    "data.folds": 3, "train.fold_models": 3, "train.epochs": 3, "train.lr": 3e-3, "train.ema_decay": 0.8,
    "train.wise_ft_share": 0.2, "head_stage.epochs": 1, "head_stage.lr": 1e-5, "train.freeze_share": 0.25,
    "train.layer_decay": 0.8,
}  # fmt: skip
SINGLE = {
    "train.fold_models": 1, "train.epochs": 2, "train.lr": 3e-3, "train.ema_decay": 0, "train.wise_ft_share": 0.1,
    "train.freeze_epochs": 1, "head_stage.epochs": 1, "head_stage.lr": 1e-5, "loss.name": "focal",
    "loss.smoothing": 0.05, "regularisers.rule-consistency": "true", "regularisers.ordinal-regression": "true",
    "regularisers.attention-drop.mode": "soft", "image.tta_hflip": "false", "image.fit": "crop",
}  # fmt: skip
NOTHING = {
    "train.fold_models": 1, "train.epochs": 3, "train.ema_decay": 0.9, "train.clip_grad_norm": 0.5, "train.patience": 2,
    "backbone.levels": 1, "image.progressive_start": 24, "image.fit": "pad", "mix.mixup": 0.4, "mix.cutmix": 1.0,
    "mix.prob": 0.7, "augment.randaugment": 1, "augment.erasing": 0.3, "augment.rotate": 5,
    "sampler.name": "repeat-factor", "loss.name": "asymmetric",
    "regularisers.dropblock": "true", "regularisers.orthoreg": "true",
    "threshold.objective": "precision>=0.5",
}  # fmt: skip
METHODS = {
    "train.fold_models": 1, "train.epochs": 1, "attention.depth": 2, "attention.num_heads": 2, "head.name": "ecoc",
    "loss.name": "distribution-balanced", "sampler.name": "class-aware", "regularisers.grid-dropout": "true",
    "regularisers.camdrop": "true", "train.optimiser": "sgd", "threshold.objective": "cost fp=1 fn=5",
}  # fmt: skip
WRITTEN = ("csv", "tsv", "jsonl", "parquet", "coco", "label-studio")
FOLDERS = ("imagefolder", "folders", "txt", "xmp", "xmp-lightroom")
SUFFIX = {"coco": "json", "label-studio": "json"}


def run_commands(folder: Path, *commands: Sequence[object], may_end: tuple[int, ...] = (0,)) -> None:
    """Run ``tagger ARGUMENTS`` for each command in a folder; RuntimeError with what was printed if one fails."""
    argv = [
        sys.executable,
        "-c",
        COMMANDS,
        json.dumps([[str(word) for word in command] for command in commands]),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=folder)
    last = done.stdout.splitlines()[-1:] or ["[]"]
    ends = json.loads(last[0]) if last[0].startswith("[") else []
    if len(ends) != len(commands) or not {*ends} <= {*may_end}:
        raise RuntimeError(f"exit codes {ends} of {argv[-1]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def run_killed(command: Sequence[object], run: Path, pattern: str) -> None:
    """Run a command, and kill it (SIGKILL) as soon as the run folder has a file of this pattern."""
    argv = [sys.executable, "-m", "tagger.cli", *map(str, command)]
    child = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=run.parent.parent
    )
    while child.poll() is None and not any(run.glob(pattern)):
        time.sleep(0.005)
    child.kill()
    if child.wait() != -9 or (run / "metrics.json").exists():
        raise RuntimeError(f"{command} ended by itself ({child.returncode}) before it was killed")


def settings(**chosen: object) -> list[str]:
    """``--set section.key=value`` of each setting, those of every training among them."""
    return [word for key, value in (SMALL | chosen).items() for word in ("--set", f"{key}={value}")]


class Work:
    """The folder in which everything is made, and the hashes of what was made in it."""

    def __init__(self, folder: Path):
        self.folder, self.digests = folder, Digests(folder)
        self.demo, self.grouped = folder / "demo", folder / "grouped"
        self.truth: dict[str, set[str]] = {}

    def prepare(self) -> None:
        """Draw both data sets and the weights that stand for pretrained ones."""
        draw_demo(self.demo)
        self.truth = read_labels(self.demo / "truth" / "truth.csv")
        given = read_labels(self.demo / "labels.csv")
        (self.demo / "new" / "broken.jpg").write_bytes(b"not a photo")
        for number in (4, 8, 12):  # copies, with the labels of other photos
            copy = f"images/copy-{number}.png"
            shutil.copyfile(self.demo / f"images/{number:05}.png", self.demo / copy)
            self.truth[copy], given[copy] = (
                self.truth[f"images/{number:05}.png"],
                given[f"images/{number + 1:05}.jpg"],
            )
        lines = [f"{file},{'|'.join(sorted(labels))}\n" for file, labels in given.items()]
        (self.demo / "labels.csv").write_text("file,labels\n" + "".join(lines), "utf-8")
        draw_grouped(self.demo, self.grouped, self.truth, given)
        for name in ("test_resnet", "test_efficientnet", "test_vit"):
            save_random_weights(name, self.folder / f"{name}.safetensors")

    def commands(self, *commands: Sequence[object], may_end: tuple[int, ...] = (0,)) -> None:
        """Run commands in the folder of work."""
        run_commands(self.folder, *commands, may_end=may_end)

    def train(
        self, name: str, data: Path, backbone: str, chosen: dict[str, object], *, pretrained: bool = True
    ) -> list[object]:
        """The arguments of a training of this name, from the weights in a file or from random ones."""
        weights = self.folder / f"{backbone}.safetensors" if pretrained else "none"
        named = ["--backbone", backbone, "--weights", weights]
        return ["train", "--data", data, "--run", self.run(name), *named, *settings(**chosen)]

    def run(self, name: str) -> Path:
        """The run folder of this name."""
        return self.folder / "runs" / name

    def digest_run(self, *names: str) -> None:
        """Hash whole run folders."""
        for name in names:
            digest_tree(self.digests, f"run {name}", self.run(name))

    def digest_made(self, *names: str) -> None:
        """Hash files and folders in ``made``."""
        for name in names:
            digest_tree(self.digests, name, self.folder / "made" / name)

    def export(self, run: str, *formats: str) -> None:
        """Export a run, and hash what the exported models say of noise."""
        suffixes = {"onnx": ".onnx", "torch-export": ".pt2", "torchscript": ".pt", "hub": ""}
        outs = [self.folder / "made" / f"{run}-{form}{suffixes[form]}" for form in formats]
        self.commands(
            *(["export", "--run", self.run(run), "--format", form, "--out", out]
              for form, out in zip(formats, outs, strict=True))
        )  # fmt: skip
        for form, out in zip(formats, outs, strict=True):
            digest_export(self.digests, f"export {run} {form}", out, form)


def heads_only(work: Work) -> None:
    """Heads on a frozen backbone, over labels with groups, rules and unknown cells; the whole loop on them."""
    made, run = work.folder / "made", work.run("heads")
    store = work.folder / "heads.db"
    work.commands(
        [*work.train("heads", work.grouped, "test_efficientnet", HEADS), "--preset", "quick"],
        ["suspects", "--run", run],
    )
    review(run, work.truth, store, rename=True)
    digest_store(work.digests, "store heads", store)
    again = ["retrain", "--run", run, "--store", f"sqlite:///{store}", "--out", work.run("heads-retrained")]
    apply = ["apply", "--run", run, "--store", f"sqlite:///{store}", "--out"]
    shutil.copytree(made / "keywords", made / "apply-xmp")  # sidecars that others wrote
    work.commands(
        again,
        [*apply, made / "apply.csv"],
        *(
            [*apply, made / f"apply-{form}.{SUFFIX.get(form, form)}", "--format", form]
            for form in WRITTEN[1:]
        ),
        [*apply, made / "apply-xmp", "--format", "xmp", "--on-existing", "merge"],
        [*apply, made / "apply-imagefolder", "--format", "imagefolder"],
        [
            "predict",
            work.demo / "new",
            "--run",
            work.run("heads-retrained"),
            "--out",
            made / "heads-retrained.csv",
        ],
        may_end=(0, UNREADABLE),
    )
    work.digest_run("heads", "heads-retrained")
    work.digest_made("heads-retrained.csv", *sorted(path.name for path in made.glob("apply*")))
    work.export("heads", "onnx", "torch-export")


def cross_fitted(work: Work) -> None:
    """Networks without one part each, retrained; both trainings also killed and resumed."""
    made, run, store = work.folder / "made", work.run("cross"), work.folder / "cross.db"
    work.commands(work.train("cross", work.demo, "test_resnet", CROSS_FITTED), ["suspects", "--run", run])
    killed = work.train("cross-killed", work.demo, "test_resnet", CROSS_FITTED)
    resume = ["train", "--resume", "--run", work.run("cross-killed")]
    run_killed(killed, work.run("cross-killed"), "checkpoint/*.pt")
    run_killed(resume, work.run("cross-killed"), "members/*.safetensors")
    review(run, work.truth, store, rename=False)
    digest_store(work.digests, "store cross", store)
    again = ["retrain", "--run", run, "--store", f"sqlite:///{store}", "--out"]
    run_killed([*again, work.run("retrained-killed")], work.run("retrained-killed"), "members/*.safetensors")
    work.commands(
        resume,
        ["suspects", "--run", work.run("cross-killed")],
        [*again, work.run("retrained")],
        [*again, work.run("retrained-killed"), "--resume"],
        ["compare", run, work.run("retrained"), "--out", made / "compare.json"],
    )
    work.digest_run("cross", "cross-killed", "retrained", "retrained-killed")
    work.digest_made("compare.json")
    work.digests.same("run cross", "run cross-killed")
    work.digests.same("run retrained", "run retrained-killed")


def predictions(work: Work) -> None:
    """Predictions of the cross-fitted run in every format, an evaluation, heat maps and exports."""
    made, run, new = work.folder / "made", work.run("cross"), work.demo / "new"
    text = json.dumps({"thresholds": {"zero": 0.2, "one": 0.4}})
    (run / "thresholds").mkdir()
    (run / "thresholds" / "mine.json").write_text(text, "utf-8")
    commands: list[list[object]] = []
    for form in WRITTEN:
        out = made / f"predict-{form}.{SUFFIX.get(form, form)}"
        commands.append(["predict", new, "--run", run, "--format", form, "--out", out])
    for form in FOLDERS:
        commands.append(["predict", new, "--run", run, "--format", form, "--out", made / f"predict-{form}"])
    (keywords := made / "predict-xmp-merged").mkdir()
    for number, sidecar in enumerate(sorted((made / "keywords").rglob("*.xmp"))[:12]):  # which others wrote
        shutil.copyfile(sidecar, keywords / f"new-{number:05}.jpg.xmp")
    merge = ["predict", new, "--run", run, "--format", "xmp", "--out", keywords, "--on-existing", "merge"]
    chosen = ["predict", new, "--run", run, "--thresholds", "mine", "--out", made / "predict-mine.csv"]
    truth = work.demo / "truth" / "new_truth.csv"
    judged = ["evaluate", "--data", new, "--labels", truth, "--run", run, "--out", made / "evaluate.json"]
    photos = [new / "new-00000.jpg", new / "new-00001.jpg"]
    explained = [
        [
            "explain",
            *photos,
            "--run",
            run,
            "--label",
            "zero",
            "--method",
            method,
            "--out",
            made / f"explain-{method}",
        ]
        for method in ("grad_cam", "cam", "saliency")
    ]
    work.commands(*commands, merge, chosen, judged, *explained, may_end=(0, UNREADABLE))
    work.digest_made(*sorted(path.name for path in made.glob("predict-*")), "evaluate.json")
    work.digest_made(*(f"explain-{method}" for method in ("grad_cam", "cam", "saliency")))
    work.export("cross", "onnx", "torch-export", "torchscript")


def from_scratch(work: Work) -> None:
    """A network from random weights with many methods at once, a second with others; a hub folder."""
    made = work.folder / "made"
    work.commands(
        work.train("nothing", work.demo, "test_resnet", NOTHING, pretrained=False),
        ["suspects", "--run", work.run("nothing")],
        ["predict", work.demo / "new", "--run", work.run("nothing"), "--out", made / "nothing.csv"],
        work.train("methods", work.demo, "test_efficientnet", METHODS, pretrained=False),
        may_end=(0, UNREADABLE),
    )
    work.digest_run("nothing", "methods")
    work.digest_made("nothing.csv")
    work.export("nothing", "hub", "onnx", "torch-export")


def single(work: Work) -> None:
    """One network, a transformer, from weights in a file, over groups and rules."""
    made, run = work.folder / "made", work.run("single")
    work.commands(
        work.train("single", work.grouped, "test_vit", SINGLE),
        ["suspects", "--run", run],
        ["predict", work.demo / "new", "--run", run, "--out", made / "single.jsonl", "--format", "jsonl"],
        may_end=(0, UNREADABLE),
    )
    work.digest_run("single")
    work.digest_made("single.jsonl")
    work.export("single", "onnx")


def data_tools(work: Work) -> None:
    """Labels in every format, and what the tools of ``tagger data`` write."""
    made, data = work.folder / "made", work.grouped
    commands: list[list[object]] = []
    for form in WRITTEN:
        out = made / f"convert-{form}.{SUFFIX.get(form, form)}"
        commands.append(["data", "convert", data, "--format", form, "--out", out])
    for form in FOLDERS:
        commands.append(["data", "convert", data, "--format", form, "--out", made / f"convert-{form}"])
    other = made / "data-noise.csv"
    commands += [
        ["data", "noise", data, "--kind", "both", "--share", "0.2", "--out", other],
        [
            "data",
            "merge",
            data,
            "--labels",
            data / "labels.csv",
            "--labels",
            other,
            "--out",
            made / "data-merge.csv",
        ],
        ["data", "rename", data, "two=zwei", "three=", "--out", made / "data-rename.csv"],
        ["data", "split", data, "--out", made / "data-split.csv"],
        ["data", "sample", data, "--num", "30", "--out", made / "data-sample"],
        ["data", "duplicates", made / "data-copies", "--apply", "--to", made / "data-copies-aside"],
        ["data", "convert", work.demo, "--format", "xmp", "--out", made / "keywords"],
        ["data", "convert", made / "predictable", "--format", "csv", "--out", made / "convert-back.csv"],
    ]
    shutil.copytree(data, made / "data-copies")
    shutil.copytree(work.demo / "images", made / "predictable" / "images")
    back = ["data", "convert", work.demo, "--format", "txt", "--out", made / "predictable"]
    work.commands(back, *commands)
    work.digest_made(*sorted(path.name for path in made.glob("convert-*")))
    work.digest_made(*sorted(path.name for path in made.glob("data-*")), "keywords")
