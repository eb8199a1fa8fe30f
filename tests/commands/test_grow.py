"""``retrain`` says that photos and labels have changed; ``--grow`` learns them and keeps the split."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from moments import empty_store
from noise_photos import refused
from PIL import Image
from safetensors.torch import load_file
from small import options

import tagger
from tagger.commands.retrain import retrain
from tagger.review import Decision, LabelOperation, Store
from tagger.runs import RunFolder

Cli = Callable[..., Any]
WAYS: dict[str, dict[str, Any]] = {
    "heads": {"head_stage__enabled": True, "train__epochs": 0},
    "members": {"head_stage__enabled": True, "train__fold_models": 2, "data__folds": 2, "train__epochs": 1},
}
KEPT = (
    "model.safetensors",
    "thresholds.json",
    "oof.npz",
    "labels.parquet",
    "images.parquet",
    "judged.parquet",
)


@pytest.fixture(scope="module", params=list(WAYS))
def pair(
    request: pytest.FixtureRequest, demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A data folder and a finished run of it; to be read only."""
    return trained(demo, tmp_path_factory.mktemp(request.param), **WAYS[request.param])


@pytest.fixture(scope="module")
def heads_pair(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same of heads alone."""
    return trained(demo, tmp_path_factory.mktemp("heads-only"), **WAYS["heads"])


def trained(demo: Path, folder: Path, **way: Any) -> tuple[Path, Path]:
    """(data folder, finished run)."""
    data = copytree(demo, folder / "data")
    tagger.train(data, run=folder / "run", backbone="test_resnet", weights="none", overrides=options(**way))
    return data, folder / "run"


@pytest.fixture
def mine(heads_pair: tuple[Path, Path], tmp_path: Path) -> tuple[Path, RunFolder]:
    """A data folder of one's own, and a run of it."""
    data, run = copytree(heads_pair[0], tmp_path / "data"), copytree(heads_pair[1], tmp_path / "run")
    settings = RunFolder(run).load_settings()
    moved = settings.data.model_copy(update={"path": str(data)})
    RunFolder(run).save_settings(settings.model_copy(update={"data": moved}))
    return data, RunFolder(run)


def rewrite(data: Path, change: Callable[[dict[str, list[str]]], None]) -> None:
    """Change the table: file -> labels."""
    table = pd.read_csv(data / "labels.csv", keep_default_na=False)
    rows = {
        file: text.split("|") if text else []
        for file, text in zip(table["file"], table["labels"], strict=True)
    }
    change(rows)
    pd.DataFrame({"file": list(rows), "labels": ["|".join(labels) for labels in rows.values()]}).to_csv(
        data / "labels.csv", index=False
    )


def grown_table(data: Path, rows: dict[str, list[str]], old: RunFolder) -> None:
    """12 new photos, half of them with a new label; a copy of a test photo; one photo gone; one label changed."""
    for number, path in enumerate(sorted((data / "new").iterdir())):
        rows[f"new/{path.name}"] = ["fresh", "one"] if number % 2 else ["zero"]
    images = old.load_images()
    test = images.loc[images["split"] == "test", "file"].tolist()
    Image.open(data / test[0]).convert("RGB").save(data / "images" / "copy.png", compress_level=1)
    rows["images/copy.png"] = rows[test[0]]
    del rows[images.loc[images["split"] == "train", "file"].tolist()[0]]
    rows[test[1]] = [*rows[test[1]], "nine"] if "nine" not in rows[test[1]] else []


def parts_of(run: RunFolder) -> dict[str, tuple[str, int]]:
    """File -> (split, fold)."""
    images = run.load_images()
    return {row.file: (row.split, row.fold) for row in images.itertuples()}


def test_a_run_grows_in_each_way_of_training(pair: tuple[Path, Path], tmp_path: Path, tagger_cli: Cli):
    data, path = copytree(pair[0], tmp_path / "data"), pair[1]
    old, url = RunFolder(path), empty_store(tmp_path / "review.db")
    rewrite(data, lambda rows: grown_table(data, rows, old))
    new_path = tmp_path / "new"
    plain = tagger_cli("retrain", "--run", path, "--data", data, "--store", url, "--out", tmp_path / "plain")
    assert plain.code == 0, plain.err
    told = "13 new photos, 1 removed photo, 1 label new ('fresh')"
    assert told in plain.out
    assert "tagger retrain --grow" in plain.out
    assert parts_of(RunFolder(tmp_path / "plain")) == parts_of(old)
    done = tagger_cli("retrain", "--run", path, "--data", data, "--store", url, "--out", new_path, "--grow")
    assert done.code == 0, done.err
    assert told in done.out
    new = RunFolder(new_path)
    before, after = parts_of(old), parts_of(new)
    assert len(after) == 92
    assert {file: part for file, part in after.items() if file in before} == {
        file: part for file, part in before.items() if file in after
    }
    assert after["images/copy.png"] == ("test", -1)  # as the photo that it is a copy of
    assert "fresh" in new.load_labels()
    assert set(new.load_labels()) - {"fresh"} == set(old.load_labels())
    metrics = new.load_metrics()
    assert metrics["grown"]["new_photos"] == 13
    assert metrics["grown"]["changed_cells"] > 0
    num_test = (old.load_images()["split"] == "test").sum()
    assert metrics["comparison"]["num_images"] <= num_test  # the new test photos are not compared
    assert "new photos" in new.card_path.read_text("utf-8")
    assert len(new.load_oof()[0]) == len(new.load_embeddings()) == len(new.load_views()[0]) == 92
    again = retrain(new, out=tmp_path / "again", store=url)  # a grown run can be retrained
    assert parts_of(again) == after
    assert len(tagger.load(new_path).predict(data / "new")) == 12


def test_networks_go_on_from_those_of_the_run(pair: tuple[Path, Path], tmp_path: Path):
    data, old = copytree(pair[0], tmp_path / "data"), RunFolder(pair[1])
    rewrite(data, lambda rows: grown_table(data, rows, old))
    new = retrain(old, out=tmp_path / "new", data=data, store=empty_store(tmp_path / "x.db"), grow=True)
    for path in old.fold_models_path.glob("*.safetensors"):
        before, after = load_file(path), load_file(new.fold_models_path / path.name)
        columns = [new.load_labels().index(name) for name in old.load_labels()]
        assert after["head.fc.weight"].shape[0] == len(columns) + 1
        moved = (after["head.fc.weight"][columns] - before["head.fc.weight"]).abs().max().item()
        assert 0 < moved < 0.1


def test_with_nothing_new_it_is_a_retraining(pair: tuple[Path, Path], tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'review.db'}"
    Store.open(url).close()
    runs = [retrain(pair[1], out=tmp_path / str(grow), store=url, grow=grow) for grow in (False, True)]
    for name in ("model.safetensors", "thresholds.json", "oof.npz", "labels.parquet", "judged.parquet"):
        assert (runs[0].path / name).read_bytes() == (runs[1].path / name).read_bytes(), name
    assert "Photos and labels are as they were" in runs[1].log_path.read_text("utf-8")
    assert "Changed since" not in runs[0].log_path.read_text("utf-8")


def test_features_of_known_photos_stay_and_those_of_new_ones_are_right(
    mine: tuple[Path, RunFolder], tmp_path: Path
):
    data, old = mine
    rewrite(data, lambda rows: grown_table(data, rows, old))
    new = retrain(old, out=tmp_path / "new", grow=True)
    whole = tagger.train(
        data,
        run=tmp_path / "whole",
        backbone="test_resnet",
        weights="none",
        overrides=options(**WAYS["heads"]),
    )
    files = new.load_images()["file"].tolist()
    assert files == whole.load_images()["file"].tolist()
    np.testing.assert_allclose(new.load_views(), whole.load_views(), atol=2e-3)
    row_of = {file: row for row, file in enumerate(old.load_images()["file"])}
    known = [n for n, file in enumerate(files) if file in row_of]
    np.testing.assert_array_equal(
        new.load_views()[:, known], old.load_views()[:, [row_of[files[n]] for n in known]]
    )
    np.testing.assert_array_equal(new.load_cells(), whole.load_cells())


@pytest.mark.parametrize("moment", ["tagger.commands.retrain.scan_grown", "tagger.commands.retrain.fit"])
def test_a_stopped_growing_goes_on_with_what_it_began_with(
    moment: str, mine: tuple[Path, RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data, old = mine
    rewrite(data, lambda rows: grown_table(data, rows, old))
    whole = retrain(old, out=tmp_path / "whole", grow=True)

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, stop)
    with pytest.raises(KeyboardInterrupt):
        retrain(old, out=tmp_path / "broken", grow=True)
    monkeypatch.undo()
    rewrite(data, lambda rows: rows.clear() or rows.update({"images/00000.png": ["other"]}))
    broken = retrain(out=tmp_path / "broken", resume=True)
    for name in KEPT:
        assert (broken.path / name).read_bytes() == (whole.path / name).read_bytes(), name


def decide(old: RunFolder, label: str, row: int, verdict: str) -> None:
    """A person's decision in the store of the data folder."""
    store = Store.open(f"sqlite:///{old.load_settings().data.path}/.tagger/review.db")
    store.record(
        [Decision(hash=old.load_images()["hash"][row], label=label, verdict=verdict, before=0, suggested=None,
                  doubt=None, run="run", reviewer="ann", seconds=1.0, client="test", seq=row)]
    )  # fmt: skip
    store.close()


def rename_two(rows: dict[str, list[str]]) -> None:
    """The label "two" is called "pair"."""
    for labels in rows.values():
        labels[:] = ["pair" if name == "two" else name for name in labels]


def test_a_renamed_label_is_asked_about_and_keeps_its_decisions(
    mine: tuple[Path, RunFolder], tmp_path: Path, tagger_cli: Cli
):
    data, old = mine
    (data / ".tagger").mkdir(exist_ok=True)
    column = old.load_labels().index("two")
    row = int(np.flatnonzero(old.load_cells()[:, column] == 0)[0])
    decide(old, "two", row, "yes")
    rewrite(data, rename_two)
    argv = ("retrain", "--run", old.path, "--out", tmp_path / "new", "--grow")
    refused(tagger_cli(*argv), "'two' may be called 'pair' now", "--renamed two=pair", "--renamed two=")
    assert not (tmp_path / "new").exists()
    done = tagger_cli(*argv, "--renamed", "two=pair")
    assert done.code == 0, done.err
    assert "1 label checked, 1 changed" in done.out
    new = RunFolder(tmp_path / "new")
    assert new.load_labels() == tuple(sorted({*old.load_labels(), "pair"} - {"two"}))
    assert new.load_cells()[row, new.load_labels().index("pair")] == 1
    assert new.load_metrics()["grown"] == {
        "new_photos": 0, "removed_photos": 0, "new_labels": [], "labels_gone": [], "changed_cells": 0,
    }  # fmt: skip
    repeated = tagger_cli(*argv[:4], tmp_path / "again", "--grow", "--renamed", "two=pair")  # it is recorded
    assert repeated.code == 0, repeated.err
    store = Store.open(f"sqlite:///{data}/.tagger/review.db")
    assert [(one.kind, one.label, one.target) for one in store.operations()] == [("rename", "two", "pair")]
    store.close()


def test_a_label_that_is_gone_is_said_and_so_are_its_decisions(
    mine: tuple[Path, RunFolder], tmp_path: Path, tagger_cli: Cli
):
    data, old = mine
    (data / ".tagger").mkdir(exist_ok=True)
    decide(old, "two", 0, "yes")
    rewrite(data, rename_two)
    done = tagger_cli("retrain", "--run", old.path, "--out", tmp_path / "new", "--grow", "--renamed", "two=")
    assert done.code == 0, done.err
    assert "1 label new ('pair'), 1 label gone ('two')" in done.out
    assert "Not applied: 1 decision" in done.out
    assert "two" not in RunFolder(tmp_path / "new").load_labels()


def test_a_label_renamed_in_the_app_and_in_the_table_is_one(mine: tuple[Path, RunFolder], tmp_path: Path):
    data, old = mine
    (data / ".tagger").mkdir(exist_ok=True)
    store = Store.open(f"sqlite:///{data}/.tagger/review.db")
    store.record_operation(
        LabelOperation(kind="rename", label="two", target="pair", reviewer="ann", client="x", seq=0)
    )
    store.close()
    for number, change in enumerate([lambda rows: None, rename_two]):
        rewrite(data, change)
        new = retrain(old, out=tmp_path / str(number), grow=True)
        assert new.load_metrics()["grown"]["changed_cells"] == 0
        assert "pair" in new.load_labels()


@pytest.mark.parametrize(
    ("text", "said"),
    [("tow=pair", "Did you mean 'two'?"), ("two=pairs", "Did you mean 'pair'?"), ("two", "write OLD=NEW")],
)
def test_a_wrong_rename_is_refused(
    text: str, said: str, mine: tuple[Path, RunFolder], tmp_path: Path, tagger_cli: Cli
):
    data, old = mine
    rewrite(data, rename_two)
    argv = ("retrain", "--run", old.path, "--out", tmp_path / "new", "--renamed", text)
    refused(tagger_cli(*argv, "--grow"), f"--renamed {text}", said)
    refused(tagger_cli(*argv), "--renamed", "Add --grow")


def test_a_table_written_by_apply_is_no_change(mine: tuple[Path, RunFolder], tmp_path: Path, tagger_cli: Cli):
    data, old = mine
    (data / ".tagger").mkdir(exist_ok=True)
    column = old.load_labels().index("two")
    row = int(np.flatnonzero(old.load_cells()[:, column] == 0)[0])
    decide(old, "two", row, "yes")
    assert tagger_cli("apply", "--run", old.path, "--out", "corrected.csv").code == 0
    (data / "labels.csv").write_bytes(Path("corrected.csv").read_bytes())
    done = tagger_cli("retrain", "--run", old.path, "--out", tmp_path / "new")
    assert "1 label value in the table is as decided in the review" in done.out
    assert "Changed since" not in done.out


def test_labels_that_cannot_be_read_any_more_are_said(
    mine: tuple[Path, RunFolder], tmp_path: Path, tagger_cli: Cli
):
    data, old = mine
    (data / "labels.csv").write_text("nonsense", "utf-8")
    argv = ("retrain", "--run", old.path, "--out", tmp_path / "new")
    refused(tagger_cli(*argv, "--grow"), "labels.csv")
    done = tagger_cli(*argv)
    assert done.code == 0
    assert "is not known: labels.csv" in done.out


def test_photos_that_are_all_others_are_no_growth(
    mine: tuple[Path, RunFolder], tmp_path: Path, tagger_cli: Cli
):
    data, old = mine
    rewrite(
        data,
        lambda rows: (
            rows.clear() or rows.update({f"new/{p.name}": ["one"] for p in (data / "new").iterdir()})
        ),
    )
    end = tagger_cli("retrain", "--run", old.path, "--out", tmp_path / "new", "--grow")
    refused(end, "none of the photos of", "--from")
    assert not (tmp_path / "new").exists()
