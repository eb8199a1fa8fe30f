"""Summary of each run of a folder: date, data, score and size; damaged and unfinished ones as what they are.

Nothing is read but small files and the sizes of large ones, so that hundreds of runs take seconds.
"""

import json
import os
import struct
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tagger.errors import TaggerError
from tagger.runs.folder import RunFolder
from tagger.runs.lineage import origin_of, parent_of
from tagger.runs.lock import is_locked
from tagger.runs.read_errors import wrap_read_errors
from tagger.runs.removal import holds_run_files, is_being_deleted
from tagger.runs.run_advice import map_difference

NEEDED = (
    "labels.json",
    "thresholds.json",
    "images.parquet",
    "labels.parquet",
    "oof.npz",
    "model.safetensors",
)


@dataclass(kw_only=True)
class RunSummary:
    """A run as it is listed. ``state``: finished, training, interrupted, deleted in part, or damaged."""

    path: Path
    state: str
    problem: str = ""  # what is damaged
    name: str = ""  # given by a person
    made: str = ""  # ISO 8601, local
    data: str = ""
    num_images: int | None = None
    num_labels: int | None = None
    score: dict[str, Any] | None = None  # mAP with interval, the split, and its number of photos
    size: int = 0  # bytes
    origin: str = ""  # the path that it was retrained from, as it was written down
    parent: Path | None = None  # the same, where it is now
    difference: dict[str, Any] | None = None  # in mAP, to the parent
    num_learned: int | None = None  # decisions that it was trained with
    num_decided: int | None = None  # decisions made on it; None: their store is not there
    chosen: bool = field(default=False)


def summarise(folder: Path) -> list[RunSummary]:
    """The runs of a folder, oldest first; folders that are no runs are left out. None is chosen or decided on yet."""
    try:
        entries = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    except FileNotFoundError:
        return []
    found = [summarise_run(Path(path)) for path in entries if not os.path.basename(path).startswith(".")]
    return sorted((one for one in found if one is not None), key=lambda one: (one.made, one.path.name))


def summarise_run(path: Path) -> RunSummary | None:
    """One run; None for a folder that is none. An error of the disk, too, makes it a damaged one."""
    run = RunFolder(path)
    try:
        if is_being_deleted(path):
            return RunSummary(path=path, state="deleted in part", size=folder_size(path))
        if not run.exists:
            return _damaged(path, "config.toml is missing") if holds_run_files(path) else None
        return _finished(run) if run.finished else _unfinished(run)
    except (TaggerError, OSError) as error:
        return _damaged(path, str(error).removeprefix(f"{path}: "))


def _damaged(path: Path, problem: str) -> RunSummary:
    return RunSummary(path=path, state="damaged", problem=problem, made=_time(path), size=folder_size(path))


def _unfinished(run: RunFolder) -> RunSummary:
    origin = origin_of(run)
    return RunSummary(
        path=run.path,
        state="training" if is_locked(run.checkpoint.lock_path) else "interrupted",
        name=run.load_notes().name,
        made=_time(run.path / "config.toml"),
        data=run.load_settings().data.path,
        size=folder_size(run.path),
        origin=str(origin or ""),
        parent=_parent_path(run),
    )


def _finished(run: RunFolder) -> RunSummary:
    found = RunSummary(path=run.path, state="finished", size=folder_size(run.path))
    found.made = _time(run.path / "metrics.json")
    try:
        _read(run, found)
    except (TaggerError, OSError) as error:
        found.state = "damaged"
        found.problem = str(error).removeprefix(f"{run.path}: ").removeprefix(f"{run.path}/")
    return found


def _read(run: RunFolder, found: RunSummary) -> None:
    """Fill in what the files of a finished run say. TaggerError for one that is absent or damaged."""
    found.data = run.load_settings().data.path
    found.name = run.load_notes().name
    metrics = run.load_metrics()
    with wrap_read_errors(run.path / "metrics.json"):
        found.origin = str(origin_of(run) or "")
        found.parent = _parent_path(run)
        found.score = _score(metrics)
        found.difference = map_difference(run)
        found.num_learned = metrics.get("decisions", {}).get("number")
    if missing := [name for name in NEEDED if not (run.path / name).is_file()]:
        raise TaggerError(f"{', '.join(missing)} {'are' if missing[1:] else 'is'} missing")
    found.num_labels = len(run.load_labels())
    found.num_images = _num_rows(run.path / "images.parquet")
    check_weights(run.model_path)


def _parent_path(run: RunFolder) -> Path | None:
    parent = parent_of(run)
    return parent.path if parent is not None else None


def _score(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """mAP on the test photos, else on those of validation; None where neither has one."""
    for split in ("test", "validation"):
        found = metrics.get(split)
        if not isinstance(found, dict):
            continue
        row = found.get("overall", {}).get("map")
        if isinstance(row, dict) and row.get("value") is not None:
            known = {key: row.get(key) for key in ("value", "low", "high")}
            return {**known, "split": split, "num_images": found.get("num_images")}
    return None


def _num_rows(path: Path) -> int:
    with wrap_read_errors(path):
        return int(pq.read_metadata(path).num_rows)


def check_weights(path: Path) -> None:
    """TaggerError if a safetensors file is shorter or longer than its head says, as after a full disk or a bad copy."""
    with wrap_read_errors(path), path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > path.stat().st_size:
            raise ValueError("the file is cut off")
        head = json.loads(file.read(length))
        ends = [part["data_offsets"][1] for name, part in head.items() if name != "__metadata__"]
        if 8 + length + max(ends, default=0) != path.stat().st_size:
            raise ValueError("the file is cut off")


def folder_size(folder: Path) -> int:
    """The bytes of all files below a folder; what vanishes or cannot be read meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def _time(path: Path) -> str:
    """When the file was last changed."""
    return datetime.fromtimestamp(path.stat().st_mtime).isoformat(sep=" ", timespec="milliseconds")
