"""Whatever lies about under an image's name: no crash, no hang, no gigabyte, and each bad one is listed."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hostile_images import FAMILIES, bombs_of, mutants, picture, saved
from small import train_argv
from torture import record_torture
from watched import ROOT, run_watched

from tagger.data.images.memory_budget import BUDGET_BYTES
from tagger.runs import RunFolder

SECONDS, MEGABYTES = 5.0, 1000  # of processor time a file, and of memory a process
TORCH = 1200  # megabytes that a training of small whole images takes by itself
SEED = int(os.environ.get("TAGGER_SEED", "7"))
LIGHT = ("TIFF-tile-8-40000", "PNG-zTXt-bomb", "GIF-screen-65535x65535", "BMP-60000x60000-8-1", "WEBP-16383")
LIGHT += (
    "JPEG-20000-scans-of-60",
    "PNG-huge-iTXt",
    "TIFF-strip-absurd",
    "JPEG-frame-c3-huge",
    "PNG-exif-loop",
)


def write(folder: Path, files: Any) -> Path:
    """The files in a new folder."""
    folder.mkdir(parents=True)
    for name, data in files:
        (folder / name).write_bytes(data)
    return folder


def decode_all(folder: Path, report: Path) -> list[dict[str, Any]]:
    """What each way of reading said of each file; fails with the name of the file that killed or held the process."""
    command = [
        sys.executable,
        str(Path(__file__).parents[1] / "faults" / "decoding.py"),
        str(folder),
        str(report),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=500, check=False, env=environment)
        code, error = done.returncode, done.stderr.decode("utf-8", "replace")[-2000:]
    except subprocess.TimeoutExpired:
        code, error = "no end", ""
    rows = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    assert code == 0, f"{rows[-1]} ended the process with {code}: {error}"
    return [row for row in rows if "file" in row]


def check_rows(rows: list[dict[str, Any]]) -> None:
    """Each in time and memory, and the same verdict from all that decode whole files."""
    assert [row for row in rows if row["s"] > SECONDS] == []
    assert [row for row in rows if row["MB"] > MEGABYTES] == []
    for row in rows:
        refused = {
            name for name in ("train", "check", "explain", "preview") if row["said"][name].startswith("!")
        }
        assert len(refused) in (0, 4), row
        assert all("\n" not in text and len(text) < 400 for text in row["said"].values()), row


def test_148_ruined_images_are_read_or_refused_with_a_reason_everywhere(tmp_path: Path):
    print("seed", SEED)
    rng, files = random.Random(SEED), dict[str, bytes]()
    for family in FAMILIES:
        files |= dict(mutants(family, 23, rng))
        files |= {name: data for name, data in bombs_of(family) if name.rpartition(".")[0] in LIGHT}
    assert len(files) == 6 * 23 + len(LIGHT)
    data = write(tmp_path / "data", files.items())
    rows = decode_all(data, tmp_path / "report")
    check_rows(rows)
    bad = {row["file"]: row["said"]["check"][2:] for row in rows if row["said"]["check"].startswith("!")}
    assert 30 < len(bad) < len(files)

    for number in range(9):
        (data / f"whole-{number}.png").write_bytes(saved(picture("RGB", number), "PNG"))
    names = sorted(path.name for path in data.iterdir())
    lines = [f"{name},{'odd' if at % 2 else 'even'}" for at, name in enumerate(names)]
    (data / "labels.csv").write_text("\n".join(["file,labels", *lines, ""]))
    empty = {name for name in bad if not files[name]}

    checked = run_watched("data", "check", data, folder=tmp_path)
    assert checked.code == 2, checked.err
    assert checked.megabytes < MEGABYTES
    assert {name for name in names if f"\n{name}: {bad.get(name)}" in f"\n{checked.out}"} | empty == set(bad)

    trained = run_watched(
        *train_argv(data, tmp_path / "run", train__epochs=1, data__val=0.2), folder=tmp_path
    )
    assert trained.code == 3, trained.out + trained.err
    assert trained.megabytes < TORCH + BUDGET_BYTES // 1_000_000
    listed = {problem.file for problem in RunFolder(tmp_path / "run").load_unreadable()}
    assert listed == set(bad)

    predicted = run_watched("predict", data, "--run", "run", "--out", "tags.csv", folder=tmp_path)
    assert predicted.code == 3, predicted.err
    assert predicted.megabytes < TORCH + BUDGET_BYTES // 1_000_000
    assert set(pd.read_csv(tmp_path / "tags.csv.unreadable.csv")["file"]) == set(bad)
    assert len(pd.read_csv(tmp_path / "tags.csv")) == len(names)


@pytest.mark.torture
@pytest.mark.parametrize("family", FAMILIES)
def test_1200_ruined_images_of_each_family(tmp_path: Path, family: str):
    rng, rows = random.Random(f"{SEED} {family}"), list[dict[str, Any]]()
    files = [*bombs_of(family), *mutants(family, 1200, rng)]
    for start in range(0, len(files), 300):  # a process each: one that dies takes no more than 300 with it
        folder = write(tmp_path / str(start), files[start : start + 300])
        rows += decode_all(folder, tmp_path / f"report{start}")
    check_rows(rows)
    refused = Counter(row["said"]["train"].startswith("!") for row in rows)
    record_torture(
        f"ruined {family} files", files=len(rows), refused=refused[True], read=refused[False], crashes=0,
        slowest_s=round(max(row["s"] for row in rows), 2), peak_MB=max(row["MB"] for row in rows),
    )  # fmt: skip
