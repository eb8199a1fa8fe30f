"""Files that are removed, replaced or added while a command works: named, and no label passes to another image."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from moments import decided_store
from PIL import Image
from small import options, train_argv

import tagger
from tagger.commands.serving.predictor import Predictor
from tagger.data.images.hashes import hash_file
from tagger.runs import RunFolder

Cli = Callable[..., Any]
ONE_EPOCH = {"train__epochs": 1}


FITS = "tagger.commands.steps.training_steps.train_model"


@pytest.fixture
def photos(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demo's photos, to be changed."""
    return shutil.copytree(demo, tmp_path / "photos")


def files_of(photos: Path) -> list[str]:
    """The labelled ones, in their order."""
    return sorted(pd.read_csv(photos / "labels.csv")["file"])


def replace(path: Path) -> None:
    """Put another image there: noise."""
    pixels = np.random.default_rng(7).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def before(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[], None]) -> None:
    """Let ``change`` happen just before the function ``name`` is called for the first time."""
    module, _, function = name.rpartition(".")
    call, done = getattr(__import__(module, fromlist=[function]), function), []

    def changed(*args: Any, **kwargs: Any) -> Any:
        if not done:
            done.append(True)
            change()
        return call(*args, **kwargs)

    monkeypatch.setattr(name, changed)


def test_images_that_change_before_their_pixels_are_read_are_left_out(
    tagger_cli: Cli, photos: Path, monkeypatch: pytest.MonkeyPatch
):
    gone, other, *_ = files_of(photos)
    before(monkeypatch, "tagger.commands.train._decode", lambda: changes(photos, gone, other))
    end = tagger_cli(*train_argv(photos, Path("run"), **ONE_EPOCH))
    assert end.code == 3, end
    assert "2 photos could not be read and are left out" in end.out
    run = RunFolder("run")
    reasons = {problem.file: problem.reason for problem in run.load_unreadable()}
    assert reasons == {
        gone: "the file has vanished while it was being read: left out",
        other: "replaced by another image while it was being read: left out",
    }
    images = run.load_images()
    assert not set(images["file"]) & {gone, other}
    assert hash_file(photos / other)[0] not in set(images["hash"])
    assert len(images) == len(run.load_cells()) == 78


def changes(photos: Path, gone: str, other: str) -> None:
    """One removed, one replaced, one added."""
    (photos / gone).unlink()
    replace(photos / other)
    replace(photos / "images" / "added.jpg")


def test_images_that_change_later_are_named_and_change_nothing(
    tagger_cli: Cli, demo: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
):
    assert tagger_cli(*train_argv(demo, Path("whole"), **ONE_EPOCH)).code == 0
    gone, other, *_ = files_of(photos)
    before(monkeypatch, FITS, lambda: changes(photos, gone, other))
    end = tagger_cli(*train_argv(photos, Path("run"), **ONE_EPOCH))
    assert end.code == 0, end
    assert f"  {gone}: the file has vanished\n  {other}: replaced by another image\n" in end.out
    assert Path("run/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    pd.testing.assert_frame_equal(RunFolder("run").load_images(), RunFolder("whole").load_images())
    beginning = "2 photos changed on disk during the training."
    (note,) = [one for one in RunFolder("run").load_metrics()["notes"] if one.startswith(beginning)]
    assert end.out.count(note) == 1


def test_where_pixels_are_read_again_each_epoch_a_training_stops_and_goes_on(
    tagger_cli: Cli, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    way = {"image__cache": 0, "train__epochs": 2}
    assert tagger_cli(*train_argv(photos, Path("whole"), **way)).code == 0
    train = RunFolder("whole").load_images().query("split == 'train'")["file"].tolist()
    away = tmp_path / "away.jpg"
    before(
        monkeypatch,
        "tagger.commands.steps.training_steps.train_model",
        lambda: (photos / train[0]).rename(away) and None,
    )
    end = tagger_cli(*train_argv(photos, Path("run"), **way))
    assert (end.code, end.err.count("\n")) == (2, 1), end
    assert (
        f"Images can no longer be read: {train[0]} (no such file). Put them back and go on with --resume"
        in end.err
    )
    away.rename(photos / train[0])
    end = tagger_cli("train", "--resume", "--run", "run")
    assert end.code == 0, end
    for name in ("model.safetensors", "oof.npz", "history.csv"):
        assert (Path("run") / name).read_bytes() == (Path("whole") / name).read_bytes(), name


def test_a_retraining_does_not_give_an_old_label_to_a_new_image(
    tagger_cli: Cli, photos: Path, tmp_path: Path
):
    run = tagger.train(
        photos, run="old", backbone="test_resnet", weights="none", overrides=options(**ONE_EPOCH)
    )
    url = decided_store(run, tmp_path / "review.db")
    gone, other, *_ = files_of(photos)
    changes(photos, gone, other)
    end = tagger_cli("retrain", "--run", "old", "--store", url, "--out", "new")
    assert end.code == 0, end
    assert f"  {gone}: no such file\n  {other}: replaced by another image: left out\n" in end.out
    images = RunFolder("new").load_images()
    assert len(images) == 78
    assert hash_file(photos / other)[0] not in set(images["hash"])


def test_photos_that_vanish_while_they_are_tagged_are_named(
    tagger_cli: Cli, photos: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
):
    first = sorted(path.name for path in (photos / "new").iterdir())[0]
    before(monkeypatch, "tagger.commands.predict.predict_table", lambda: (photos / "new" / first).unlink())
    end = tagger_cli("predict", photos / "new", "--run", finished, "--out", "tags.csv")
    assert end.code == 3
    assert f"{first}: no such file" in end.out
    assert len(pd.read_csv("tags.csv")) == 12  # with an empty row for it, as for each that cannot be read


def test_a_prediction_goes_on_only_over_the_same_photos(
    tagger_cli: Cli, photos: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tagger.commands.steps.predict_table.CHUNK", 5)
    argv = ("predict", photos / "new", "--run", finished, "--out", "tags.csv")

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tagger.commands.steps.predict_table.save_unreadable", stop)
        assert tagger_cli(*argv).code == 130
    replace(photos / "new" / "00000.jpg")  # comes first
    end = tagger_cli(*argv, "--resume")
    assert end.code == 2
    assert "its photos have changed since tags.csv was begun. Start again without --resume." in end.err
    assert not Path("tags.csv").exists()
    assert tagger_cli(*argv).code == 0


def test_photos_that_were_changed_before_a_prediction_goes_on_are_tagged_again(
    tagger_cli: Cli, photos: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tagger.commands.steps.predict_table.CHUNK", 5)
    argv = ("predict", photos / "new", "--run", finished, "--out")
    with monkeypatch.context() as patch:
        patch.setattr(
            "tagger.commands.steps.predict_table.save_unreadable",
            lambda *args: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        assert tagger_cli(*argv, "tags.csv").code == 130
    names = sorted(path.name for path in (photos / "new").iterdir())
    replace(photos / "new" / names[6])  # in the second part of three
    tags: list[list[str]] = []
    monkeypatch.setattr(Predictor, "predict_probs", _noting(Predictor.predict_probs, tags))
    end = tagger_cli(*argv, "tags.csv", "--resume")
    assert end.code == 0, end
    assert (
        f"Some photos from {names[5]} to {names[9]} were changed meanwhile: tagged again."
        in end.out + end.err
    )
    assert [files for files in tags if files] == [names[5:10]]
    assert tagger_cli(*argv, "anew.csv").code == 0
    assert Path("tags.csv").read_bytes() == Path("anew.csv").read_bytes()


def _noting(predict_probs: Callable[..., Any], tags: list[list[str]]) -> Callable[..., Any]:
    """The same method, with the files that it is called for."""

    def noted(self: Predictor, root: Path, files: list[str], **kwargs: Any) -> Any:
        tags.append(list(files))
        return predict_probs(self, root, files, **kwargs)

    return noted
