"""Killed at any moment, a retraining goes on with --resume to the bytes of an uninterrupted one."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moments import decided_store, drawn_seed
from small import train_argv

from tagger.runs import RunFolder, find_run

KEPT = ("history.csv", "model.safetensors", "thresholds.json", "oof.npz", "labels.parquet", "judged.parquet")
WAY: dict[str, Any] = {"head_stage__enabled": True, "train__fold_models": 2}
Kill = Callable[[list[dict[str, Any]]], list[int]]


def test_a_killed_retraining_resumes_to_the_same_bytes(kill: Kill, demo: Path, tmp_path: Path):
    old, chance = tmp_path / "old", random.Random(drawn_seed())
    assert kill([{"argv": train_argv(demo, old, **WAY)}]) == [0]
    url = decided_store(RunFolder(old), tmp_path / "review.db")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    going = {
        "argv": ["retrain", "--run", str(old), "--store", url, "--out", str(broken)],
        "resume_if": str(broken / "config.toml"),
        "unless": str(broken / "metrics.json"),
    }
    moments: list[dict[str, Any]] = [{"event": 1}, {"event": 3}, {"seconds": 0.2}]
    moments += [{"event": chance.randint(4, 40)} for _ in range(3)]
    ends = kill(
        [{"argv": [*going["argv"][:-1], str(whole)]}, *({**going, **moment} for moment in moments), going]  # type: ignore
    )
    assert set(ends) == {0, -9}
    find_run(broken)
    assert sorted(path.name for path in broken.iterdir()) == sorted(path.name for path in whole.iterdir())
    for name in KEPT:
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), (name, moments)
    one, two = (RunFolder(path).load_metrics() for path in (broken, whole))
    assert {**one, "comparison": None, "notes": None} == {**two, "comparison": None, "notes": None}
    assert one["comparison"]["overall"] == two["comparison"]["overall"]
