"""The whole way on drawn photos: train, evaluate, predict; from the command line and from Python."""

import csv
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from small import options, train_argv

import tagger
from tagger.data import read_dataset
from tagger.runs import RunFolder
from tagger.training.check_parts import begins_with_features

FILES = {
    "config.toml",
    "labels.json",
    "images.parquet",
    "labels.parquet",
    "model.safetensors",
    "thresholds.json",
}
FILES |= {
    "oof.npz",
    "dynamics.npz",
    "embeddings.npy",
    "fingerprints.npy",
    "metrics.json",
    "history.csv",
    "unreadable.csv",
    "README.md",
}
FILES |= {"log.txt", "plots"}
Cli = Callable[..., Any]


def hashes(folder: Path) -> dict[str, str]:
    """The content of every file of a folder."""
    return {
        str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network in a file, as if they were pretrained."""
    path = tmp_path_factory.mktemp("weights") / "it's a [file], 猫.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", num_classes=5).state_dict(), path)
    return path


def read_table(path: Path) -> pd.DataFrame:
    """Predictions of any format."""
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True, precise_float=True)
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


def check_run(path: Path, data: Path) -> RunFolder:
    """A finished run whose files agree with one another and with the data."""
    run, dataset = RunFolder(path), read_dataset(data)
    settings = run.load_settings()
    expected = FILES | ({"members"} if settings.train.epochs else set())
    if begins_with_features(settings) and settings.image.tta_hflip:
        expected |= {"views.npy"}
    assert {p.name for p in path.iterdir()} == expected
    images, names, metrics = run.load_images(), run.load_labels(), run.load_metrics()
    probs_NK, fold_N = run.load_oof()
    assert names == dataset.labels
    assert images["file"].tolist() == dataset.images["file"].tolist()
    assert images["hash"].tolist() == dataset.images["hash"].tolist()
    np.testing.assert_array_equal(run.load_cells(), dataset.labels_NK)
    assert probs_NK.shape == (len(images), len(names))
    assert ((probs_NK >= 0) & (probs_NK <= 1)).all()
    np.testing.assert_array_equal(fold_N, images["fold"])
    np.testing.assert_array_equal(fold_N == -1, images["split"] == "test")
    assert set(images["split"]) == {"train", "val", "test"}
    assert len(run.load_embeddings()) == len(images)
    assert len(run.load_history()) > 0
    assert run.load_unreadable() == []
    assert set(metrics["test"]["per_label"]) == set(names)
    assert metrics["test"]["num_images"] == (images["split"] == "test").sum()
    thresholds, _ = run.load_decision_rule()
    assert len(thresholds.values_K) == len(names)
    assert all(name in run.card_path.read_text("utf-8") for name in names)
    for plot in run.plots_path.iterdir():
        Image.open(plot).verify()
        assert f"plots/{plot.name}" in run.card_path.read_text("utf-8")
    return run


def test_from_photos_to_tags_on_the_command_line(tagger_cli: Cli, demo: Path, tmp_path: Path):
    before, run = hashes(demo), tmp_path / "run"
    trained = tagger_cli(*train_argv(demo, run))
    assert trained.code == 0, trained.err
    assert trained.err == ""
    assert "Labels from labels.csv" in trained.out
    assert f"tagger predict FOLDER --run {run}" in trained.out
    check_run(run, demo)

    result = tmp_path / "result.json"
    evaluated = tagger_cli("evaluate", "--data", demo, "--run", run, "--out", result)
    assert evaluated.code == 0, evaluated.err
    assert "mAP" in evaluated.out
    overall = json.loads(result.read_text("utf-8"))["overall"]
    assert 0 < overall["map"]["value"] <= 1

    tables = {}
    for format in ("csv", "jsonl", "parquet"):
        out = tmp_path / f"tags.{format}"
        predicted = tagger_cli("predict", demo / "new", "--run", run, "--format", format, "--out", out)
        assert predicted.code == 0, predicted.err
        assert f"12 photos tagged: {out}" in predicted.out
        tables[format] = read_table(out)
    table = tables["csv"].fillna({"labels": ""})
    assert table.columns.tolist() == ["file", "labels", *RunFolder(run).load_labels()]
    assert table["file"].tolist() == sorted(path.name for path in (demo / "new").iterdir())
    for other in ("jsonl", "parquet"):
        assert table["labels"].tolist() == tables[other]["labels"].tolist()
        np.testing.assert_allclose(table.iloc[:, 2:], tables[other].iloc[:, 2:].astype(float))
    thresholds, _ = RunFolder(run).load_decision_rule()
    for _, row in table.iterrows():
        probs_K = row[2:].to_numpy(dtype=float)
        sure = np.abs(probs_K - thresholds.values_K) > 1e-6  # the file rounds to six digits
        chosen_K = np.isin(RunFolder(run).load_labels(), row["labels"].split("|"))
        np.testing.assert_array_equal(chosen_K[sure], (probs_K >= thresholds.values_K)[sure])

    sidecars = tmp_path / "sidecars"
    assert tagger_cli("predict", demo / "new", "--run", run, "--format", "txt", "--out", sidecars).code == 0
    texts = {path.stem: next(csv.reader([path.read_text("utf-8")]), []) for path in sidecars.glob("*.txt")}
    assert texts == {
        Path(file).stem: [label for label in labels.split("|") if label]
        for file, labels in zip(table["file"].tolist(), table["labels"].tolist(), strict=True)
    }
    assert hashes(demo) == before


def test_from_photos_to_tags_in_python(demo: Path, tmp_path: Path):
    run = tagger.train(
        demo, run=tmp_path / "run", backbone="test_resnet", weights="none", overrides=options()
    )
    model = tagger.load(run)
    files = sorted((demo / "new").iterdir())
    table = model.predict(files)
    again = tagger.load(run.path).predict(demo / "new")
    assert table["file"].tolist() == [str(path) for path in files]
    assert again["file"].tolist() == [path.name for path in files]
    pd.testing.assert_frame_equal(table.drop(columns="file"), again.drop(columns="file"))
    one = model.predict([files[3]])
    np.testing.assert_allclose(one.iloc[0, 2:].astype(float), table.iloc[3, 2:].astype(float), atol=2e-6)
    assert model.predict([]).columns.tolist() == table.columns.tolist()

    done = tagger.predict(demo / "new", run=run.path, out=tmp_path / "tags.csv")
    assert (done.num_images, done.unreadable, done.out) == (12, [], tmp_path / "tags.csv")
    result = tagger.evaluate(demo, run)
    assert result["num_images"] == 80
    new = tagger.evaluate(demo / "new", run, labels=demo / "truth" / "new_truth.csv")
    assert new["num_images"] == 12
    assert tagger.read_dataset(demo).labels == model.labels


def test_the_saved_model_gives_the_probabilities_that_the_metrics_were_made_of(demo: Path, finished: Path):
    """The test split's rows of ``oof.npz`` come from the model in the run: predicting them again gives the same."""
    run = RunFolder(finished)
    images, (probs_NK, fold_N) = run.load_images(), run.load_oof()
    test = np.flatnonzero(fold_N == -1)
    table = tagger.load(run).predict([demo / images["file"][row] for row in test])
    np.testing.assert_allclose(table.iloc[:, 2:].astype(float), probs_NK[test], atol=2e-5)


def test_quick_trains_a_head_on_features_of_weights_from_a_file(demo: Path, tmp_path: Path, weights: Path):
    sets, given = options(train__epochs=0, image__tta_hflip=True), load_file(weights)
    copy = tmp_path / weights.name
    copy.write_bytes(weights.read_bytes())
    run = tagger.train(
        demo, run=tmp_path / "run", preset="quick", backbone="test_resnet", weights=str(copy), overrides=sets
    )
    check_run(run.path, demo)
    kept = tagger.load(run).model.state_dict()
    assert set(run.load_history()["stage"]) == {"head"}
    net = {
        name.removeprefix("backbone.net."): t for name, t in kept.items() if name.startswith("backbone.net.")
    }
    assert len(net) > 20
    assert all(
        torch.equal(tensor, given[name]) for name, tensor in net.items()
    )  # the backbone stays as it was
    copy.unlink()
    assert len(tagger.load(run).predict(demo / "new")) == 12  # the run needs the weights file no more


def test_standard_averages_networks_that_begin_with_the_heads(demo: Path, tmp_path: Path, weights: Path):
    sets = options(train__fold_models=2, data__folds=4)
    run = tagger.train(
        demo, run=tmp_path / "run", backbone="test_resnet", weights=str(weights), overrides=sets
    )
    check_run(run.path, demo)
    assert set(run.load_history()["stage"]) == {"head", "network 1 of 2", "network 2 of 2"}
    scores = run.load_metrics()["validation_map"]
    assert set(scores) == {"heads", "networks"}
    assert bool(run.load_metrics()["notes"]) == (scores["networks"] < scores["heads"])


def test_the_same_seed_gives_the_same_run(demo: Path, tmp_path: Path, finished: Path):
    again = tagger.train(
        demo, run=tmp_path / "run", backbone="test_resnet", weights="none", overrides=options()
    )
    for name in ("metrics.json", "history.csv", "model.safetensors", "thresholds.json", "oof.npz"):
        assert (again.path / name).read_bytes() == (finished / name).read_bytes(), name


def test_a_run_can_be_read_by_others(finished: Path):
    modes = {path.name: oct(path.stat().st_mode & 0o044) for path in finished.iterdir() if path.is_file()}
    assert len(set(modes.values())) == 1, modes


def test_predictions_go_to_the_newest_run_and_a_file_here(tagger_cli: Cli, demo: Path, finished: Path):
    Path("runs").mkdir()
    (Path("runs") / "one").symlink_to(finished)
    ended = tagger_cli("predict", demo / "new")
    assert ended.code == 0, ended.err
    assert Path("predictions.csv").is_file()
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


def test_an_existing_file_is_replaced_only_when_asked(tagger_cli: Cli, demo: Path, finished: Path):
    Path("tags.csv").write_text("precious")
    predict = ("predict", demo / "new", "--run", finished, "--out", "tags.csv")
    for more in ((), ("--resume",)):
        kept = tagger_cli(*predict, *more)
        assert kept.code == 2
        assert (
            kept.err
            == "tagger: tags.csv exists already. Replace it with --on-existing overwrite, or give another --out.\n"
        )
        assert Path("tags.csv").read_text() == "precious"
    assert tagger_cli(*predict, "--on-existing", "overwrite").code == 0
    assert len(pd.read_csv("tags.csv")) == 12


def test_existing_sidecars_are_kept_overwritten_or_merged_as_asked(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path
):
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    for n, path in enumerate(sorted((demo / "new").iterdir())[:4]):
        (photos / ("deep" if n else "") / path.name).write_bytes(path.read_bytes())
    first = next(photos.glob("*.jpg")).with_suffix(".txt")
    originals = hashes(photos)
    first.write_text('my own,"a, b"\n')
    predict = ("predict", photos, "--run", finished, "--format", "txt")

    kept = tagger_cli(*predict)
    assert kept.code == 0
    assert "3 photos tagged, 1 left as they were (see --on-existing)" in kept.out
    assert first.read_text() == 'my own,"a, b"\n'
    assert len(list(photos.rglob("*.txt"))) == 4

    assert tagger_cli(*predict, "--on-existing", "merge").code == 0
    merged = next(csv.reader([first.read_text()]))
    assert merged[:2] == ["my own", "a, b"]
    assert tagger_cli(*predict, "--on-existing", "merge").code == 0
    assert next(csv.reader([first.read_text()])) == merged  # once more changes nothing

    assert tagger_cli(*predict, "--on-existing", "overwrite").code == 0
    assert [label for label in first.read_text().strip().split(",") if label] == merged[2:]
    assert {
        path: content
        for path, content in hashes(photos).items()
        if not path.endswith((".txt", "written.jsonl"))
    } == originals


def test_unknown_cells_count_nowhere(demo: Path, tmp_path: Path):
    """A label of which half the cells are unknown is judged on the others only."""
    table = pd.read_csv(demo / "labels.csv", keep_default_na=False)
    wide = pd.DataFrame({"file": table["file"]})
    for name in ("zero", "one", "two"):
        wide[name] = [str(int(name in labels.split("|"))) for labels in table["labels"]]
    wide.loc[::2, "one"] = ""
    wide["file"] = [str(demo / file) for file in wide["file"]]
    wide.to_csv(tmp_path / "labels.csv", index=False)
    run = tagger.train(
        demo, run=tmp_path / "run", labels=tmp_path / "labels.csv", backbone="test_resnet", weights="none",
        overrides=options(data__test=0.3),
    )  # fmt: skip
    cells_NK, names = run.load_cells(), run.load_labels()
    assert (cells_NK[:, names.index("one")] == -1).mean() == pytest.approx(0.5)
    test = run.load_images()["split"] == "test"
    per_label = run.load_metrics()["test"]["per_label"]
    for k, name in enumerate(names):
        assert per_label[name]["positives"] == (cells_NK[test, k] == 1).sum()
    assert not math.isnan(run.load_history()["train_loss"].sum())
