"""Killed at any moment, as often as you like, a command goes on to the bytes of an undisturbed one."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from moments import decided_store, drawn_seed
from small import train_argv
from torture import record_torture

from tagger.runs import RunFolder

CHAINS = Path(__file__).with_name("chains.py")
WAY: dict[str, Any] = {"head_stage__enabled": True, "train__fold_models": 2}


def of_training(name: str, folder: Path, begin: list[str], again: list[str], kills: int) -> dict[str, Any]:
    """Chains of ``train`` or ``retrain``; its log has times."""
    out = folder / name
    return {
        "name": name, "kills": kills, "out": str(out), "whole": str(folder / f"{name}.whole"), "begin": begin,
        "again": again, "begun": str(out / "config.toml"), "finished": str(out / "metrics.json"),
        "skip": ["log.txt"], "tidy": True,
    }  # fmt: skip


def of_prediction(folder: Path, argv: list[str], format: str, kills: int) -> dict[str, Any]:
    """Chains of ``predict`` into a table."""
    out = folder / f"tags.{format}"
    begin = [*argv, "--format", format, "--out", str(out)]
    parts = folder / f".{out.name}.parts"
    return {
        "name": f"predict-{format}", "kills": kills, "out": str(out), "whole": str(folder / f"whole.{format}"),
        "begin": begin, "again": [*begin, "--resume"], "begun": str(parts / "of.json"), "finished": str(out),
        "unless": str(parts / "of.json"), "remove": [str(parts)], "skip": [],
    }  # fmt: skip


def of_redone(name: str, folder: Path, argv: list[str], out: Path, kills: int) -> dict[str, Any]:
    """Chains of a command that is simply done again: it writes into the folder ``out``."""
    return {
        "name": name, "kills": kills, "out": str(out), "whole": str(folder / f"{name}.whole"), "begin": argv,
        "again": argv, "begun": str(out), "finished": None, "skip": [],
    }  # fmt: skip


class Chains:
    """Plans of kills, run in processes of their own side by side."""

    def __init__(self, demo: Path, folder: Path):
        self.demo, self.folder, self.seed = demo, folder, drawn_seed()

    def run(self, *plans: list[dict[str, Any]], warm: list[list[str]]) -> list[dict[str, Any]]:
        """The figures of every kind; AssertionError with the seed if anything was not as promised."""
        running = []
        for number, kinds in enumerate(plans):
            path = self.folder / f"plan-{number}.json"
            path.write_text(
                json.dumps({"seed": self.seed + number, "kinds": kinds, "warm": [*warm_of(warm, number)]})
            )
            running.append(
                subprocess.Popen(
                    [sys.executable, str(CHAINS), str(path)],
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=self.folder,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                )
            )
        said = [process.communicate()[0] for process in running]
        assert [process.returncode for process in running] == [0] * len(running), said
        rows = [json.loads(line) for text in said for line in text.splitlines()]
        complaints = [line for row in rows for line in row.pop("complaints")]
        assert not complaints, "\n".join([f"TAGGER_SEED={self.seed}", *complaints])
        for row in rows:
            assert row["kills"] >= 1, row
        return rows


def warm_of(argvs: list[list[str]], number: int) -> list[list[str]]:
    """The same commands with an output of their own for each process."""
    return [[word.replace("{number}", str(number)) for word in argv] for argv in argvs]


@pytest.fixture
def chains(demo: Path) -> Iterator[Chains]:
    """Chains of kills over the demo's photos; in memory where that can be, as only processes die here, not machines."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Chains(demo, Path(folder))


def kinds_of(
    chains: Chains, old: RunFolder, url: str, kills: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two lists that take about as long: train and apply; retrain and predict."""
    demo, folder = chains.demo, chains.folder
    first = [
        of_training(name, folder, train_argv(demo, folder / name, **way),
                    ["train", "--resume", "--run", str(folder / name)], -(-kills // 2))
        for name, way in (("train-single", {}), ("train-crossed", WAY))
    ]  # fmt: skip
    apply = ["apply", "--run", str(old.path), "--store", url, "--format"]
    for format in ("csv", "xmp"):
        out = folder / f"applied-{format}"
        file = ["--out", str(out / "labels.csv" if format == "csv" else out)]
        more = ["--on-existing", "merge"] if format == "xmp" else []
        first.append(
            of_redone(f"apply-{format}", folder, [*apply, format, *file, *more], out, -(-kills // 2))
        )
    begin = ["retrain", "--run", str(old.path), "--store", url, "--out", str(folder / "retrained")]
    again = ["retrain", "--store", url, "--resume", "--out", str(folder / "retrained")]
    second = [of_training("retrained", folder, begin, again, kills)]
    predict = ["predict", str(demo / "new"), "--run", str(old.path)]
    second += [
        of_prediction(folder, predict, format, -(-kills // 4)) for format in ("csv", "jsonl", "parquet")
    ]
    sidecars = [*predict, "--format", "xmp", "--on-existing", "merge", "--out", str(folder / "tags")]
    second.append(of_redone("predict-xmp", folder, sidecars, folder / "tags", -(-kills // 4)))
    return first, second


@pytest.mark.torture
def test_a_hundred_kills_of_each_command_lose_nothing(chains: Chains, demo: Path):
    import tagger

    sets = train_argv(demo, chains.folder / "warm-{number}", **WAY)
    old = tagger.train(
        demo, run=chains.folder / "old", backbone="test_resnet", weights="none", overrides=chosen(sets)
    )
    url = decided_store(old, chains.folder / "review.db")
    rows = chains.run(*kinds_of(chains, old, url, int(os.environ.get("TAGGER_KILLS", "100"))), warm=[sets])
    for row in rows:
        record_torture(f"kill -9: {row.pop('name')}", seed=str(chains.seed), **row)


def chosen(argv: list[str]) -> list[str]:
    """The ``section.key=value`` texts of a command.

    >>> chosen(["train", "--set", "a.b=1"])
    ['a.b=1']
    """
    return [value for key, value in pairwise(argv) if key == "--set"]
