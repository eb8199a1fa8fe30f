"""Killed at any moment, a command goes on with --resume to the bytes of an uninterrupted one."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from moments import drawn_seed
from safetensors.torch import load_file
from small import train_argv

from tagger.runs import find_run

KEPT = ("metrics.json", "history.csv", "model.safetensors", "thresholds.json", "oof.npz", "embeddings.npy")
WAYS: tuple[dict[str, Any], ...] = ({}, {"head_stage__enabled": True, "train__fold_models": 2})
# A prediction of 12 images in chunks of 3 changes the disk 41 times: its beginning, samples, its end.
EVENTS = {
    "csv": [1, 2, 3, 4, 9, 14, 19, 25, *range(28, 35), 41],
    "jsonl": [3, 8, 30],
    "parquet": [3, 8, 20, 30],
}
Kill = Callable[[list[dict[str, Any]]], list[int]]


def test_a_killed_training_resumes_to_the_same_bytes(kill: Kill, demo: Path, tmp_path: Path):
    chance, plan = random.Random(drawn_seed()), []
    for number, way in enumerate(WAYS):
        whole, broken = tmp_path / f"whole-{number}", tmp_path / f"broken-{number}"
        going = {
            "argv": train_argv(demo, broken, **way),
            "resume_if": str(broken / "config.toml"),
            "unless": str(broken / "metrics.json"),
        }
        moments: list[dict[str, Any]] = [{"event": 2}, {"seconds": 0.2}]
        moments += [{"event": chance.randint(12, 70)} for _ in range(3)]
        moments += [{"seconds": chance.uniform(0.3, 1.5)} for _ in range(2)]
        plan += [
            {"argv": train_argv(demo, whole, **way)},
            *({**going, **moment} for moment in moments),
            going,
        ]
    ends = kill(plan)
    assert set(ends) == {0, -9}
    assert ends.count(-9) >= 6
    for number in range(len(WAYS)):
        whole, broken = tmp_path / f"whole-{number}", tmp_path / f"broken-{number}"
        find_run(broken)  # removes the checkpoint if the last kill came between the metrics and its removal
        assert sorted(path.name for path in broken.iterdir()) == sorted(path.name for path in whole.iterdir())
        for name in KEPT:
            same = (broken / name).read_bytes() == (whole / name).read_bytes()
            assert same, (name, unlike(broken, whole), plan)


def unlike(run: Path, other: Path) -> dict[str, float]:
    """How far apart the weights of two runs are, by tensor; only those that differ."""
    one, two = (load_file(path / "model.safetensors") for path in (run, other))
    return {
        name: float((one[name] - two[name]).abs().max())
        for name in one
        if not torch.equal(one[name], two[name])
    }


def test_a_killed_prediction_resumes_to_the_same_bytes(
    kill: Kill, demo: Path, finished: Path, tmp_path: Path
):
    argv = ["predict", str(demo / "new"), "--run", str(finished), "--format"]
    plan: list[dict[str, Any]] = []
    for format, events in EVENTS.items():
        plan.append({"argv": [*argv, format, "--out", str(tmp_path / f"whole.{format}")], "chunk": 3})
        for event in events:
            out = str(tmp_path / f"{event}.{format}")
            plan.append({"argv": [*argv, format, "--out", out], "chunk": 3, "event": event})
            plan.append({"argv": [*argv, format, "--out", out, "--resume"], "chunk": 3})
    ends = iter(kill(plan))
    for format, events in EVENTS.items():
        assert next(ends) == 0
        expected = (tmp_path / f"whole.{format}").read_bytes()
        for event in events:
            first, second = next(ends), next(ends)
            assert first == -9
            assert second == (0 if event < 33 else 2), (
                f"{format} resumed after event {event}"
            )  # 2: finished already
            assert (tmp_path / f"{event}.{format}").read_bytes() == expected, (
                f"{format} killed at event {event}"
            )
    assert not list(tmp_path.glob(".*.part"))
