"""``tagger data ...`` as a person runs it, on the demo's photos."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

TORCH_FREE = """import sys
from tagger.cli import main
folder, *commands = sys.argv[1:]
for command in commands:
    sys.argv = ["tagger", "data", *command.split(), folder]
    try:
        main()
    except SystemExit:
        print(command, "torch:", "torch" in sys.modules)
"""


def test_check_ends_with_2_when_something_is_wrong_and_0_otherwise(
    tagger_cli: Callable, demo: Path, tmp_path: Path
):
    assert tagger_cli("data", "sample", demo, "--num", "40", "--out", tmp_path / "some").code == 0
    assert len(pd.read_csv(tmp_path / "some" / "labels.csv")) == 40
    broken = tmp_path / "some" / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n")
    ended = tagger_cli("data", "check", tmp_path / "some", "--out", "problems.csv")
    assert ended.code == 2
    assert "broken.png: damaged" in ended.out
    assert "broken.png" in pd.read_csv("problems.csv")["file"].tolist()


def test_labels_go_through_noise_merge_rename_convert_and_split(tagger_cli: Callable, demo: Path):
    before = (demo / "labels.csv").read_bytes()
    assert (
        tagger_cli("data", "noise", demo, "--kind", "missing", "--share", "0.5", "--out", "noisy.csv").code
        == 0
    )
    argv = ("--labels", "noisy.csv", "--labels", "noisy.truth.csv")
    assert tagger_cli("data", "merge", demo, *argv, "--out", "merged.csv").code == 0
    noisy, truth = (
        pd.read_csv(name, keep_default_na=False)["labels"] for name in ("noisy.csv", "noisy.truth.csv")
    )
    lost = sum(len(set(b.split("|")) - set(a.split("|"))) for a, b in zip(noisy, truth, strict=True))
    assert len(pd.read_csv("merged.disagreements.csv")) == lost > 0
    assert tagger_cli("data", "rename", demo, "zero=nought", "one=", "--out", "renamed.csv").code == 0
    assert (
        tagger_cli("data", "convert", demo, "--labels", "renamed.csv", "--out", "renamed.parquet").code == 0
    )
    joined = "|".join(pd.read_parquet("renamed.parquet")["labels"]).split("|")
    assert "nought" in joined
    assert not {"zero", "one"} & set(joined)
    assert tagger_cli("data", "split", demo, "--out", "split.csv").code == 0
    assert set(pd.read_csv("split.csv")["split"]) == {"train", "val", "test"}
    assert tagger_cli("data", "split", demo, "--out", "split.csv").code == 2
    assert (demo / "labels.csv").read_bytes() == before


@pytest.mark.parametrize("command", ["stats", "duplicates", "quality"])
def test_looking_changes_nothing(tagger_cli: Callable, demo: Path, command: str):
    before = sorted(path for path in demo.rglob("*"))
    more = ("--html", "page.html") if command == "stats" else ("--out", "table.csv")
    assert tagger_cli("data", command, demo, *more).code == 0
    assert sorted(path for path in demo.rglob("*")) == before
    assert Path(more[1]).is_file()


def test_copies_are_moved_only_with_both_options(tagger_cli: Callable, demo: Path):
    ended = tagger_cli("data", "duplicates", demo, "--apply")
    assert (ended.code, "--to" in ended.err) == (2, True)


def test_the_demo_set_is_made(tagger_cli: Callable):
    assert tagger_cli("data", "demo", "digits", "--num", "3").code == 0
    assert len(pd.read_csv("digits/labels.csv")) == 3


def test_looking_loads_no_torch(demo: Path, tmp_path: Path):
    commands = [f"stats --html {tmp_path / 'page.html'}", "check", "duplicates", "quality"]
    argv = [sys.executable, "-c", TORCH_FREE, str(demo), *commands]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    assert [line for line in done.stdout.splitlines() if "torch:" in line] == [
        f"{c} torch: False" for c in commands
    ]


@pytest.mark.parametrize("command", ["stats", "check", "duplicates"])
def test_tables_with_other_columns_are_read_with_set(
    tagger_cli: Callable, demo: Path, tmp_path: Path, command: str
):
    table = tmp_path / "other.csv"
    table.write_text("image_id,tags\nimages/00000,one two\nimages/00001,three\nimages/00002,\n")
    settings = [
        f"data.{text}" for text in ("file_column=image_id", "labels_column=tags", "label_separator=space")
    ]
    argv = [word for text in settings for word in ("--set", text)]
    out = tagger_cli("data", command, demo, "--labels", table, *argv).out
    if command == "check":
        assert "images/00003" in out
        assert not any(line.startswith("images/00000") for line in out.splitlines())
        assert "  images/00000.png: one, two" in out
    else:
        assert "3 rows" in out


def test_the_page_holds_all_in_itself_and_shows_names_as_they_are(tagger_cli: Callable, tmp_path: Path):
    folder = tmp_path / "<photos>"
    (folder / "a&b").mkdir(parents=True)
    for n, size in enumerate([(40, 30), (30, 40), (8, 8)]):
        Image.new("RGB", size, (90, 60, 30 * n)).save(folder / "a&b" / f"{n} <i>.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    rows = ["file,labels", *(f'a&b/{n} <i>.png,"<script>|{n}"' for n in range(3)), "broken.png,<script>"]
    (folder / "labels.csv").write_text("\n".join(rows))
    ended = tagger_cli("data", "stats", folder, "--html", "page.html")
    assert ended.code == 0
    text = Path("page.html").read_text("utf-8")
    ElementTree.fromstring(text.removeprefix("<!doctype html>").replace('<meta charset="utf-8">', "").replace(
        '<meta name="viewport" content="width=device-width">', ""))  # fmt: skip
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", text)
    assert "prefers-color-scheme:dark" in text
    assert text.count("data:image/jpeg") == 6  # three of <script>, and one of each other label
    assert "broken.png: damaged: its header cannot be read" in text
    assert "1 image of 40 x 30 pixels" in text


def test_copies_go_aside_and_come_back(tagger_cli: Callable, tmp_path: Path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(3):
        Image.new("RGB", (20, 20), (80 * n, 9, 9)).save(folder / f"{n}.png")
    (folder / "copy.png").write_bytes((folder / "1.png").read_bytes())
    (folder / "labels.csv").write_text("file,labels\n0.png,a\n1.png,b\ncopy.png,b\n2.png,\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ended = tagger_cli("data", "duplicates", folder, "--apply", "--to", "aside")
    assert (ended.code, "--undo aside" in ended.out) == (0, True)
    assert Path("aside/copy.png").is_file()
    assert tagger_cli("data", "duplicates", folder, "--undo", "aside").code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not Path("aside").exists()
    assert tagger_cli("data", "duplicates", folder, "--undo", folder).code == 2
