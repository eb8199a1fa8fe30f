"""A drawn ordinal set, the whole way: the card and the tables know the group, and no prediction breaks it or a rule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small import train_argv

import tagger
from tagger.commands.compare import compare
from tagger.runs import RunFolder

AGES = ("young", "middle", "old")
NAMES = ("big", "middle", "old", "seen", "young")  # in the order of columns: sorted
Cli = Callable[..., Any]
TOML = """
[groups.age]
kind = "ordinal"
labels = ["young", "middle", "old"]

[[rules]]
if = "big"
then = "seen"
"""


def draw_set(folder: Path, num: int, *, with_none: bool) -> Path:
    """Images whose red says the age, green whether they are big; with ``with_none`` some have no age."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    rows = ["file,labels"]
    for n in range(num):
        place, big = rng.integers(4 if with_none else 3), rng.random() < 0.4
        pixels = rng.integers(0, 40, (32, 32, 3))
        pixels[..., 0] += [30, 100, 170, 0][place]
        pixels[..., 1] += 150 * big
        pixels[..., 2] += 120 * (place == 3)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{n:03}.png")
        labels = ([AGES[place]] if place < 3 else []) + (
            ["big", "seen"] if big else ["seen"] * (rng.random() < 0.2)
        )
        rows.append(f"{n:03}.png,{'|'.join(labels)}")
    (folder / "labels.csv").write_text("\n".join(rows))
    (folder / "labels.toml").write_text(TOML)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("ages"), 90, with_none=False)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Trained with everything that knows of groups and rules."""
    from small import options

    more = [
        "regularisers.ordinal-regression=true",
        "regularisers.rule-consistency=true",
        "loss.smoothing=0.05",
    ]
    more += ["mix.mixup=0.2", "head.name=mlp"]
    path = tmp_path_factory.mktemp("ages-run") / "run"
    chosen = options()
    return tagger.train(data, run=path, backbone="test_resnet", weights="none", overrides=[*chosen, *more])


def check(table: pd.DataFrame, *, exactly_one: bool) -> None:
    """Each row's labels keep to the group and to the rule."""
    for labels in table["labels"].fillna("").str.split("|"):
        num_ages = len(set(labels) & set(AGES))
        assert num_ages == 1 if exactly_one else num_ages <= 1
        assert "big" not in labels or "seen" in labels


def test_probabilities_of_the_group_sum_to_one_and_decisions_keep_to_it(run: RunFolder, data: Path):
    probs_NK, _ = run.load_oof()
    ages = [NAMES.index(name) for name in AGES]
    np.testing.assert_allclose(probs_NK[:, ages].sum(axis=1), 1, atol=1e-5)
    assert run.load_constraints().groups[0].always
    check(tagger.load(run).predict(data / "images"), exactly_one=True)


def test_the_card_and_the_metrics_know_the_group(run: RunFolder):
    row = run.load_metrics()["test"]["groups"]["age"]
    assert row["kind"] == "ordinal"
    assert row["confusion"]["labels"] == list(AGES)
    assert {"accuracy", "mean_absolute_error", "one_off_accuracy"} <= row.keys()
    card = run.card_path.read_text("utf-8")
    assert "### age (ordinal)" in card
    assert "mean absolute error" in card
    assert (run.plots_path / "group_1.png").is_file()


def test_evaluate_prints_the_groups_distances(run: RunFolder, data: Path, tagger_cli: Cli):
    end = tagger_cli("evaluate", "--data", data, "--run", run.path)
    assert end.code == 0, end.err
    assert "age: mean absolute error" in end.out
    assert "age: one off accuracy" in end.out


def test_every_format_of_predictions_keeps_to_groups_and_rules(
    run: RunFolder, data: Path, tagger_cli: Cli, tmp_path: Path
):
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        out = tmp_path / f"tags.{form}"
        assert (
            tagger_cli("predict", data / "images", "--run", run.path, "--out", out, "--format", form).code
            == 0
        )
        check(read(out), exactly_one=True)
    out = tmp_path / "txt"
    assert (
        tagger_cli("predict", data / "images", "--run", run.path, "--out", out, "--format", "txt").code == 0
    )
    texts = [path.read_text("utf-8").strip().replace(",", "|") for path in sorted(out.rglob("*.txt"))]
    check(pd.DataFrame({"labels": texts}), exactly_one=True)


def test_suspects_and_a_comparison_work_on_groups(run: RunFolder, tagger_cli: Cli):
    end = tagger_cli("suspects", "--run", run.path)
    assert end.code == 0, end.err
    assert set(run.load_suspects()["label"]) <= set(NAMES)
    groups = compare(run, run, draws=5)["groups"]
    assert groups["age"]["accuracy"]["difference"] == 0


def test_a_group_of_which_an_image_may_have_none_is_trained_on_cached_features_too(
    tmp_path: Path, tagger_cli: Cli
):
    data = draw_set(tmp_path / "data", 80, with_none=True)
    argv = train_argv(data, tmp_path / "run", train__epochs=0, head_stage__epochs=30)
    end = tagger_cli(*argv, "--set", "regularisers.rule-consistency=true")
    assert end.code == 0, end.err
    run = RunFolder(tmp_path / "run")
    probs_NK, _ = run.load_oof()
    assert (probs_NK[:, [NAMES.index(name) for name in AGES]].sum(axis=1) < 1).all()
    assert not run.load_constraints().groups[0].always
    check(tagger.load(run).predict(data / "images"), exactly_one=False)
    assert "(none)" in run.load_metrics()["test"]["groups"]["age"]["confusion"]["labels"]


def test_rules_that_are_not_enforced_add_nothing(tmp_path: Path, data: Path):
    settings_off = tmp_path / "off"
    tagger.train(
        data, run=settings_off, backbone="test_resnet", weights="none",
        overrides=[*train_argv(data, settings_off, train__epochs=0)[10::2], "rules.enforce=false"],
    )  # fmt: skip
    assert RunFolder(settings_off).load_constraints().rules == ()


def test_ordinal_regression_without_an_ordinal_group_or_a_network_that_learns_is_refused(
    demo: Path, data: Path, tmp_path: Path, tagger_cli: Cli
):
    method = ("--set", "regularisers.ordinal-regression=true")
    end = tagger_cli(*train_argv(demo, tmp_path / "one"), *method)
    assert end.code == 2
    assert "labels.toml" in end.err
    end = tagger_cli(*train_argv(data, tmp_path / "two", train__epochs=0), *method)
    assert end.code == 2
    assert "train.epochs" in end.err


@pytest.mark.parametrize("head", ["linear", "ecoc"])
def test_a_retraining_goes_on_with_the_groups(head: str, data: Path, tmp_path: Path, tagger_cli: Cli):
    more = ("--set", f"head.name={head}")
    assert tagger_cli(*train_argv(data, tmp_path / "run", train__epochs=1), *more).code == 0
    end = tagger_cli("retrain", "--run", tmp_path / "run", "--out", tmp_path / "new")
    assert end.code == 0, end.err
    new = RunFolder(tmp_path / "new")
    assert new.load_constraints() == RunFolder(tmp_path / "run").load_constraints()
    np.testing.assert_allclose(
        new.load_oof()[0][:, [NAMES.index(name) for name in AGES]].sum(axis=1), 1, atol=1e-5
    )
    assert "accuracy" in new.load_metrics()["comparison"]["groups"]["age"]
