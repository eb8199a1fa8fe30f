"""Whatever is wrong in a folder of images, check names the file and the row, and never ends in a traceback."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools.checking import check_dataset
from tagger.errors import Problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four different pictures with labels; nothing is wrong."""
    rng = np.random.default_rng(0)
    (tmp_path / "data" / "sub").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "sub/c.png", "d.webp"):
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(tmp_path / "data" / name)
    table = "file,labels\na.jpg,cat\nb.jpg,animal|cat\nsub\\c.png,dog\nd.webp,\n"
    (tmp_path / "data" / "labels.csv").write_text(table)
    return tmp_path / "data"


def told(folder: Path) -> str:
    return "\n".join(map(str, check_dataset(folder)))


def test_nothing_is_wrong_with_a_good_folder_also_with_backslashes(folder: Path):
    assert check_dataset(folder) == []


def more_rows(folder: Path, rows: str) -> None:
    with (folder / "labels.csv").open("a") as file:
        file.write(rows)


def nothing(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"")


def cut_off(folder: Path) -> None:
    (folder / "a.jpg").write_bytes((folder / "a.jpg").read_bytes()[:-200])


def other_format(folder: Path) -> None:
    (folder / "a.jpg").write_bytes((folder / "sub/c.png").read_bytes() + b"\0")


def two_cases(folder: Path) -> None:
    (folder / "A.JPG").write_bytes((folder / "a.jpg").read_bytes() + b"\0")


def rule(folder: Path) -> None:
    (folder / "labels.toml").write_text('[[rules]]\nif = "cat"\nthen = "animal"')


def group(folder: Path) -> None:
    (folder / "labels.toml").write_text('[groups.g]\nkind = "exclusive"\nlabels = ["cat", "animal"]')


def no_toml(folder: Path) -> None:
    (folder / "labels.toml").write_text("[[rules")
    cut_off(folder)


def closed_list(folder: Path) -> None:
    (folder / "labels.toml").write_text('labels = ["cat", "animal"]')


MUTILATED: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "zero bytes": (nothing, ["a.jpg: 0 bytes"]),
    "cut off": (cut_off, ["a.jpg: cut off after"]),
    "no image": (lambda f: (f / "a.jpg").write_text("hello") and None, ["a.jpg: not an image"]),
    "another format": (other_format, ["a.jpg: its suffix says JPEG, but it is PNG"]),
    "capitals": (two_cases, ["a.jpg: differs from 'A.JPG' only in case", "A.JPG: the labels do not name"]),
    "a row twice": (
        lambda f: more_rows(f, "a.jpg,dog\n"),
        ["labels.csv, row 6: 'a.jpg' has other labels in row 2"],
    ),
    "an orphan row": (
        lambda f: more_rows(f, "z.jpg,dog\n"),
        ["labels.csv, row 6: there is no image 'z.jpg'"],
    ),
    "unlisted": (
        lambda f: Image.new("RGB", (9, 9)).save(f / "e.png"),
        ["e.png: the labels do not name this image"],
    ),
    "a label in capitals": (
        lambda f: more_rows(f, "b.jpg,Cat\n"),
        ["labels 'Cat', 'cat' differ only in case"],
    ),
    "a rule broken": (rule, ["a.jpg: has 'cat', but not 'animal', which 'cat' implies"]),
    "a group broken": (group, ["b.jpg: has 'cat' and 'animal' of the group 'g', which allows one label"]),
    "no TOML, and cut off": (no_toml, ["labels.toml: this is not valid TOML", "a.jpg: cut off after"]),
    "not in labels.toml": (closed_list, ["'dog'"]),
    "a broken link": (lambda f: (f / "l.jpg").symlink_to("nowhere"), ["l.jpg: a broken link"]),
}


@pytest.mark.parametrize("kind", MUTILATED)
def test_what_is_wrong_is_named(folder: Path, kind: str):
    mutilate, expected = MUTILATED[kind]
    mutilate(folder)
    found = told(folder)
    assert [text for text in expected if text not in found] == []


def test_a_folder_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    import os

    scan = os.scandir

    def refused(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("tagger.data.images.listing.os.scandir", refused)
    assert "sub: the folder cannot be read (permission denied): its images are left out" in told(folder)


def test_every_problem_is_in_the_table_and_the_code_is_2(tagger_cli: Callable, folder: Path):
    for kind in ("zero bytes", "capitals", "an orphan row", "a rule broken"):
        MUTILATED[kind][0](folder)
    ended = tagger_cli("data", "check", folder, "--out", "problems.csv")
    assert (ended.code, "Traceback" in ended.err + ended.out) == (2, False)
    found = check_dataset(folder)
    assert all(isinstance(problem, Problem) for problem in found)
    assert len(Path("problems.csv").read_text().splitlines()) == 1 + len(found)
