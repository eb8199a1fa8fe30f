"""A command that is refused leaves nothing: no folder, no list beside labels that could not be written."""

from pathlib import Path
from typing import Any

import pytest
from noise_photos import refused

from tagger.commands.writers import LABEL_FORMATS
from tagger.runs import RunFolder

FOLDERS = ("imagefolder", "imagefolder-link", "folders", "folders-link")


def everything(*folders: Path) -> set[Path]:
    """All files and folders below."""
    return {path for folder in folders for path in folder.rglob("*")}


@pytest.mark.parametrize("out", ["out", "deeper/out"])
@pytest.mark.parametrize("format", LABEL_FORMATS)
def test_another_run_than_there_is(format: str, out: str, tagger_cli: Any, demo: Path):
    for command in (["predict", demo / "new"], ["apply"]):
        refused(tagger_cli(*command, "--format", format, "--run", "nosuch", "--out", out))
        assert list(Path().iterdir()) == []


@pytest.mark.parametrize("format", LABEL_FORMATS)
def test_a_threshold_set_or_a_label_file_that_is_not_there(
    format: str, tagger_cli: Any, demo: Path, finished: Path
):
    call = ["predict", demo / "new", "--run", finished, "--thresholds", "nosuch"]
    refused(tagger_cli(*call, "--format", format, "--out", "out"), "nosuch")
    call = ["data", "convert", demo, "--labels", "nosuch.csv"]
    refused(tagger_cli(*call, "--format", format, "--out", f"out.{format}"), "nosuch")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("format", FOLDERS)
def test_an_output_inside_the_photos(format: str, tagger_cli: Any, demo: Path, finished: Path):
    before = everything(demo)
    for command in (
        ["predict", demo, "--run", finished],
        ["apply", "--run", finished],
        ["data", "convert", demo],
    ):
        ended = tagger_cli(*command, "--format", format, "--out", demo / "inner")
        assert ended.code == 2, ended
        assert "lies inside the folder" in ended.err
        assert everything(demo) == before


def test_a_label_that_cannot_be_a_folder(tagger_cli: Any, photos: Any, tmp_path: Path):
    from small import options

    import tagger

    data = photos(20, lambda i: "a/b" if i % 2 else "c")
    run = tagger.train(
        data, run=tmp_path / "run", backbone="test_resnet", weights="none", overrides=options(train__epochs=0)
    )
    assert isinstance(run, RunFolder)
    ended = tagger_cli("apply", "--run", run.path, "--format", "folders", "--out", "out")
    assert ended.code == 2, ended
    assert "'a/b'" in ended.err
    assert list(Path().iterdir()) == []
