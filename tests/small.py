"""Trainings of a second: tiny photos, a tiny network, one or two epochs."""

from pathlib import Path
from typing import Any

SMALL = {
    "device": "cpu",
    "image.size": 32,
    "image.workers": 0,
    "backbone.levels": 1,
    "head_stage.epochs": 3,
    "train.precision": "fp32",
    "train.epochs": 2,
    "train.batch_size": 16,
    "train.fold_models": 1,
}


def options(**chosen: Any) -> list[str]:
    """``section.key=value`` texts of a training that takes a second; ``train__epochs=3`` changes one."""
    tree = SMALL | {key.replace("__", "."): value for key, value in chosen.items()}
    return [
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in tree.items()
    ]


def train_argv(data: Path, run: Path, *more: str, **chosen: Any) -> list[str]:
    """The arguments of a small training from random weights."""
    sets = [word for text in options(**chosen) for word in ("--set", text)]
    named = ["--backbone", "test_resnet", "--weights", "none"]
    return ["train", "--data", str(data), "--run", str(run), *named, *sets, *more]
