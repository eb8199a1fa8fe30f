"""Alignment by landmarks from the training to every command: each sees the same pixels."""

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import options, train_argv

import tagger
from data_tools.drawn_faces import make_faces
from tagger.arrays import Floats
from tagger.batches import ImageFiles
from tagger.commands.evaluate import evaluate
from tagger.commands.explain import explain_images
from tagger.commands.export import export
from tagger.commands.retrain import retrain
from tagger.commands.serving.predictor import load
from tagger.commands.serving.worker import handle_request
from tagger.data.images.alignment import Alignment, load_aligned
from tagger.data.landmarks.landmark_set import read_landmarks
from tagger.data.landmarks.procrustes import has_shape, mean_shape
from tagger.errors import TaggerError
from tagger.runs import RunFolder

Cli = Callable[..., Any]
Seen = dict[str, set[bytes]]
PACKAGE = Path(__file__).parents[2] / "tagger"
LOST = "0007.png"  # the photo without landmarks


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 drawn faces with landmarks, one of them under a wrong name; to be read only."""
    root = make_faces(tmp_path_factory.mktemp("faces") / "data", 32, size=48)
    text = (root / "landmarks.xml").read_text()
    (root / "landmarks.xml").write_text(text.replace(LOST, "zzzz.png"))
    return root


def train(data: Path, run: Path, **chosen: Any) -> RunFolder:
    settings = options(align__landmarks=data / "landmarks.xml", **{"train__epochs": 1} | chosen)
    return tagger.train(data, run=run, backbone="test_resnet", weights="none", overrides=settings)


@pytest.fixture(scope="module")
def aligned(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run on aligned faces; to be read only."""
    return train(faces, tmp_path_factory.mktemp("aligned") / "run")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """File name -> the pixels that were given to a network of it."""
    found: Seen = {}
    load_item = ImageFiles.__getitem__

    def record(images: ImageFiles, index: int) -> Any:
        item = load_item(images, index)
        if images.aligned is not None:
            found.setdefault(Path(images.files[int(index)]).name, set()).add(item[0].numpy().tobytes())
        return item

    monkeypatch.setattr(ImageFiles, "__getitem__", record)
    return found


def expected_pixels(run: RunFolder, file: str) -> bytes:
    """What a photo should look like, by the run's own files."""
    row = run.load_images()["file"].tolist().index(file)
    mean_P2, _ = run.load_mean_shape()
    points_P2 = run.load_landmarks()[row].astype(np.float64)
    square = load_aligned(Path(run.load_settings().data.path) / file, points_P2, Alignment(mean_P2), 32)
    return square.transpose(2, 0, 1).tobytes()


def test_training_and_every_later_command_see_the_same_pixels(
    faces: Path, aligned: RunFolder, seen: Seen, tmp_path: Path
):
    train(faces, tmp_path / "again", image__cache=0)
    in_training = {name: set(pixels) for name, pixels in seen.items()}
    assert len(in_training) == 32
    assert in_training["0002.png"] == {expected_pixels(aligned, "0002.png")}
    seen.clear()
    predictor = load(aligned)
    predictor.predict_probs(faces, [f"{n:04d}.png" for n in range(32)])
    evaluate(faces, aligned)
    explain_images([faces / "0002.png"], run=aligned, out=tmp_path / "explained")
    handle_request(predictor, {"job": "predict", "paths": [str(faces / "0002.png")]})
    handle_request(predictor, {"job": "heat", "path": str(faces / "0002.png"), "label": "open"})
    export(aligned, tmp_path / "model.ts", format="torchscript")
    assert seen == in_training


def test_only_one_place_in_the_package_opens_pixels_for_a_network():
    calls: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                calls.setdefault(node.func.id, set()).add(path.relative_to(PACKAGE).as_posix())
    assert calls["load_aligned"] == {"batches/dataset.py"}
    # The other compares an edited photo with its former fingerprint, which is of the whole photo.
    assert calls["load_image"] == {"batches/dataset.py", "data/images/edited_likeness.py"}


def test_the_mean_shape_is_that_of_the_training_photos_and_the_split_that_of_a_run_without_alignment(
    faces: Path, aligned: RunFolder, tmp_path: Path
):
    images = aligned.load_images()
    points_NP2 = aligned.load_landmarks()
    training_N = (images["split"] == "train").to_numpy() & has_shape(points_NP2)
    mean_P2, num_photos = aligned.load_mean_shape()
    assert mean_P2 == pytest.approx(mean_shape(points_NP2[training_N]))
    assert num_photos == training_N.sum() < len(images) - 1
    whole = tagger.train(
        faces,
        run=tmp_path / "whole",
        backbone="test_resnet",
        weights="none",
        overrides=options(train__epochs=1),
    )
    assert whole.load_images()["split"].tolist() == images["split"].tolist()
    assert not (whole.path / "landmarks.npy").exists()


def test_photos_without_landmarks_are_listed_and_used_whole_or_left_out(
    faces: Path, tagger_cli: Cli, tmp_path: Path
):
    landmarks = f"align.landmarks={faces / 'landmarks.xml'}"
    end = tagger_cli(*train_argv(faces, tmp_path / "whole", "--set", landmarks, train__epochs=1))
    assert end.code == 0, end.err
    assert "1 photo without landmarks: used whole, unaligned" in end.out
    assert f"{LOST}: no landmarks were given for it" in end.out
    assert f"{LOST},no landmarks were given for it" in (tmp_path / "whole" / "unaligned.csv").read_text()
    end = tagger_cli(
        *train_argv(
            faces, tmp_path / "skip", "--set", landmarks, "--set", "align.missing=skip", train__epochs=1
        )
    )
    assert "1 photo without landmarks: left out" in end.out
    run = RunFolder(tmp_path / "skip")
    assert LOST not in run.load_images()["file"].tolist()
    assert [(p.file, p.reason) for p in run.load_unreadable()] == [
        (LOST, "no landmarks: no landmarks were given for it")
    ]
    end = tagger_cli("predict", faces / LOST, "--run", run.path)
    assert end.code == 2
    assert "no landmarks are known of it (align.missing = skip)" in end.err


def test_an_interrupted_training_goes_on_to_the_same_bytes(
    faces: Path, aligned: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from tagger.commands import train as module

    def stop(*_: object) -> Any:
        raise KeyboardInterrupt

    for name in ("align_pixels", "fit"):  # whole photos were read; aligned ones were, too
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            with pytest.raises(KeyboardInterrupt):
                train(faces, tmp_path / name)
        run = tagger.train(run=tmp_path / name, resume=True)
        assert run.model_path.read_bytes() == aligned.model_path.read_bytes()
        assert np.array_equal(run.load_landmarks(), aligned.load_landmarks(), equal_nan=True)
        assert run.load_mean_shape()[0].tolist() == aligned.load_mean_shape()[0].tolist()


def probs_of(run: RunFolder, root: Path, file: str, **more: Any) -> Floats:
    return load(run, **more).predict_probs(root, [file]).probs_NK


def test_new_photos_find_landmarks_that_are_given_or_lie_where_the_training_had_them(
    faces: Path, aligned: RunFolder, tmp_path: Path, tagger_cli: Cli
):
    new = make_faces(tmp_path / "new", 6, size=48, seed=3)
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(new / "0001.png", bare)
    shutil.copy(faces / "0002.png", bare / "renamed.png")
    found = probs_of(aligned, new, "0001.png")
    assert found == pytest.approx(
        probs_of(aligned, bare, "0001.png", landmarks=new / "landmarks.xml"), abs=1e-6
    )
    assert probs_of(aligned, bare, "renamed.png") == pytest.approx(
        probs_of(aligned, faces, "0002.png"), abs=1e-6
    )
    end = tagger_cli("predict", bare, "--run", aligned.path)
    assert end.code == 0
    assert "1 of 2 photos has no landmarks and is read whole, unaligned: 0001.png." in end.out
    assert "--landmarks FILE" in end.out
    end = tagger_cli(
        "predict", bare, "--run", aligned.path, "--landmarks", new / "landmarks.xml", "--out", "b.csv"
    )
    assert "read whole" not in end.out
    assert "Landmarks of 5 names belong to no photo here: '0000.png', '0002.png'" in end.out


def test_landmarks_that_do_not_suit_a_run_are_refused(
    faces: Path, aligned: RunFolder, finished: Path, tmp_path: Path, tagger_cli: Cli
):
    end = tagger_cli("predict", faces, "--run", finished, "--landmarks", faces / "landmarks.xml")
    assert end.code == 2
    assert "does not align photos" in end.err
    (tmp_path / "few.csv").write_text("file,x0,y0,x1,y1\n0001.png,1,2,30,4\n")
    with pytest.raises(TaggerError, match=r"2 points, and .* was trained with 68"):
        load(aligned, landmarks=tmp_path / "few.csv")


def test_a_retraining_sees_the_pixels_of_its_run(faces: Path, aligned: RunFolder, seen: Seen, tmp_path: Path):
    run = retrain(aligned, out=tmp_path / "retrained")
    assert seen["0002.png"] == {expected_pixels(aligned, "0002.png")}
    assert run.load_mean_shape()[0].tolist() == aligned.load_mean_shape()[0].tolist()
    assert np.array_equal(run.load_landmarks(), aligned.load_landmarks(), equal_nan=True)
    assert [problem.file for problem in run.load_unaligned()] == [LOST]


def test_a_retraining_that_grows_reads_the_landmarks_of_new_photos(faces: Path, seen: Seen, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(faces, data)
    new = make_faces(tmp_path / "new", 3, size=48, seed=4)
    before = train(data, tmp_path / "before")
    entries = (new / "landmarks.xml").read_text().replace('file="0', 'file="new0').split("<images>")[1]
    for n in range(3):
        shutil.copy(new / f"{n:04d}.png", data / f"new{n:04d}.png")
    text = (data / "landmarks.xml").read_text()
    (data / "landmarks.xml").write_text(text.replace("</images>\n</dataset>\n", entries))
    with (data / "labels.csv").open("a") as file:
        file.writelines(f"new{n:04d}.png,\n" for n in range(3))
    seen.clear()
    run = retrain(before, out=tmp_path / "grown", grow=True)
    assert len(run.load_images()) == 35
    assert seen["new0001.png"] == {expected_pixels(run, "new0001.png")}
    assert seen["0002.png"] == {expected_pixels(before, "0002.png")}
    assert [problem.file for problem in run.load_unaligned()] == [LOST]


def test_a_warped_run_trains_and_predicts(faces: Path, seen: Seen, tmp_path: Path):
    run = train(faces, tmp_path / "warped", align__mode="warp", align__points="all")
    trained = set(seen["0002.png"])
    seen.clear()
    probs_of(run, faces, "0002.png")
    assert seen["0002.png"] == trained
    assert trained != {expected_pixels(run, "0002.png")}  # which is of a crop


def test_exported_metadata_say_that_pixels_must_be_aligned(aligned: RunFolder):
    from tagger.commands.exporting.model_files import export_metadata

    found = json.loads(json.dumps(export_metadata(load(aligned))))["preprocessing"]["align"]
    assert "pixels must be aligned" in found["needs"]
    assert found["mode"] == "crop"
    assert np.array(found["template"]) == pytest.approx(
        Alignment(aligned.load_mean_shape()[0]).template(32), abs=1e-3
    )


def test_settings_that_landmarks_cannot_have_stop_before_anything_is_written(faces: Path, tmp_path: Path):
    landmarks = read_landmarks(
        faces / "landmarks.xml", faces, [f"{n:04d}.png" for n in range(32)]
    ).points_NP2[:, :5]
    rows = [
        f"{n:04d}.png," + ",".join(map(str, points.ravel())) for n, points in enumerate(landmarks) if n != 7
    ]
    header = "file," + ",".join(f"x{n},y{n}" for n in range(5))
    (tmp_path / "five.csv").write_text("\n".join([header, *rows]))
    overrides = options(align__landmarks=tmp_path / "five.csv", align__mode="warp")
    with pytest.raises(
        TaggerError, match=r"align\.points = coarse is known for faces of 68, 468, 478 points"
    ):
        tagger.train(faces, run=tmp_path / "run", backbone="test_resnet", weights="none", overrides=overrides)
    assert not (tmp_path / "run").exists()
