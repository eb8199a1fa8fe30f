"""Bad input: one clear line and exit code 2, or everything is listed and the rest goes on; nothing finished is lost."""

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from noise_photos import refused, write_rows
from PIL import Image
from small import train_argv

from tagger.runs import RunFolder

Cli = Callable[..., Any]
ODD = ["a b", "c,d", 'e "f"', "g\nh", "猫", "=SUM(1)", "[red]x[/red]", "x" * 300, "Ünï / cödé"]


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
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"0" * 99))
        + chunk(b"IEND", b"")
    )


# Data that cannot be trained on


def test_an_empty_folder(tagger_cli: Cli, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    refused(tagger_cli(*train_argv(tmp_path / "empty", Path("run"))), "empty", "there are no images in it")
    assert not Path("run").exists()


def test_a_folder_that_does_not_exist_or_is_a_file(tagger_cli: Cli, photos: Any):
    data = photos(4)
    refused(
        tagger_cli(*train_argv(data.with_name("dato"), Path("run"))), "no such folder", "Did you mean 'data'"
    )
    refused(tagger_cli(*train_argv(data / "labels.csv", Path("run"))), "a file, not a folder", str(data))


def test_images_without_labels(tagger_cli: Cli, photos: Any):
    refused(tagger_cli(*train_argv(photos(4, None), Path("run"))), "4 images, but no labels", "--labels")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_leave_no_half_run(tagger_cli: Cli, photos: Any, count: int):
    data = photos(count, lambda i: "cat" if i else "")
    refused(
        tagger_cli(*train_argv(data, Path("run"))),
        "nothing to learn" if count == 1 else "At least 3 are needed",
    )
    again = tagger_cli(*train_argv(data, Path("run")))
    refused(again)
    assert "there is an unfinished run" not in again.err
    refused(tagger_cli("train", "--resume", "--run", "run"), "no training was started there")


@pytest.mark.parametrize("label", ["cat", ""])
def test_labels_that_all_images_have_or_none(tagger_cli: Cli, photos: Any, label: str):
    data = photos(12, lambda i: label)
    words = ("nothing to learn", "cat") if label else ("images, but no label",)
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
    refused(
        tagger_cli(*train_argv(data, Path("run"))), "6 photos cannot be read, such as 00.png: not an image"
    )
    refused(tagger_cli("train", "--resume", "--run", "run"), "no training was started there")


def test_unknown_columns_of_a_wide_table(tagger_cli: Cli, photos: Any):
    data = photos(6, None)
    write_rows(data, [[f"{n:02d}.png", "1", "hello"] for n in range(6)], ("file", "cat", "comment"))
    refused(tagger_cli(*train_argv(data, Path("run"))), "labels.csv", "'comment' (row 2: 'hello')")


def test_a_label_file_that_names_only_absent_images(tagger_cli: Cli, photos: Any):
    data = photos(3, None)
    write_rows(data, [["x.png", "cat"], ["y.png", ""]])
    refused(tagger_cli(*train_argv(data, Path("run"))), "none of its 2 rows names an image", "'x.png'")


def test_a_label_file_that_does_not_exist(tagger_cli: Cli, photos: Any):
    refused(
        tagger_cli(*train_argv(photos(4), Path("run"), "--labels", "nix.csv")),
        "nix.csv: there is no such label",
    )


# Data that is listed, and the training goes on


def test_absent_images_missing_rows_double_rows_and_further_columns_are_listed(tagger_cli: Cli, photos: Any):
    data = photos(12, None)
    rows = [[f"{n:02d}.png", "cat" if n % 2 else "", "note"] for n in range(10)]
    write_rows(data, [*rows, ["nix.png", "cat", ""], ["01.png", "dog", ""]], ("file", "labels", "comment"))
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 0, ended.err
    assert "labels.csv, row 12: there is no image 'nix.png'" in ended.out
    assert "labels.csv, row 13: '01.png' has other labels in row 3" in ended.out
    assert "2 photos that the labels do not mention: left out" in ended.out
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
    for reason in (
        "no photo has the label 'none'",
        "no photo is known to be without the label 'all'",
        "no photo has a known value for the label 'unknown'",
    ):
        assert reason in ended.out
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
    names = [
        "with space",
        'q"u,o',
        "new\nline",
        "шаг 猫",
        "[red]x",
        "a'b",
        *(f"{n:02d}" for n in range(6, 24)),
    ]
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
    assert "15 photos tagged: predictions.csv" in predicted.out
    assert "5 photos could not be read" in predicted.out
    table = pd.read_csv("predictions.csv")
    assert len(table) == 20
    assert table.loc[table["file"].isin(reasons)].iloc[:, 1:].isna().all(axis=None)
    assert table.loc[~table["file"].isin(reasons)].iloc[:, 2:].notna().all(axis=None)
    assert set(pd.read_csv("predictions.csv.unreadable.csv")["file"]) == reasons.keys()

    assert tagger_cli("predict", data, "--run", "run", "--format", "txt", "--out", "tags").code == 3
    assert len(list(Path("tags").glob("*.txt"))) == 15
    evaluated = tagger_cli("evaluate", "--data", data, "--run", "run")
    assert evaluated.code == 3
    assert "5 photos could not be read" in evaluated.out


def test_a_folder_without_read_permission_is_listed(
    tagger_cli: Cli, photos: Any, monkeypatch: pytest.MonkeyPatch
):
    data = photos(12)
    (data / "closed").mkdir()
    scandir = os.scandir

    def guarded(path: Any = ".") -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("tagger.data.images.listing.os.scandir", guarded)
    ended = tagger_cli(*train_argv(data, Path("run"), train__epochs=1))
    assert ended.code == 3
    assert "closed: the folder cannot be read (permission denied)" in ended.out
    assert [problem.file for problem in RunFolder("run").load_unreadable()] == ["closed"]
    refused(tagger_cli(*train_argv(data / "closed", Path("other"))), "cannot be read (permission denied)")
