"""``tagger predict PHOTO`` shows what ``tagger predict FOLDER`` writes of it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tagger
from tagger.commands.predict_one import predict_one
from tagger.errors import TaggerError


def test_a_photos_tags_are_those_of_its_row(finished: Path, demo: Path, tmp_path: Path):
    table = pd.read_csv(
        tagger.predict(demo / "new", run=finished, out=tmp_path / "tags.csv").out, keep_default_na=False
    )
    some_chosen = 0
    for _, row in table.iloc[::10].iterrows():
        tags = predict_one(demo / "new" / row["file"], run=finished)
        assert [tag.probability for tag in tags] == sorted((tag.probability for tag in tags), reverse=True)
        assert {tag.label for tag in tags if tag.chosen} == set(filter(None, row["labels"].split("|")))
        for tag in tags:
            assert tag.probability == pytest.approx(
                row[tag.label], abs=1e-4
            )  # few images: the network is not folded
            assert tag.chosen == (tag.probability >= tag.threshold)
        some_chosen += any(tag.chosen for tag in tags)
    assert some_chosen


def test_the_command_shows_a_table_and_writes_nothing(finished: Path, demo: Path, tagger_cli: Any):
    photo = sorted((demo / "new").iterdir())[0]
    done = tagger_cli("predict", photo, "--run", finished)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == photo.name
    assert lines[1].split() == ["label", "probability", "threshold", "chosen"]
    assert len(lines) == 2 + 10
    assert all(len(line) <= 80 for line in lines)
    assert not list(Path().iterdir())


def test_what_is_no_photo_is_one_line(finished: Path, tmp_path: Path, tagger_cli: Any):
    (tmp_path / "x.jpg").write_bytes(b"no photo")
    with pytest.raises(TaggerError, match=r"x\.jpg: "):
        predict_one(tmp_path / "x.jpg", run=finished)
    done = tagger_cli("predict", tmp_path / "x.jpg", "--run", finished, "--format", "txt")
    assert done.code == 2
    assert "Give the folder that holds the images" in done.err


def test_options_of_writing_are_refused_rather_than_ignored(finished: Path, demo: Path, tagger_cli: Any):
    photo = sorted((demo / "new").iterdir())[0]
    for more in (["--resume"], ["--on-existing", "overwrite"]):
        done = tagger_cli("predict", photo, "--run", finished, *more)
        assert (done.code, done.out) == (2, "")
        assert f"{more[0]}: for one photo nothing is written" in done.err
