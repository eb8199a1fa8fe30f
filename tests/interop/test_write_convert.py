"""``tagger data convert`` as a person runs it: every format, what gets lost in words, and a disk that is full."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tagger.commands.writers import LABEL_FORMATS, sidecar_formats
from tagger.data import read_dataset

TABLE = "file,red,blue,green\na.jpg,1,0,0\nb.jpg,0,,0\nc.jpg,0,0,0\nd.jpg,,,\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five images; one cell and one whole image are unknown, one label and one image are not used."""
    root = tmp_path / "data"
    root.mkdir()
    for number, name in enumerate("abcde"):
        Image.new("RGB", (4, 4), (40 * number, 0, 0)).save(root / f"{name}.jpg")
    (root / "labels.csv").write_text(TABLE, "utf-8")
    return root


@pytest.mark.parametrize("format", LABEL_FORMATS)
def test_every_format_is_written_and_says_what_it_cannot_say(
    tagger_cli: Callable[..., Any], data: Path, tmp_path: Path, format: str
):
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    suffix = {"coco": ".json", "label-studio": ".json"}.get(format, f".{format}" if "-" not in format else "")
    out = tmp_path / f"out{suffix}"
    ended = tagger_cli("data", "convert", data, "--out", out, "--format", format)
    assert ended.code == 0, ended.err
    said = ended.out
    assert "1 photo without labels in the source: left out." in said
    assert ("1 unknown label" in said) == (
        format not in ("csv", "tsv", "parquet", "jsonl", "imagefolder", "imagefolder-link")
    )
    assert ("with unknown labels only" in said) == ("1 unknown label" in said)
    assert ("that no photo has" in said) == ("1 unknown label" in said and format != "coco")
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before
    if format in sidecar_formats.names():
        assert len(list(out.iterdir())) == 3
        assert (
            tagger_cli("data", "convert", data, "--out", out, "--format", format).out.count(
                "3 photos with a sidecar kept"
            )
            == 1
        )
    else:
        assert tagger_cli("data", "convert", data, "--out", out, "--format", format).code == 2


def test_the_format_is_that_of_the_suffix_or_asked_for(
    tagger_cli: Callable[..., Any], data: Path, tmp_path: Path
):
    assert tagger_cli("data", "convert", data, "--out", tmp_path / "a.jsonl").code == 0
    assert (read_dataset(data, tmp_path / "a.jsonl").labels_NK == -1).sum() == 4
    for argv, hint in (
        (("--out", tmp_path / "a.json"), "the suffix names no format"),
        (("--out", tmp_path / "a.csv", "--format", "tsv"), "ends in .tsv"),
        (("--out", tmp_path / "a.json", "--format", "cocoa"), "Did you mean 'coco'"),
        (("--out", data / "new", "--format", "imagefolder"), "inside the folder of images"),
    ):
        ended = tagger_cli("data", "convert", data, *argv)
        assert (ended.code, hint in ended.err) == (2, True), ended.err


@pytest.mark.parametrize("format", LABEL_FORMATS)
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    tagger_cli: Callable[..., Any], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
):
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "place" / (f"out.{format}" if format in ("csv", "tsv", "parquet", "jsonl") else "out")
    monkeypatch.setattr(os, "fsync", full)
    ended = tagger_cli("data", "convert", data, "--out", out, "--format", format)
    assert ended.code == 2
    assert "No space left on device" in ended.err
    left = [path for path in (tmp_path / "place").rglob("*") if path.is_file()]
    assert [path for path in left if path.suffix != ".jpg"] == []  # links are whole at once
