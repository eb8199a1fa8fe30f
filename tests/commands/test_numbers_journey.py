"""A label that is a number: read, learnt by regression, decided at its threshold, and measured."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small import train_argv
from typer.testing import CliRunner

import tagger
from tagger.cli import app
from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.setting_sections import DataSettings

NUM = 120


def draw(folder: Path, *, toml: bool = True) -> Path:
    """Photos that are the brighter, the higher their number (0 to 10); a second label is noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["file,light,noise"]
    for n in range(NUM):
        number = round(float(rng.uniform(0, 10)), 1)
        grey = np.clip(25 * number + rng.normal(0, 40, (32, 32, 1)), 0, 255).astype(np.uint8)
        Image.fromarray(np.repeat(grey, 3, axis=2)).save(folder / f"{n:03}.png")
        rows.append(f"{n:03}.png,{'' if n % 20 == 7 else number},{n % 2}")
    (folder / "labels.csv").write_text("\n".join(rows))
    if toml:
        (folder / "labels.toml").write_text("[numbers.light]\nyes_from = 4\n")
    return folder


def test_a_number_is_yes_from_its_threshold_on_and_unknown_where_the_cell_is_empty(tmp_path):
    found = read_dataset(draw(tmp_path / "photos"))
    k = found.labels.index("light")
    values = found.images["number light"].to_numpy()
    known = np.isfinite(values)
    assert known.sum() == NUM - 6
    assert (found.labels_NK[known, k] == (values[known] >= 4)).all()
    assert (found.labels_NK[~known, k] == -1).all()


def test_the_setting_goes_before_labels_toml_and_without_either_numbers_are_no_cells(tmp_path):
    photos = draw(tmp_path / "photos")
    found = read_dataset(photos, read_options=DataSettings(numbers={"light": 9.0}))
    assert (found.labels_NK[:, found.labels.index("light")] == 1).mean() < 0.2
    with pytest.raises(TaggerError, match="light"):
        read_dataset(draw(tmp_path / "plain", toml=False))


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[numbers.light]\nfrom = 4\n", "numbers.light needs 'yes_from', a number"),
        ("[numbers.dark]\nyes_from = 4\n[numbers.light]\nyes_from = 4\n", "there is no label 'dark'"),
        (
            '[numbers.light]\nyes_from = 4\n[groups.g]\nkind = "exclusive"\nlabels = ["light", "noise"]\n',
            "numbers.light: the label is in a group",
        ),
    ],
)
def test_numbers_that_make_no_sense_are_refused(tmp_path, toml, said):
    photos = draw(tmp_path / "photos")
    (photos / "labels.toml").write_text(toml)
    with pytest.raises(TaggerError, match=said):
        read_dataset(photos)


def test_a_number_is_learnt_by_regression_and_decided_where_it_reaches_the_threshold(tmp_path):
    photos = draw(tmp_path / "photos")
    chosen = {
        "train__epochs": 0,
        "head_stage__epochs": 40,
        "head_stage__lr": 0.02,
        "head_stage__batch_size": 32,
    }
    result = CliRunner().invoke(app, train_argv(photos, tmp_path / "run", **chosen))
    assert result.exit_code == 0, result.output
    assert "ICC(3,1)" in result.output
    run = RunFolder(tmp_path / "run")
    found = run.load_metrics()["numbers"]["light"]
    assert found["yes_from"] == 4
    assert found["pcc"] > 0.9
    assert found["mae"] < 1.5
    assert "## Numbers" in run.card_path.read_text("utf-8")
    assert run.load_settings().data.numbers == {"light": 4.0}
    k = run.load_labels().index("light")
    assert run.load_decision_rule()[0].labels[k].how == "the predicted number reaches yes_from"
    table = tagger.load(run).predict(photos)
    values = run.load_images()["number light"].to_numpy()
    chosen_N = table["labels"].str.contains("light").to_numpy()
    clear = np.isfinite(values) & (np.abs(values - 4) > 2)
    assert (chosen_N[clear] == (values[clear] >= 4)).mean() > 0.9


def test_softened_targets_are_refused_beside_numbers(tmp_path):
    with pytest.raises(TaggerError, match=r"loss.smoothing = 0.1 .* 'light' is a number"):
        tagger.train(
            draw(tmp_path / "photos"), run=tmp_path / "run", backbone="test_resnet", weights="none",
            overrides=["loss.smoothing=0.1"],
        )  # fmt: skip
