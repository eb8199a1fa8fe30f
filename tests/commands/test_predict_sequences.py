"""Prediction in order: frames see those before them, whatever is asked for together, and a killed call resumes."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from moving_bars import NUM_FRAMES, OPTIONS, draw_clips
from PIL import Image
from small import train_argv
from typer.testing import CliRunner

import tagger
from tagger.cli import app
from tagger.commands.steps import predict_table
from tagger.errors import TaggerError
from tagger.runs import RunFolder

NEW_CLIPS = 6


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunFolder]:
    """New clips, and a run on others."""
    folder = tmp_path_factory.mktemp("moving")
    photos = draw_clips(folder / "photos")
    result = CliRunner().invoke(app, train_argv(photos, folder / "run", **OPTIONS))
    assert result.exit_code == 0, result.output
    return draw_clips(folder / "new", clips=NEW_CLIPS, seed=9), RunFolder(folder / "run")


def test_frames_are_judged_with_those_before_them(trained):
    new, run = trained
    table = tagger.load(run).predict(new)
    assert table["file"].tolist() == sorted(table["file"])
    late = table[table["file"].str.contains("_[3-7]")]
    clip = late["file"].str[4:6].astype(int)
    right = (late["right"] > late["left"]) == (clip % 2 == 1)
    assert right.mean() > 0.7


def test_reversed_frames_are_judged_the_other_way_round(trained, tmp_path):
    new, run = trained
    for path in new.glob("*.png"):
        clip, frame = path.stem.split("_")
        (tmp_path / f"{clip}_{NUM_FRAMES - 1 - int(frame)}.png").write_bytes(path.read_bytes())
    table = tagger.load(run).predict(tmp_path)
    late = table[table["file"].str.contains("_[3-7]")]
    assert ((late["right"] > late["left"]) == (late["file"].str[4:6].astype(int) % 2 == 0)).mean() > 0.7


def test_what_a_frame_gets_does_not_depend_on_what_is_asked_for_with_it(trained):
    new, run = trained
    predictor = tagger.load(run)
    files = list(predictor.follow(new, sorted(path.name for path in new.glob("*.png"))))
    together = predictor.predict_probs(new, files).probs_NK
    rows = np.random.default_rng(0).permutation(len(files))[:11]
    some = predictor.predict_probs(new, [files[row] for row in rows]).probs_NK
    np.testing.assert_allclose(some, together[rows], atol=1e-5)
    alone = tagger.load(run).predict_probs(new, files).probs_NK
    first = [n for n, file in enumerate(files) if file.endswith("_0.png")]
    np.testing.assert_allclose(alone[first], together[first], atol=1e-5)
    assert np.abs(alone - together).max() > 0.1


def test_the_test_split_gets_what_the_training_gave_it(trained):
    _, run = trained
    photos = Path(run.load_settings().data.path)
    predictor = tagger.load(run)
    files = run.load_images()["file"].tolist()
    predictor.follow(photos, files)
    probs_NK = predictor.predict_probs(photos, files).probs_NK
    test = (run.load_images()["split"] == "test").to_numpy()
    np.testing.assert_allclose(probs_NK[test], run.load_oof()[0][test], atol=5e-3)


def test_an_unreadable_frame_is_missing_from_the_windows_after_it(trained, tmp_path):
    new, run = trained
    for path in new.glob("clip00_*.png"):
        (tmp_path / path.name).write_bytes(b"no photo" if path.stem.endswith("_3") else path.read_bytes())
    table = tagger.load(run).predict(tmp_path)
    assert list(table.attrs["unreadable"]) == ["clip00_3.png"]
    assert table[["left", "right"]].isna().all(axis=1).sum() == 1


def test_an_interrupted_prediction_goes_on_to_the_same_bytes(trained, tmp_path, monkeypatch):
    new, run = trained
    monkeypatch.setattr(predict_table, "CHUNK", 10)  # chunks end within sequences of 8
    words = ["predict", str(new), "--run", str(run.path), "--out"]
    whole, halted = tmp_path / "whole.csv", tmp_path / "halted.csv"
    assert CliRunner().invoke(app, [*words, str(whole)]).exit_code == 0
    write, done = predict_table._write_batch, []

    def stop(*args):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return write(*args)

    monkeypatch.setattr(predict_table, "_write_batch", stop)
    assert CliRunner().invoke(app, [*words, str(halted)]).exit_code != 0
    monkeypatch.setattr(predict_table, "_write_batch", write)
    assert not halted.exists()
    assert CliRunner().invoke(app, [*words, str(halted), "--resume"]).exit_code == 0
    assert halted.read_bytes() == whole.read_bytes()


def test_a_frame_that_changed_has_those_after_it_tagged_again(trained, tmp_path, monkeypatch):
    new, run = trained
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in new.glob("*.png"):
        (photos / path.name).write_bytes(path.read_bytes())
    predictor = tagger.load(run)
    files = list(predictor.follow(photos, sorted(path.name for path in photos.glob("*.png"))))
    assert predictor.read_for(files[9:11]) == files[8:11]
    assert predictor.read_for(files[6:7]) == files[3:7]


def test_a_column_that_no_table_has_is_said_before_anything_is_written(trained, tmp_path):
    photos = draw_clips(tmp_path / "photos", clips=10)
    rows = (photos / "labels.csv").read_text().splitlines()
    rows = [f"{row},{row[:6] if n else 'clip'}" for n, row in enumerate(rows)]
    (photos / "labels.csv").write_text("\n".join(rows))
    chosen = OPTIONS | {"data__sequences": "none", "data__sequence_column": "clip", "sequence__epochs": 1}
    result = CliRunner().invoke(app, train_argv(photos, tmp_path / "run", **chosen))
    assert result.exit_code == 0, result.output
    new, _ = trained
    if not RunFolder(tmp_path / "run").load_metrics()["sequence"]["kept"]:
        pytest.skip("one epoch was not enough for the LSTMs to be kept")
    with pytest.raises(TaggerError, match=r"No table in .* has the columns 'file' and 'clip'"):
        tagger.predict(new, run=tmp_path / "run", out=tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("format", ["torch-export", "torchscript", "onnx"])
def test_an_exported_window_gives_the_frames_of_a_sequence_what_predict_gives_them(trained, tmp_path, format):
    new, run = trained
    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    out = tagger.export(run, tmp_path / "model", format=format)
    files = [f"clip01_{frame}.png" for frame in range(NUM_FRAMES)]
    predictor = tagger.load(run)
    predictor.follow(new, files)
    expected = predictor.predict_probs(new, files).probs_NK
    pixels = np.stack([np.asarray(Image.open(new / file)) for file in files]).transpose(0, 3, 1, 2)
    images = (pixels / 255).astype(np.float32)
    for number in (1, 5, NUM_FRAMES):
        np.testing.assert_allclose(exported(out, format, images[:number]), expected[:number], atol=2e-3)


def exported(out: Path, format: str, images: np.ndarray) -> np.ndarray:
    """The probabilities of an exported model."""
    if format == "onnx":
        from onnxruntime import InferenceSession

        return InferenceSession(str(out), providers=["CPUExecutionProvider"]).run(None, {"images": images})[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls TorchScript old
        module = torch.jit.load(str(out)) if format == "torchscript" else torch.export.load(out).module()
    return module(torch.from_numpy(images))[0].detach().numpy()


def test_the_hub_format_has_no_room_for_a_window(trained, tmp_path):
    _, run = trained
    with pytest.raises(TaggerError, match=r"--format hub: .* up to 4 frames .* Choose onnx"):
        tagger.export(run, tmp_path / "model", format="hub")
