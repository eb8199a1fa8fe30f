"""Planted copies and poor images are found, and nothing else is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from data_tools.duplicates import find_copies, set_aside, surplus
from data_tools.looks import look
from data_tools.quality import poor_images
from tagger.arrays import NO, UNKNOWN, YES
from tagger.errors import TaggerError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six different pictures with detail, a.png to f.png, of 96 x 96 pixels."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abcdef":
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        coarse.resize((96, 96), Image.Resampling.NEAREST).save(folder / f"{name}.png")
    return folder


def test_exact_and_near_copies_are_found_and_differing_labels_come_first(photos: Path):
    (photos / "b2.png").write_bytes((photos / "b.png").read_bytes())
    Image.open(photos / "a.png").convert("RGB").save(photos / "a2.jpg", quality=70)
    files = sorted(path.name for path in photos.iterdir())
    labels_NK = np.array([[NO if file == "a2.jpg" else YES] for file in files], np.int8)
    table = find_copies(photos, files, names=['sea, "|"\n海'], labels_NK=labels_NK).table
    assert table.groupby("group")["file"].agg(set).tolist() == [{"a.png", "a2.jpg"}, {"b.png", "b2.png"}]
    assert table["kind"].tolist() == ["near", "near", "exact", "exact"]
    assert table["differs"].tolist() == ['sea, "|"\n海'] * 2 + [""] * 2
    assert find_copies(photos, files, near=False).table["file"].tolist() == ["b.png", "b2.png"]


def test_surplus_copies_are_moved_where_labels_agree_and_none_is_lost(photos: Path, tmp_path: Path):
    original = (photos / "b.png").read_bytes()
    for name in ("b2.png", "c2.png"):
        (photos / name).write_bytes((photos / f"{name[0]}.png").read_bytes())
    files = sorted(path.name for path in photos.iterdir())
    labels_NK = np.array([[{"c2.png": NO, "b.png": UNKNOWN}.get(file, YES)] for file in files], np.int8)
    table = find_copies(photos, files, names=["cat"], labels_NK=labels_NK, near=False).table
    assert surplus(table) == ["b.png"]  # the copy that somebody labelled stays; c and c2 disagree, so both stay
    assert set_aside(photos, table, tmp_path / "copies") == ["b.png"]
    assert (tmp_path / "copies" / "b.png").read_bytes() == original
    assert (tmp_path / "copies" / "moved.csv").is_file()
    assert sorted(path.name for path in photos.iterdir()) == [file for file in files if file != "b.png"]
    with pytest.raises(TaggerError, match="in the data folder"):
        set_aside(photos, table, photos / "copies")


def test_each_kind_of_poor_image_is_found_and_good_ones_are_not(photos: Path):
    good = Image.open(photos / "a.png").convert("RGB")
    good.point(lambda level: level // 16).save(photos / "dark.png")
    good.point(lambda level: 240 + level // 16).save(photos / "bright.png")
    good.resize((256, 256)).filter(ImageFilter.GaussianBlur(12)).save(photos / "blurred.png")
    good.resize((16, 16)).save(photos / "tiny.png")
    good.resize((40, 400)).save(photos / "odd-aspect.png")
    Image.new("RGB", (64, 64), (90, 120, 200)).save(photos / "one-colour.png")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n")
    files = sorted(path.name for path in photos.iterdir())
    looks = look(photos, files)
    table = poor_images(looks, files)
    names, found = table["file"].str.removesuffix(".png"), table["kinds"].str.split("|")
    kinds = dict(zip(names, found, strict=True))
    assert set(kinds) == {"dark", "bright", "blurred", "tiny", "odd-aspect", "one-colour"}
    assert all(kind in found for kind, found in kinds.items())
    assert [problem.file for problem in looks.problems] == ["broken.png"]
