"""Planted copies and poor images are found, and nothing else is."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageFilter

from data_tools.duplicates import find_duplicates, removable_files
from data_tools.features import compute_features
from data_tools.image_measures import measure_images
from data_tools.quality import low_quality_images
from data_tools.quarantine import quarantine_files, restore_files
from tagger.arrays import NO, UNKNOWN, YES
from tagger.config import check_settings
from tagger.data import hash_files
from tagger.errors import TaggerError
from tagger.runs import RunFolder

CPU = torch.device("cpu")


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
    table = find_duplicates(photos, files, names=['sea, "|"\n海'], labels_NK=labels_NK).table
    assert table.groupby("group")["file"].agg(set).tolist() == [{"a.png", "a2.jpg"}, {"b.png", "b2.png"}]
    assert table["kind"].tolist() == ["first", "near", "first", "exact"]
    assert table["differs"].tolist() == ['sea, "|"\n海'] * 2 + [""] * 2
    assert find_duplicates(photos, files, near=False).table["file"].tolist() == ["b.png", "b2.png"]


@pytest.fixture
def copied(photos: Path) -> tuple[Path, pd.DataFrame]:
    """The photos with three exact copies, all of them surplus, and the table that says so."""
    for name in ("b2.png", "c2.png", "sub/d2.png"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes((photos / f"{Path(name).name[0]}.png").read_bytes())
    return photos, find_duplicates(photos, images_of(photos), near=False).table


def images_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def contents(*folders: Path) -> dict[str, bytes]:
    """The images that lie in any of the folders, by their paths."""
    return {file: (folder / file).read_bytes() for folder in folders for file in images_of(folder)}


def test_of_near_copies_the_one_with_most_pixels_is_kept(photos: Path):
    Image.open(photos / "a.png").resize((48, 48)).save(photos / "a0.bmp")  # more bytes, fewer pixels
    files = [*images_of(photos), "a0.bmp"]
    assert removable_files(find_duplicates(photos, files).table) == ["a0.bmp"]


def test_surplus_copies_are_those_of_groups_whose_labels_agree(photos: Path, tmp_path: Path):
    for name in ("b2.png", "c2.png"):
        (photos / name).write_bytes((photos / f"{name[0]}.png").read_bytes())
    files = images_of(photos)
    labels_NK = np.array([[{"c2.png": NO, "b.png": UNKNOWN}.get(file, YES)] for file in files], np.int8)
    table = find_duplicates(photos, files, names=["cat"], labels_NK=labels_NK, near=False).table
    assert removable_files(table) == [
        "b.png"
    ]  # the copy that somebody labelled stays; c and c2 disagree, so both stay
    with pytest.raises(TaggerError, match="inside the data folder"):
        quarantine_files(photos, table, removable_files(table), photos / "copies")


def test_what_was_set_aside_comes_back_the_same(copied: tuple[Path, pd.DataFrame], tmp_path: Path):
    photos, table = copied
    before, aside = contents(photos), tmp_path / "copies"
    assert quarantine_files(photos, table, removable_files(table), aside) == [
        "b2.png",
        "c2.png",
        "sub/d2.png",
    ]
    assert set(images_of(photos)) == {f"{name}.png" for name in "abcdef"}
    assert contents(photos, aside) == before
    with pytest.raises(TaggerError, match="--undo"):
        quarantine_files(photos, table, removable_files(table), aside)
    assert sorted(restore_files(photos, aside)) == ["b2.png", "c2.png", "sub/d2.png"]
    assert contents(photos) == before
    assert not aside.exists()


@pytest.mark.parametrize("other_disk", [False, True])
@pytest.mark.parametrize("moves", [0, 1, 2])
def test_stopped_midway_nothing_is_lost_and_all_comes_back(
    copied: tuple[Path, pd.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moves: int,
    other_disk: bool,
):
    photos, table = copied
    before, done = contents(photos), []

    def stopping(function, *paths):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(paths)
        return function(*paths)

    def rename(source: Path, target: Path):
        if other_disk:
            raise OSError(errno.EXDEV, "another disk")
        return stopping(os.rename, source, target)

    def unlink(path: Path, missing_ok: bool = False):  # of an original whose copy on the other disk is whole
        return stopping(os.unlink, path) if path.suffix == ".png" else path.exists() and os.unlink(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        patched.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            quarantine_files(photos, table, removable_files(table), tmp_path / "copies")
    assert contents(photos, tmp_path / "copies") == before
    restore_files(photos, tmp_path / "copies")
    assert contents(photos) == before


def test_a_file_that_is_in_neither_place_or_another_is_named_and_the_others_come_back(
    copied: tuple[Path, pd.DataFrame], tmp_path: Path
):
    photos, table = copied
    aside = tmp_path / "copies"
    quarantine_files(photos, table, removable_files(table), aside)
    (aside / "b2.png").unlink()
    (photos / "c2.png").write_bytes(b"another")
    with pytest.raises(
        TaggerError, match=r"1 file in neither folder: b2.png; 1 file with another file .*: c2.png"
    ):
        restore_files(photos, aside)
    assert (photos / "sub/d2.png").is_file()
    assert (photos / "c2.png").read_bytes() == b"another"
    assert (aside / "c2.png").is_file()


def test_features_that_a_run_keeps_join_what_looks_do_not_and_are_never_moved_unseen(
    photos: Path, tmp_path: Path
):
    files, run = images_of(photos), RunFolder(tmp_path / "run")
    hashes, sizes, _ = hash_files(photos, files)
    run.save_images(pd.DataFrame({"file": files, "hash": hashes, "size": sizes, "embedder": 0}))
    features_ND = np.random.default_rng(0).normal(size=(6, 16))
    features_ND[4] = features_ND[1] + 0.01
    run.save_embeddings(features_ND)
    run.save_settings(check_settings({}))
    run.finish({})
    table = find_duplicates(photos, files, run=run.path, min_similarity=0.9).table
    assert table[["kind", "file"]].values.tolist() == [["first", "b.png"], ["alike", "e.png"]]
    assert removable_files(table) == []


def test_images_that_a_run_does_not_know_are_embedded(photos: Path):
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n")
    files = images_of(photos)
    settings = check_settings({"image": {"size": 32}, "train": {"batch_size": 4}})
    features_ND, problems = compute_features(
        lambda images: images.mean((2, 3)), settings, photos, files, device=CPU
    )
    colours_N3 = measure_images(photos, files).colours_N3 / 255
    assert np.abs(features_ND - colours_N3).max() < 0.02
    assert not features_ND[files.index("broken.png")].any()
    assert [problem.file for problem in problems] == ["broken.png"]


def test_each_kind_of_poor_image_is_found_and_good_ones_are_not(photos: Path):
    good = Image.open(photos / "a.png").convert("RGB")
    good.point(lambda level: level // 16).save(photos / "dark.png")
    good.point(lambda level: 240 + level // 16).save(photos / "bright.png")
    good.resize((256, 256)).filter(ImageFilter.GaussianBlur(12)).save(photos / "blurred.png")
    good.resize((16, 16)).save(photos / "tiny.png")
    good.resize((40, 400)).save(photos / "odd-aspect.png")
    Image.new("RGB", (64, 64), (90, 120, 200)).save(photos / "one-colour.png")
    for name, ground, subject in (
        ("moon", 0, 255),
        ("crow", 255, 0),
    ):  # little light or much, but all is seen
        picture = Image.new("L", (96, 96), ground)
        picture.paste(subject, (40, 40, 60, 60))
        picture.save(photos / f"{name}.png")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n")
    files = sorted(path.name for path in photos.iterdir())
    measures = measure_images(photos, files)
    table = low_quality_images(measures, files)
    names, found = table["file"].str.removesuffix(".png"), table["kinds"].str.split("|")
    kinds = dict(zip(names, found, strict=True))
    assert set(kinds) == {"dark", "bright", "blurred", "tiny", "odd-aspect", "one-colour"}
    assert all(kind in found for kind, found in kinds.items())
    assert [problem.file for problem in measures.problems] == ["broken.png"]
