"""A setting that another one leaves without effect is refused, and said where labels are read."""

import pytest
from PIL import Image

from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.presets import load_read_options, load_settings


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["data.split=folders", "data.val=0.2"], r"data\.val has no effect with data\.split=folders"),
        (["data.test=0", "data.split=folders"], r"data\.test has no effect"),
        (["data.burst_gap=3"], r"data\.burst_gap has no effect with data\.sequences=none"),
        (["data={split='folders', val=0.2, test=0.1}"], r"data\.val .*data\.test .*Leave them out"),
    ],
)
def test_a_setting_without_effect_is_refused(settings, reason):
    with pytest.raises(TaggerError, match=reason):
        load_settings("quick", settings)


def test_settings_with_effect_and_those_of_a_run_pass(tmp_path):
    assert load_settings("quick", ["data.val=0.2"]).data.val == 0.2
    assert load_settings("quick", ["data.sequences=time", "data.burst_gap=3"]).data.burst_gap == 3
    assert load_settings("quick", ["data.split=folders"]).data.split == "folders"


def test_settings_of_reading_without_effect_are_said(tmp_path):
    for n in range(4):
        Image.new("RGB", (4, 4), (60 * n, 0, 0)).save(tmp_path / f"{n}.png")
    (tmp_path / "labels.csv").write_text("file,cat,dog\n0.png,1,0\n1.png,0,1\n2.png,1,1\n3.png,0,0\n")
    options = load_read_options(["data.label_separator=space", "data.ignore_columns=note"])
    assert "without effect here: data.label_separator." in read_dataset(tmp_path, read_options=options).source
    assert "without effect" not in read_dataset(tmp_path).source
    (tmp_path / "labels.csv").unlink()
    for n in range(4):
        (tmp_path / f"{n}.txt").write_text("cat dog" if n % 2 else "dog")
    options = load_read_options(["data.label_separator=space", "data.file_column=image"])
    assert "without effect here: data.file_column." in read_dataset(tmp_path, read_options=options).source
