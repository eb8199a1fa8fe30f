"""Names and files that no photo should have: nothing hangs, each is listed, and no name gives orders to a terminal."""

import io
import os
import socket
from codecs import BOM_UTF8
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small import train_argv
from untrained import make_run

from tagger.commands.console.screen import Screen
from tagger.data import list_images
from tagger.data.formats.csv_injection import escape_formula, escape_formulas, unescape_formula
from tagger.data.formats.tabular import read_table
from tagger.errors import Problem, printable
from tagger.runs import RunFolder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names and files that Windows cannot have")
ORDERS = (
    "red\x1b[31m\x1b]0;title\x07.jpg",
    "up\n2026-11-21 all is well.jpg",
    "left\u202egpj.exe.jpg",
    "nine\x9b2J.jpg",
)


def odd_folder(root: Path) -> set[str]:
    """A folder with everything odd, and the names of what is no readable image in it."""
    root.mkdir()
    photo = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(photo, "PNG")
    (root / "deep" / Path(*["d"] * 200)).mkdir(parents=True)
    whole = [
        "whole.png",
        f"{'n' * 251}.png",
        "-rf.png",
        "=1+1.png",
        'a b\'s "x".png',
        f"deep/{'d/' * 200}x.png",
    ]
    for name in (*whole, *ORDERS):
        (root / name).write_bytes(photo.getvalue() + name.encode())
    os.mkfifo(root / "pipe.jpg")
    (root / "folder.jpg").mkdir()
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "nowhere.jpg").symlink_to("gone.jpg")
    (root / "up").symlink_to("..", target_is_directory=True)
    (root / "round").symlink_to(".", target_is_directory=True)
    (root / "device.jpg").symlink_to("/dev/zero")
    (root / "empty.jpg").write_bytes(b"")
    bad = {"pipe.jpg", "loop.jpg", "nowhere.jpg", "device.jpg", "empty.jpg"}
    with open(os.fsencode(root) + b"/\xff\xfe.jpg", "wb") as file:
        file.write(photo.getvalue())
    bad.add("\\udcff\\udcfe.jpg")
    before = os.getcwd()
    os.chdir(root)  # the path of a socket has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.jpg")
    os.chdir(before)
    return bad | {"socket.jpg"}


def test_a_training_lists_everything_odd_and_learns_from_the_rest(tmp_path: Path, tagger_cli: Any):
    bad, data = odd_folder(tmp_path / "data"), tmp_path / "data"
    for number in range(8):
        Image.new("RGB", (20, 30), (30 * number, 90, 20)).save(data / f"plain {number}.png")
    images = list_images(data).files
    labels = ["cat" if at % 2 else "dog" for at in range(len(images))]
    pd.DataFrame({"file": images, "labels": labels}).to_csv(data / "labels.csv", index=False)
    trained = tagger_cli(*train_argv(data, tmp_path / "run", train__epochs=1))
    assert trained.code == 3, trained.err
    assert not set(trained.out + trained.err) & set("\x1b\x07\x9b\u202e")
    run = RunFolder(tmp_path / "run")
    assert bad == {problem.file for problem in run.load_unreadable()}
    assert {"whole.png", "=1+1.png", "-rf.png", *ORDERS} <= set(run.load_images()["file"])


def test_everything_odd_is_listed_and_nothing_hangs(tmp_path: Path, tagger_cli: Any):
    bad = odd_folder(tmp_path / "data")
    checked = tagger_cli("data", "check", tmp_path / "data", "--out", "problems.csv")
    assert checked.code == 2
    found = {line.partition(": ")[0] for line in checked.out.splitlines()}
    assert bad <= found | {name for name in bad if name in checked.out}
    assert not set(checked.out + checked.err) & set("\x1b\x07\x9b\u202e")
    (tmp_path / "run").mkdir()
    predicted = tagger_cli("predict", tmp_path / "data", "--run", make_run(tmp_path / "run").path)
    assert predicted.code == 3, predicted.err
    assert not set(predicted.out + predicted.err) & set("\x1b\x07\x9b\u202e")
    listed = pd.read_csv("predictions.csv.unreadable.csv")["file"].map(unescape_formula)
    assert bad - set(listed) == set()
    assert {"whole.png", "=1+1.png", ORDERS[0]} <= set(pd.read_csv("predictions.csv")["file"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become nobody")
def test_files_and_folders_without_permission_are_listed(tmp_path: Path):
    data = tmp_path / "data"
    (data / "closed").mkdir(parents=True)
    for name in ("open.png", "secret.png"):
        Image.new("RGB", (9, 9)).save(data / name)
    os.chmod(data / "secret.png", 0)
    os.chmod(data / "closed", 0)
    inside = [one for one in data.parents if one.is_relative_to(gettempdir()) and one != Path(gettempdir())]
    for folder in (data, *inside):
        os.chmod(folder, 0o755)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            os.setuid(65534)
            from tagger.data.images.decoding import UnreadableImage, load_image

            try:
                load_image(data / "secret.png")
            except UnreadableImage as error:
                os.write(writing, f"{error}; {[str(one) for one in list_images(data).problems]}".encode())
        finally:
            os._exit(0)  # whatever happens: no second pytest goes on from here
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert said.read() == (
            "no permission to read it;"
            " ['closed: the folder cannot be read (permission denied): its images are left out']"
        )


def test_no_line_on_screen_or_in_the_log_obeys_a_name(tmp_path: Path, capsys: Any):
    screen = Screen()
    screen.log_path = tmp_path / "log.txt"
    for name in ORDERS:
        screen.say(f"an image: {name.splitlines()[0]}")
        screen.say_list([Problem(name, 3, f"there is no {name!s}")])
        screen.table(name, ["file", "n"], [[name, 3]])
    said = capsys.readouterr().out + screen.log_path.read_text()
    assert not set(said) & set("\x1b\x07\x9b\u202e")
    assert "red\\x1b[31m" in said
    assert "\n2026-11-21 all is well" not in said


@given(st.text())
def test_printable_changes_only_what_is_not_seen(text: str):
    shown = printable(text)
    shown.encode()
    assert not [sign for sign in shown if ord(sign) < 32 and sign not in "\t\n"]
    if text.isascii() and text.isprintable():
        assert shown == text


@given(st.one_of(st.text(), st.text("'=+-@\t\r\nx")))
def test_what_a_spreadsheet_would_run_is_guarded_and_comes_back_the_same(text: str):
    assert unescape_formula(escape_formula(text)) == text
    assert escape_formula(text)[:1] not in tuple("=+-@\t\r\n＝＋－＠")


def test_reports_are_guarded_and_data_is_not(tmp_path: Path, tagger_cli: Any):
    data = tmp_path / "data"
    data.mkdir()
    cells = ("=cmd' /C calc'!A0", "+1", "-2", "@SUM(A1)", "'=x")
    for number, name in enumerate(cells):
        Image.new("RGB", (9, 9), (40 * number, 9, 9)).save(data / f"{name.replace('/', '_')}.png")
    (data / "=broken.png").write_bytes(b"\x89PNG")
    rows = [
        f'"{name.replace("/", "_")}.png","{name}|"' for name in cells
    ]  # with |: a blank is part of a name
    (data / "labels.csv").write_text("\n".join(["file,labels", *rows, ""]))
    assert tagger_cli("data", "check", data, "--out", "problems.csv").code == 2
    report = pd.read_csv("problems.csv", dtype=str, keep_default_na=False)
    assert "'=broken.png" in set(report["file"])
    assert not [cell for cell in report.to_numpy().ravel() if str(cell)[:1] in tuple("=+-@\t\r\n")]
    assert tagger_cli("data", "convert", data, "--format", "csv", "--out", "again.csv").code == 0
    again = pd.read_csv("again.csv", keep_default_na=False)
    assert list(again.columns) == ["file", *sorted(cells)]  # labels are data: read(write(x)) is x
    assert (again[list(cells)].sum(axis=1) == 1).all()
    assert escape_formulas(pd.DataFrame({"labels": cells}))["labels"].str.startswith("'").all()


def reports(tmp_path: Path, tagger_cli: Any) -> dict[str, Path]:
    """Every list for people, each with a photo or a label called ``café 猫`` in it."""
    run = make_run(tmp_path)
    photos = tmp_path / "photos"
    (photos / "café 猫.png").write_bytes(b"\x89PNG")
    Image.new("RGB", (8, 8)).save(photos / "é.png")
    for name, labels in (("a", "café 猫|dog"), ("b", "dog")):
        text = f"file,labels\né.png,{labels}|\n0.png,café 猫\n"
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    out = {name: tmp_path / f"{name}.out.csv" for name in ("check", "quality", "merged", "tags")}
    calls = (
        ["data", "check", photos, "--labels", tmp_path / "a.csv", "--out", out["check"]],
        ["data", "quality", photos, "--out", out["quality"]],
        ["data", "merge", photos, "--labels", tmp_path / "a.csv", "--labels", tmp_path / "b.csv", "--out",
         out["merged"]],
        ["predict", photos, "--run", run.path, "--out", out["tags"]],
        ["explain", photos / "é.png", "--run", run.path, "--out", tmp_path / "maps"],
    )  # fmt: skip
    for call in calls:
        assert tagger_cli(*call).code in (0, 2, 3)
    run.save_unreadable([Problem("café 猫.png", None, "broken")])
    run_list, beside = run.path / "unreadable.csv", out["tags"].with_name("tags.out.csv.unreadable.csv")
    disagreements = out["merged"].with_name("merged.out.disagreements.csv")
    return {
        "check": out["check"], "quality": out["quality"], "disagreements": disagreements, "beside": beside,
        "explain": tmp_path / "maps" / "grad_cam.csv", "run": run_list,
    }  # fmt: skip


def test_reports_have_a_byte_order_mark_and_are_read_back(tmp_path: Path, tagger_cli: Any):
    for name, path in reports(tmp_path, tagger_cli).items():
        assert path.read_bytes().startswith(BOM_UTF8), name
        assert path.read_bytes().count(BOM_UTF8) == 1, name
        table, columns = pd.read_csv(path, keep_default_na=False), read_table(path).columns
        assert list(columns) == list(table.columns), name
        assert "é" in path.read_text("utf-8-sig"), name
    run = RunFolder(tmp_path / "run")
    assert run.load_unreadable() == [Problem("café 猫.png", None, "broken")]
    (run.path / "unreadable.csv").write_text("file,reason\na.png,old\n", "utf-8")  # of an earlier version
    assert run.load_unreadable() == [Problem("a.png", None, "old")]
    again = tagger_cli("predict", tmp_path / "photos", "--run", run.path, "--out", tmp_path / "tags.out.csv",
                       "--on-existing", "overwrite")  # fmt: skip
    assert again.code == 3, again.err  # its own list is in the way of nothing
