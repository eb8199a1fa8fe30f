"""``tagger explain``: pictures and numbers of files and folders, one run or two; unreadable photos; errors in words."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from untrained import make_run

import tagger
from tagger.commands.explain import heat_difference_sentence
from tagger.commands.serving.heat_maps import network_pixels, photo_heat_map, to_input
from tagger.commands.steps.explained_photos import panels_of
from tagger.commands.steps.input_photos import find_photos
from tagger.errors import TaggerError
from tagger.explain import MeanMaps
from tagger.runs import RunFolder


@pytest.fixture
def photos(demo: Path) -> list[Path]:
    """Three of the drawn photos."""
    return sorted((demo / "images").iterdir())[:3]


def test_each_photo_gets_a_picture_and_the_table_has_its_numbers(
    photos: list[Path], finished: Path, tmp_path: Path
):
    table = tagger.explain_images(photos, run=finished, out=tmp_path / "out")
    assert list(table.columns) == ["file", "run", "label", "prob", "chosen", "outside", "picture"]
    assert set(table["file"]) == set(map(str, photos))
    for path in table["picture"]:
        with Image.open(path) as picture:
            assert min(picture.size) > 300
    predicted = tagger.load(finished).predict(photos)
    for file, part in table.groupby("file"):
        row = predicted[predicted["file"] == file].iloc[0]
        assert set(part["label"][part["chosen"]]) == set(filter(None, row["labels"].split("|")))
        np.testing.assert_allclose(part["prob"], [row[label] for label in part["label"]], atol=1e-5)
        assert part["chosen"].all() or len(part) == 1  # nothing chosen: the most probable one
    kept = pd.read_csv(tmp_path / "out" / "grad_cam.csv")
    np.testing.assert_allclose(kept["outside"], table["outside"], atol=1e-6)


def test_two_runs_are_asked_for_the_same_labels(photos: list[Path], finished: Path, tmp_path: Path):
    twin = RunFolder(shutil.copytree(finished, tmp_path / "twin"))
    table = tagger.explain_images(
        photos[:1], run=finished, against=twin, labels=["two", "one", "two"], out=tmp_path
    )
    assert table["label"].tolist() == ["two", "one"] * 2
    np.testing.assert_array_equal(table["outside"][:2], table["outside"][2:])


def test_the_command_goes_through_folders_and_lists_what_cannot_be_read(
    photos: list[Path], finished: Path, tmp_path: Path, tagger_cli: Callable[..., Any]
):
    folder = tmp_path / "holiday"
    (folder / "sea").mkdir(parents=True)
    for number, path in enumerate(photos):
        (folder / ("sea" if number else ".") / f"{number}{path.suffix}").write_bytes(path.read_bytes())
    (folder / "bad.jpg").write_bytes(b"nothing")
    end = tagger_cli(
        "explain", folder, photos[0], "--run", finished, "--method", "saliency", "--out", folder / "out"
    )
    assert end.code == 3, end.err
    assert "bad.jpg: not an image" in end.out
    assert "Figures of 4 photos" in end.out
    names = {path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*.png")}
    assert names == {
        "0.saliency.png",
        "sea/1.saliency.png",
        "sea/2.saliency.png",
        f"{photos[0].stem}.saliency.png",
    }
    again = find_photos([folder], out=folder / "out", suffix=".x.png")
    assert [photo.name for photo in again] == ["0.x.png", "bad.x.png", "sea/1.x.png", "sea/2.x.png"]


def test_two_runs_are_compared_on_screen(
    photos: list[Path], finished: Path, tmp_path: Path, tagger_cli: Callable[..., Any]
):
    twin = Path(shutil.copytree(finished, tmp_path / finished.name))
    ask = ["explain", *photos, "--run", finished, "--method", "saliency", "--label", "one", "--label", "two"]
    end = tagger_cli(*ask, "--against", twin)
    assert end.code == 0, end.err
    assert "difference +0.000 (+0.000 to +0.000 over 3 photos)" in end.out
    assert str(twin) in end.out  # both folders have the same name
    assert "cannot be compared with itself" in tagger_cli(*ask, "--against", finished).err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["absent.jpg", "gone"], "No such file or folder: absent.jpg, gone."),
        (["PHOTO", "--label", "onee"], "has no label 'onee'. Did you mean 'one'?"),
        (["PHOTO", "--method", "gradcam"], "Unknown explanation 'gradcam'. Did you mean 'grad_cam'?"),
        (["PHOTO", "--method", "attention"], "has no attention heads: attention.depth was 0"),
        (["PHOTO", "--method", "attention", "--label", "one"], "the same places for every label"),
        (["EMPTY"], "there are no photos in it"),
        (["PHOTO", "--against", "nowhere"], "nowhere: no such run"),
    ],
)
def test_mistakes_are_named_in_one_line(
    photos: list[Path],
    finished: Path,
    tmp_path: Path,
    tagger_cli: Callable[..., Any],
    arguments: list[str],
    complaint: str,
):
    (tmp_path / "empty").mkdir()
    names = {"PHOTO": str(photos[0]), "EMPTY": str(tmp_path / "empty")}
    end = tagger_cli("explain", *(names.get(word, word) for word in arguments), "--run", finished)
    assert end.code == 2
    assert complaint in end.err
    assert not (Path.cwd() / "explained").exists()


def test_the_difference_is_over_photos_and_only_where_both_have_heat():
    nothing = float("nan")
    shares = {"a": (0.5, 0.7, nothing), "b": (0.4, 0.4, 0.9)}
    rows = [
        (f"{n // 2}.jpg", "xy"[n % 2], run, share) for run, of in shares.items() for n, share in enumerate(of)
    ]
    table = pd.DataFrame(rows, columns=["file", "label", "run", "outside"])
    assert "a 0.600, b 0.400: difference +0.200 (+0.200 to +0.200 over 1 photo)" in heat_difference_sentence(
        table, "a", "b"
    )
    assert "cannot be compared" in heat_difference_sentence(table[table["run"] == "a"], "a", "b")


@pytest.mark.parametrize("method", ["grad_cam", "cam", "saliency"])
def test_the_map_covers_the_photo_whatever_its_shape(finished: Path, tmp_path: Path, method: str):
    model = tagger.load(finished)
    path = tmp_path / "wide.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 90, 3), dtype=np.uint8)).save(path)
    settings = model.settings
    for fit in ("squash", "crop", "pad"):
        model.settings = settings.model_copy(update={"image": settings.image.model_copy(update={"fit": fit})})
        heat_HW = photo_heat_map(model, path, model.labels[0], method=method)
        assert heat_HW.min() >= 0
        assert heat_HW.max() <= 1
        assert (heat_HW.shape[1] > 2 * heat_HW.shape[0]) == (fit == "pad")
    with pytest.raises(TaggerError, match="no such file"):
        photo_heat_map(model, tmp_path / "absent.png", model.labels[0])


@pytest.fixture
def attentive(tmp_path: Path) -> RunFolder:
    """A run whose two modules have three heads each; its weights are drawn."""
    return make_run(tmp_path, "attention.depth=2", "attention.num_heads=3", "train.epochs=1")


def test_every_attention_head_gets_its_map_and_its_share(attentive: RunFolder, tmp_path: Path):
    photos = sorted((tmp_path / "photos").iterdir())
    table = tagger.explain_images(
        photos, run=attentive, method="attention", out=tmp_path / "out", average=True
    )
    heads = [f"map {module}, head {head}" for module in (1, 2) for head in (1, 2, 3)]
    assert table["label"].tolist() == heads * 3
    assert (table.groupby("file")["prob"].sum() < 1).all()  # the base path has the rest
    with Image.open(table["picture"][0]) as picture:
        assert picture.width > 4 * 200
    with Image.open(table.attrs["average"]) as picture:
        assert picture.width > 4 * 200


def test_runs_with_other_heads_do_not_stand_side_by_side(attentive: RunFolder, tmp_path: Path):
    (tmp_path / "other").mkdir()
    other = make_run(tmp_path / "other", "attention.depth=1", "attention.num_heads=2", "train.epochs=1")
    with pytest.raises(TaggerError, match=r"run has 6 heads and .*run 2, on other maps"):
        tagger.explain_images(
            tmp_path / "photos" / "0.png",
            run=attentive,
            against=other,
            method="attention",
            out=tmp_path / "out",
        )


def test_saliency_is_averaged_over_a_set(
    finished: Path, photos: list[Path], tmp_path: Path, tagger_cli: Callable[..., Any]
):
    end = tagger_cli(
        "explain",
        *photos,
        "--run",
        finished,
        "--method",
        "saliency",
        "--label",
        "one",
        "--average",
        "--out",
        tmp_path / "out",
    )
    assert end.code == 0, end.err
    figure = tmp_path / "out" / "average-of-photos.saliency.png"
    assert figure.name in end.out
    with Image.open(figure) as picture:
        assert picture.width > 300
    predictor, mean = tagger.load(finished), MeanMaps()
    total_HW = 0.0
    for path in photos:
        panels_of(
            predictor,
            path,
            np.zeros(len(predictor.labels)),
            ["one"],
            method="saliency",
            shape=(40, 40),
            mean=mean,
        )
        image_BCHW = to_input(predictor, network_pixels(predictor, path)).requires_grad_()
        predictor.model.raw_scores(image_BCHW)[0, predictor.labels.index("one")].backward()
        total_HW = total_HW + image_BCHW.grad[0].abs().max(dim=0).values.numpy()
    np.testing.assert_allclose(mean.of("one"), total_HW / len(photos), rtol=1e-4, atol=1e-7)
