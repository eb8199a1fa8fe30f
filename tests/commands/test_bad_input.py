"""Bad input: one clear line and exit code 2, or everything is listed and the rest goes on; nothing finished is lost."""

import csv
import os
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from small import train_argv

from tagger.runs import RunFolder

Cli = Callable[..., Any]
Labels = Callable[[int], str]
ODD = ["a b", "c,d", 'e "f"', "g\nh", "猫", "=SUM(1)", "[red]x[/red]", "x" * 300, "Ünï / cödé"]


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """``photos(20, lambda i: "cat" if i % 2 else "")``: images of noise with a ``labels.csv``."""

    def make(count: int, labels: Labels | None = lambda i: ["cat", "dog", "cat|dog", ""][i % 4]) -> Path:
        root, rng = tmp_path / "data", np.random.default_rng(0)
        root.mkdir()
        for n in range(count):
            Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(root / f"{n:02d}.png")
        if labels:
            write_rows(root, [[f"{n:02d}.png", labels(n)] for n in range(count)])
        return root

    return make


def write_rows(root: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("file", "labels")) -> None:
    """A ``labels.csv``."""
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def refused(ended: Any, *words: str) -> None:
    """The command ended with exit code 2 and one line without a traceback that holds the words."""
    assert ended.code == 2, ended
    assert ended.err.startswith("tagger: ")
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err + ended.out
    for word in words:
        assert word in ended.err, ended.err
    assert not Path("tagger-error.log").exists()


def spoil(root: Path) -> dict[str, str]:
    """Five images that cannot be read, and what is said of each."""
    (root / "00.png").write_bytes(b"")
    (root / "01.png").write_text("I am a text")
    (root / "02.png").write_bytes((root / "02.png").read_bytes()[:300])
    jpeg = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(jpeg, "JPEG")
    (root / "03.png").write_bytes(jpeg.getvalue()[:-600])
    (root / "04.png").write_bytes(huge_png())
    return {
        "00.png": "0 bytes",
        "01.png": "not an image",
        "02.png": "cut off",
        "03.png": "cut off",
        "04.png": "megapixels",
    }


def huge_png(side: int = 30_000) -> bytes:
    """A small file whose header promises ``side`` x ``side`` pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 99)) + chunk(b"IEND", b"")
    )


# Data that cannot be trained on


def test_an_empty_folder(tagger_cli: Cli, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    refused(tagger_cli(*train_argv(tmp_path / "empty", Path("run"))), "empty", "there are no images in it")
    assert not Path("run").exists()


def test_a_folder_that_does_not_exist_or_is_a_file(tagger_cli: Cli, photos: Any):
    data = photos(4)
    refused(tagger_cli(*train_argv(data.with_name("dato"), Path("run"))), "no such folder", "Did you mean 'data'")
    refused(tagger_cli(*train_argv(data / "labels.csv", Path("run"))), "a file, not a folder", str(data))


def test_images_without_labels(tagger_cli: Cli, photos: Any):
    refused(tagger_cli(*train_argv(photos(4, None), Path("run"))), "4 images, but no labels", "--labels")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_leave_no_half_run(tagger_cli: Cli, photos: Any, count: int):
    data = photos(count, lambda i: "cat" if i else "")
    refused(tagger_cli(*train_argv(data, Path("run"))), "nothing to learn" if count == 1 else "At least 3 are needed")
    again = tagger_cli(*train_argv(data, Path("run")))
    refused(again)
    assert "there is a run already" not in again.err
    refused(tagger_cli("train", "--resume", "--run", "run"), "no training was begun there")


@pytest.mark.parametrize("label", ["cat", ""])
def test_labels_that_all_images_have_or_none(tagger_cli: Cli, photos: Any, label: str):
    data = photos(12, lambda i: label)
    words = ("nothing to learn", "cat") if label else ("no label at all",)
    refused(tagger_cli(*train_argv(data, Path("run"))), *words)
    assert not Path("run").exists()


def test_a_wide_table_of_zeros(tagger_cli: Cli, photos: Any):
    data = photos(6, None)
    write_rows(data, [[f"{n:02d}.png", "0", "0"] for n in range(6)], ("file", "cat", "dog"))
    refused(tagger_cli(*train_argv(data, Path("run"))), "nothing to learn", "'cat', 'dog'")


def test_no_image_that_can_be_read(tagger_cli: Cli, photos: Any):
    data = photos(6)
    for n in range(6):
        (data / f"{n:02d}.png").write_text(f"text {n}")
    refused(tagger_cli(*train_argv(data, Path("run"))), "6 cannot be read, such as 00.png: not an image")
    refused(tagger_cli("train", "--resume", "--run", "run"), "no training was begun there")


def test_unknown_columns_of_a_wide_table(tagger_cli: Cli, photos: Any):
    data = photos(6, None)
    write_rows(data, [[f"{n:02d}.png", "1", "hello"] for n in range(6)], ("file", "cat", "comment"))
    refused(tagger_cli(*train_argv(data, Path("run"))), "labels.csv", "'comment' (row 2: 'hello')")


def test_a_label_file_that_names_only_absent_images(tagger_cli: Cli, photos: Any):
    data = photos(3, None)
    write_rows(data, [["x.png", "cat"], ["y.png", ""]])
    refused(tagger_cli(*train_argv(data, Path("run"))), "none of its 2 rows names an image", "'x.png'")


def test_a_label_file_that_does_not_exist(tagger_cli: Cli, photos: Any):
    refused(tagger_cli(*train_argv(photos(4), Path("run"), "--labels", "nix.csv")), "nix.csv: there is no such label")


# Data that is listed, and the training goes on


def test_absent_images_missing_rows_double_rows_and_further_columns_are_listed(tagger_cli: Cli, photos: Any):
    data = photos(12, None)
    rows = [[f"{n:02d}.png", "cat" if n % 2 else "", "note"] for n in range(10)]
    write_rows(data, [*rows, ["nix.png", "cat", ""], ["01.png", "dog", ""]], ("file", "labels", "comment"))
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 0, ended.err
    assert "labels.csv, row 12: there is no image 'nix.png'" in ended.out
    assert "labels.csv, row 13: '01.png' has other labels in row 3" in ended.out
    assert "2 images without a row in the labels: left out" in ended.out
    assert "other columns are ignored: 'comment'" in ended.out
    assert len(RunFolder("run").load_images()) == 10
    log = RunFolder("run").log_path.read_text("utf-8")
    assert "row 12: there is no image 'nix.png'" in log


def test_labels_without_a_positive_or_a_negative_are_listed_and_say_so(tagger_cli: Cli, photos: Any):
    data = photos(12, None)
    rows = [[f"{n:02d}.png", str(n % 2), "0", "1", ""] for n in range(12)]
    write_rows(data, rows, ("file", "cat", "none", "all", "unknown"))
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 0, ended.err
    for label, kind in (("none", "no positive"), ("all", "no negative"), ("unknown", "no positive and no negative")):
        assert f"label '{label}' has {kind} image" in ended.out
    per_label = RunFolder("run").load_metrics()["test"]["per_label"]
    assert all(per_label[name]["average_precision"]["value"] is None for name in ("none", "all", "unknown"))


def test_one_label(tagger_cli: Cli, photos: Any):
    data = photos(12, lambda i: "cat" if i % 3 else "")
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 0, ended.err
    assert RunFolder("run").load_labels() == ("cat",)
    assert tagger_cli("predict", data, "--run", "run").code == 0
    assert set(pd.read_csv("predictions.csv", keep_default_na=False)["labels"]) <= {"", "cat"}


def test_three_images_are_enough(tagger_cli: Cli, photos: Any):
    data = photos(3, lambda i: "cat" if i else "")
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert tagger_cli("predict", data, "--run", "run").code == 0


def test_odd_names_go_all_the_way(tagger_cli: Cli, photos: Any):
    data = photos(24, None)
    names = ["with space", 'q"u,o', "new\nline", "шаг 猫", "[red]x", "a'b", *(f"{n:02d}" for n in range(6, 24))]
    rows = []
    for n, name in enumerate(names):
        (data / f"{n:02d}.png").rename(data / f"{name}.png")
        rows.append([f"{name}.png", "|".join(label for k, label in enumerate(ODD) if n % (k % 3 + 2) == 0)])
    write_rows(data, rows)
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 0, ended.err
    run = RunFolder("run")
    assert set(run.load_labels()) == set(ODD)
    assert len(run.load_images()) == 24
    for format in ("csv", "jsonl", "parquet"):
        assert tagger_cli("predict", data, "--run", "run", "--format", format).code == 0
    columns = ["file", "labels", *run.load_labels()]
    predicted = pd.read_csv("predictions.csv", keep_default_na=False)
    assert predicted.columns.tolist() == columns
    assert pd.read_parquet("predictions.parquet").columns.tolist() == columns
    assert set(predicted["file"]) == {path.name for path in data.glob("*.png")}
    assert tagger_cli("evaluate", "--data", data, "--run", "run").code == 0
    refused(tagger_cli("train", "--data", data, "--backbone", "a\nb", "--weights", "none"))


def test_unreadable_images_are_left_out_listed_and_give_exit_code_3(tagger_cli: Cli, photos: Any):
    data = photos(20)
    reasons = spoil(data)
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 3
    assert ended.err == ""
    listed = {problem.file: problem.reason for problem in RunFolder("run").load_unreadable()}
    assert listed.keys() == reasons.keys()
    assert all(reasons[file] in reason for file, reason in listed.items()), listed
    assert all(file in ended.out for file in reasons)
    assert not set(RunFolder("run").load_images()["file"]) & reasons.keys()

    predicted = tagger_cli("predict", data, "--run", "run")
    assert predicted.code == 3
    assert "15 images tagged: predictions.csv" in predicted.out
    assert "5 could not be read" in predicted.out
    table = pd.read_csv("predictions.csv")
    assert len(table) == 20
    assert table.loc[table["file"].isin(reasons)].iloc[:, 1:].isna().all(axis=None)
    assert table.loc[~table["file"].isin(reasons)].iloc[:, 2:].notna().all(axis=None)
    assert set(pd.read_csv("predictions.csv.unreadable.csv")["file"]) == reasons.keys()

    assert tagger_cli("predict", data, "--run", "run", "--format", "txt", "--out", "tags").code == 3
    assert len(list(Path("tags").glob("*.txt"))) == 15
    evaluated = tagger_cli("evaluate", "--data", data, "--run", "run")
    assert evaluated.code == 3
    assert "5 could not be read" in evaluated.out


def test_a_folder_without_read_permission_is_listed(tagger_cli: Cli, photos: Any, monkeypatch: pytest.MonkeyPatch):
    data = photos(12)
    (data / "closed").mkdir()
    scandir = os.scandir

    def guarded(path: Any = ".") -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("tagger.data.images.os.scandir", guarded)
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 3
    assert "closed: the folder cannot be read (permission denied)" in ended.out
    assert [problem.file for problem in RunFolder("run").load_unreadable()] == ["closed"]
    refused(tagger_cli(*train_argv(data / "closed", Path("other"))), "cannot be read (permission denied)")


# Wrong words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backbone", "test_resnt", "--weights", "none"], ["Unknown backbone 'test_resnt'", "'test_resnet'"]),
        (["--backbone", "test_resnet", "--weights", "nix.pth"], ["nix.pth: no such file", "`none`"]),
        (["--preset", "quik"], ["Unknown preset 'quik'", "Did you mean 'quick'"]),
        (["--set", "trian.lr=1"], ["unknown key 'trian'", "Did you mean 'train'"]),
        (["--set", "train.lrr=1"], ["unknown key 'lrr'", "Did you mean 'lr'"]),
        (["--set", "train.lr"], ["section.key=value"]),
        (["--set", "loss.name=bcee"], ["Unknown loss 'bcee'", "Did you mean 'bce'"]),
        (["--weights", "nix.pth", "--set", "loss.name=bcee"], ["Unknown loss 'bcee'"]),  # words before files
        (["--set", "loss.gamma=1"], ["loss 'bce' has no option 'gamma'"]),
        (["--set", "sampler.name=x"], ["Unknown sampler 'x'"]),
        (["--set", "head.name=lin"], ["Unknown head 'lin'"]),
        (["--set", "train.optimiser=adamwww"], ["adamwww", "list_optimizers"]),
        (["--set", "threshold.aim=best"], ["Unknown aim 'best'"]),
        (["--set", "backbone.colour=red"], ["does not take an option that was set", "colour"]),
        (["--set", "data.val=0"], ["data.val = 0"]),
        (["--set", "data.val=0.6", "--set", "data.test=0.6"], ["val=0.6, test=0.6"]),
        (["--set", "device=cuda"], ["device", "cuda"]),
        (["--bakbone", "x"], ["No such option: --bakbone"]),
        (["extra"], ["extra"]),
    ],
)
def test_wrong_words_are_met_with_the_nearest_right_one(
    tagger_cli: Cli, photos: Any, arguments: list[str], words: list[str]
):
    if "device=cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    data = photos(8)
    ended = tagger_cli(*train_argv(data, Path("run")), *arguments)
    refused(ended, *words)
    assert not (Path("run") / "config.toml").exists()


def test_a_wrong_command_and_no_data(tagger_cli: Cli):
    refused(tagger_cli("trian"), "No such command 'trian'", "Did you mean 'train'")
    refused(tagger_cli("train"), "--data DIR")
    refused(tagger_cli("evaluate"), "--data DIR")
    refused(tagger_cli("predict"), "folder")


def test_weights_of_another_architecture(tagger_cli: Cli, photos: Any, tmp_path: Path):
    path = tmp_path / "other.pth"
    torch.save(timm.create_model("test_efficientnet").state_dict(), path)
    argv = ["train", "--data", photos(8), "--backbone", "test_resnet", "--weights", path]
    refused(tagger_cli(*argv), str(path), "not weights of 'test_resnet'", "Name the backbone")


def test_runs_that_are_not_there_not_finished_or_in_the_way(tagger_cli: Cli, demo: Path, finished: Path):
    new = demo / "new"
    refused(tagger_cli("predict", new), "no finished run in ./runs")
    refused(tagger_cli("predict", new, "--run", finished.with_name("rum")), "no such run", "Did you mean")
    refused(tagger_cli("predict", new, "--run", demo), "It is no run folder")
    begun = RunFolder("begun")
    begun.save_settings(RunFolder(finished).load_settings())
    refused(tagger_cli("predict", new, "--run", "begun"), "not finished", "tagger train --resume --run begun")
    refused(tagger_cli("evaluate", "--data", demo, "--run", "begun"), "not finished")
    refused(tagger_cli(*train_argv(demo, Path("begun"))), "there is a run already", "--resume")
    refused(tagger_cli(*train_argv(demo, finished)), "there is a run already. Choose another --run")
    refused(tagger_cli("train", "--resume", "--run", finished), "finished already")
    refused(tagger_cli("train", "--resume", "--run", "nix"), "no training was begun there")
    refused(tagger_cli("train", "--resume"), "no unfinished run in ./runs")
    Path("file").write_text("x")
    refused(tagger_cli(*train_argv(demo, Path("file"))), "this is a file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "csw"], ["Unknown --format 'csw'", "Did you mean 'csv'"]),
        (["--on-existing", "merg"], ["Unknown --on-existing 'merg'", "'merge'"]),
        (["--on-existing", "merge"], ["merge is for sidecars"]),
        (["--out", "nix/tags.csv"], ["there is no folder nix"]),
        (["--out", "."], ["is a folder"]),
    ],
)
def test_wrong_words_for_predict(tagger_cli: Cli, demo: Path, finished: Path, arguments: list[str], words: list[str]):
    refused(tagger_cli("predict", demo / "new", "--run", finished, *arguments), *words)


def test_folders_without_images_for_predict(tagger_cli: Cli, finished: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    refused(tagger_cli("predict", tmp_path / "empty", "--run", finished), "there are no images in it")
    refused(tagger_cli("predict", tmp_path / "emty", "--run", finished), "no such folder", "Did you mean 'empty'")


def test_data_without_a_label_in_common(tagger_cli: Cli, photos: Any, finished: Path):
    refused(tagger_cli("evaluate", "--data", photos(4), "--run", finished), "no label in common", "The run knows: ")


def test_a_damaged_model_is_named(tagger_cli: Cli, demo: Path, finished: Path):
    copy = Path("copy")
    copy.mkdir()
    for path in finished.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-500])
    refused(tagger_cli("predict", demo / "new", "--run", copy), "model.safetensors: not readable as weights")
    (copy / "thresholds.json").unlink()
    refused(tagger_cli("predict", demo / "new", "--run", copy), "no thresholds.json in it")


def test_two_images_of_one_name_share_a_sidecar_with_the_labels_of_both(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path
):
    (tmp_path / "twins").mkdir()
    for photo, name in zip(sorted((demo / "images").iterdir())[:2], ("a.jpg", "a.png"), strict=True):
        Image.open(photo).save(tmp_path / "twins" / name)
    argv = ["predict", tmp_path / "twins", "--run", finished]
    assert tagger_cli(*argv, "--format", "txt", "--out", "tags").code == 0
    assert tagger_cli(*argv).code == 0
    both = pd.read_csv("predictions.csv", keep_default_na=False)["labels"].str.split("|").sum()
    assert set(Path("tags/a.txt").read_text().strip().split(",")) == set(filter(None, both)) or not any(both)


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """``small_disk("300k")``: a disk with that much room, or given that much room anew."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = False

    def make(size: str) -> Path:
        nonlocal mounted
        kind = ["-o", f"remount,size={size}"] if mounted else ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
        try:
            done = subprocess.run(["mount", *kind, str(path)], capture_output=True, check=False, timeout=10)
        except FileNotFoundError:
            pytest.skip("there is no mount command here")
        if done.returncode:
            pytest.skip("a small disk can only be mounted by root")
        mounted = True
        return path

    yield make
    if mounted:
        subprocess.run(["umount", "-l", str(path)], check=True, timeout=10)


@pytest.mark.parametrize("size", ["24k", "100k", "400k", "3m", "6m"])
def test_a_training_on_a_full_disk_goes_on_when_there_is_room(
    tagger_cli: Cli, demo: Path, finished: Path, small_disk: Any, size: str
):
    run = small_disk(size) / "run"
    argv = train_argv(demo, run, features__enabled=True, train__epochs=1)
    refused(tagger_cli(*argv), "No space left on device", str(run), "--resume")
    small_disk("60m")
    ended = tagger_cli("train", "--resume", "--run", run) if (run / "config.toml").exists() else tagger_cli(*argv)
    assert ended.code == 0, ended.err
    assert RunFolder(run).finished
    assert not list(run.glob(".*"))


def test_a_prediction_on_a_full_disk_goes_on_when_there_is_room(
    tagger_cli: Cli, demo: Path, finished: Path, small_disk: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tagger.commands.predict.CHUNK", 10)
    disk = small_disk("24k")
    argv = ["predict", demo / "images", "--run", finished, "--out"]
    refused(tagger_cli(*argv, disk / "tags.csv"), "No space left on device", "--resume")
    done_before = sorted(path.name for path in (disk / ".tags.csv.parts").iterdir())
    assert any(name.endswith("0.json") for name in done_before)  # what was finished is kept
    small_disk("1m")
    assert tagger_cli(*argv, disk / "tags.csv", "--resume").code == 0
    assert tagger_cli(*argv, "whole.csv").code == 0
    assert (disk / "tags.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert [path.name for path in disk.iterdir()] == ["tags.csv"]


@pytest.mark.parametrize("moment", range(1, 30, 7))
def test_a_write_that_fails_is_one_line_and_the_training_can_go_on(
    tagger_cli: Cli, demo: Path, monkeypatch: pytest.MonkeyPatch, moment: int
):
    """As on a full disk, where no small disk can be mounted: the n-th file cannot be written."""
    fsync, calls = os.fsync, iter(range(1, 1000))

    def full(number: int) -> None:
        if next(calls) == moment:
            raise OSError(28, "No space left on device")
        fsync(number)

    argv = train_argv(demo, Path("run"), train__epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr("tagger.runs.atomic.os.fsync", full)
        refused(tagger_cli(*argv), "No space left on device: it takes more than the ", " MB that are left (run/")
    again = tagger_cli("train", "--resume", "--run", "run") if Path("run/config.toml").exists() else tagger_cli(*argv)
    assert again.code == 0, again.err


# Our own faults and Ctrl-C


def test_a_fault_of_ours_is_one_line_and_its_traceback_is_in_a_log(tagger_cli: Cli, demo: Path, monkeypatch: Any):
    def fails(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("tagger.commands.train.read_with_progress", fails)
    ended = tagger_cli(*train_argv(demo, Path("run")))
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "ZeroDivisionError: oh no" in ended.err
    assert "Traceback" in Path("tagger-error.log").read_text()


def test_ctrl_c_is_one_line(tagger_cli: Cli, demo: Path, monkeypatch: Any):
    def stopped(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tagger.commands.train.read_with_progress", stopped)
    ended = tagger_cli(*train_argv(demo, Path("run")))
    assert (ended.code, ended.err) == (130, "tagger: Stopped. Go on with --resume where the command has it.\n")
