"""Threshold sets chosen by hand: they come back, ``predict --thresholds NAME`` uses them, wrong names are explained."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tagger
from tagger.errors import TaggerError
from tagger.runs import RunFolder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunFolder:
    """A copy of the small run, to be written in."""
    return RunFolder(shutil.copytree(finished, tmp_path / "run"))


def test_a_set_comes_back_and_sets_are_listed(run: RunFolder):
    assert run.threshold_sets() == []
    run.save_threshold_set("strict", {"猫 [x]": 0.25, "one": 1.0})
    run.save_threshold_set("Loose 2.b", {})
    assert run.load_threshold_set("strict") == {"猫 [x]": 0.25, "one": 1.0}
    assert run.threshold_sets() == ["Loose 2.b", "strict"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 61, "x\n", "a.", "C:x"])
def test_a_name_that_is_no_file_name_is_refused(run: RunFolder, name: str):
    with pytest.raises(TaggerError, match="no name for a threshold set"):
        run.save_threshold_set(name, {})
    assert not (run.path / "thresholds").exists()


def test_predict_uses_the_set_and_keeps_the_others(
    run: RunFolder, demo: Path, tmp_path: Path, tagger_cli: Any
):
    call: Callable[..., Any] = tagger_cli
    names = run.load_labels()
    run.save_threshold_set("all but two", {name: 0.0 if name != "two" else 1.1 for name in names[:-1]})
    files = ("predict", demo / "new", "--run", run.path)
    assert call(*files, "--out", tmp_path / "own.csv").code == 0
    ended = call(*files, "--out", tmp_path / "set.csv", "--thresholds", "all but two")
    assert ended.code == 0, ended.err
    own, chosen = (
        list(csv.DictReader((tmp_path / file).read_text("utf-8").splitlines()))
        for file in ("own.csv", "set.csv")
    )
    for before, after in zip(own, chosen, strict=True):
        labels = set(after["labels"].split("|"))
        assert labels - {names[-1]} == set(names[:-1]) - {"two"}
        assert (names[-1] in labels) == (names[-1] in before["labels"].split("|"))
        assert before | {"labels": ""} == after | {"labels": ""}


def test_an_unknown_set_suggests_the_nearest(run: RunFolder, demo: Path, tagger_cli: Any):
    ended = tagger_cli("predict", demo / "new", "--run", run.path, "--thresholds", "strict")
    assert ended.code == 2
    assert "no threshold set 'strict'. Available: none" in ended.err
    run.save_threshold_set("strict", {})
    with pytest.raises(TaggerError, match=r"no threshold set 'strikt'\. Did you mean 'strict'"):
        tagger.load(run, thresholds="strikt")
