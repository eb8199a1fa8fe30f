"""Killed at any change on disk, a prediction in any format goes on with --resume to what an uninterrupted one left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Kill = Callable[[list[dict[str, Any]]], list[int]]
EVENTS = {
    "coco": (2, 30),
    "label-studio": (33,),
    "imagefolder": (25, 60),
    "xmp": (10,),
    "folders": (20,),
}  # 10, 25: a file half written


def content(place: Path) -> dict[str, bytes]:
    """Every file at or below a place, by its path."""
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    files = [path for path in files if path.name != "written.jsonl"]  # the record has times
    return {
        str(path.relative_to(place.parent)).replace(place.name, "OUT", 1): path.read_bytes() for path in files
    }


@pytest.mark.parametrize("formats", [("coco", "label-studio"), ("imagefolder", "folders", "xmp")])
def test_a_killed_prediction_goes_on_to_the_same_files(
    kill: Kill, demo: Path, finished: Path, tmp_path: Path, formats: tuple[str, ...]
):
    argv = ["predict", str(demo / "new"), "--run", str(finished), "--format"]
    plan: list[dict[str, Any]] = []
    for format in formats:
        plan.append({"argv": [*argv, format, "--out", str(tmp_path / format / "whole")], "chunk": 3})
        (tmp_path / format).mkdir()
        for event in EVENTS[format]:
            going = {"argv": [*argv, format, "--out", str(tmp_path / format / f"{event}")], "chunk": 3}
            plan += [going | {"event": event}, {**going, "argv": [*going["argv"], "--resume"]}]
    ends = iter(kill(plan))
    for format in formats:
        assert next(ends) == 0
        expected = content(tmp_path / format / "whole")
        assert len(expected) >= (12 if format in ("xmp", "imagefolder", "folders") else 1)
        for event in EVENTS[format]:
            assert (next(ends), next(ends)) == (-9, 0), (format, event)
            assert content(tmp_path / format / f"{event}") == expected, (format, event)
    assert {path.name for path in tmp_path.rglob(".*")} == ({".tagger"} if "xmp" in formats else set())
