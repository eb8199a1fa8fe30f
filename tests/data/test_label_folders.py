"""Sub-folders as labels: splits are no labels, other folders are doubted, and what lies beside is named."""

import numpy as np
import pytest
from PIL import Image
from small import train_argv

from tagger.data import read_dataset
from tagger.data.folder_split import split_by_folders, split_of_file
from tagger.errors import TaggerError
from tagger.runs import RunFolder


def photos(root, folders, each=3):
    """Different photos in each folder."""
    rng = np.random.default_rng(0)
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for n in range(each):
            name = f"{folder.replace('/', '_')}_{n}.png"
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(root / folder / name)


@pytest.mark.parametrize(
    "splits",
    [
        ("train", "val"),
        ("train", "valid", "test"),
        ("Training", "Validation"),
        ("train",),
        ("train", "dev", "testing"),
    ],
)
def test_split_folders_are_no_labels(splits, tmp_path):
    photos(tmp_path, [f"{split}/{label}" for split in splits for label in ("cat", "dog")])
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert len(dataset.images) == 6 * len(splits)
    assert "data.split=folders" in dataset.source
    for file, row in zip(dataset.images["file"], dataset.labels_NK, strict=True):
        assert row.tolist() == [int("/cat/" in file), int("/dog/" in file)]


def test_a_class_called_train_is_a_label(tmp_path):
    photos(tmp_path, ["train", "car", "bus"])
    assert read_dataset(tmp_path).labels == ("bus", "car", "train")


def test_a_folder_beside_the_splits_is_named(tmp_path):
    photos(tmp_path, ["train/cat", "train/dog", "val/cat", "val/dog", "extra/cat"])
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert any("extra/" in str(problem) for problem in dataset.problems)
    assert len(dataset.unlisted) == 3


def test_splits_without_labels_are_no_labels(tmp_path):
    photos(tmp_path, ["train", "val"])
    with pytest.raises(TaggerError, match="no labels"):
        read_dataset(tmp_path)


def test_images_and_masks_are_no_labels_unless_somebody_says_so(tmp_path):
    photos(tmp_path, ["images", "masks"])
    with pytest.raises(TaggerError, match="no labels"):
        read_dataset(tmp_path)
    named = read_dataset(tmp_path, tmp_path)
    assert named.labels == ("images", "masks")
    assert any("kinds of files, perhaps no labels" in str(problem) for problem in named.problems)


@pytest.mark.parametrize(
    "folders", [["2019", "2020"], ["2019-05-01 Paris", "2020-06-02 Rome"], ["01", "02", "12"]]
)
def test_dates_are_doubted_aloud(folders, tmp_path):
    photos(tmp_path, folders)
    assert any(
        "dates or numbers, perhaps no labels" in str(problem) for problem in read_dataset(tmp_path).problems
    )


def test_usual_labels_are_not_doubted(tmp_path):
    photos(tmp_path, ["cat", "dog", "1990s"])
    assert not any("perhaps no labels" in str(problem) for problem in read_dataset(tmp_path).problems)


def test_the_split_of_the_folders_is_kept_and_torn_copies_are_named():
    files = [f"{split}/cat/{n}.jpg" for split in ("train", "valid", "test") for n in range(8)]
    labels = np.tile(np.array([[0], [1]], np.int8), (12, 1))
    groups = np.arange(24)
    groups[23] = groups[0]  # a copy of a training photo in test
    found = split_by_folders(
        files, labels, [str(group) for group in groups], groups=groups, folds=4, seed=0, names=["cat"]
    )
    assert found.split.tolist() == ["train"] * 8 + ["val"] * 8 + ["test"] * 8
    assert set(found.fold[:16].tolist()) == {0, 1, 2, 3}
    assert (found.fold[16:] == -1).all()
    assert any("train/cat/0.jpg and test/cat/7.jpg" in note for note in found.notes)


def test_a_photo_in_no_split_is_refused_with_its_name():
    with pytest.raises(TaggerError, match=r"1 photo in no folder of a split, such as other/b\.jpg"):
        split_by_folders(
            ["train/a.jpg", "other/b.jpg"], np.zeros((2, 1), np.int8), ["a", "b"],
            groups=np.arange(2), folds=2, seed=0, names=["x"],
        )  # fmt: skip


def test_the_first_folder_that_names_a_split_counts():
    assert split_of_file("images/Val/train/1.jpg") == "val"
    assert split_of_file("a/b.jpg") == ""


def test_train_keeps_the_splits_of_the_folders(tagger_cli, tmp_path):
    photos(
        tmp_path / "data",
        [f"{split}/{label}" for split in ("train", "val", "test") for label in ("cat", "dog")],
        6,
    )
    argv = train_argv(tmp_path / "data", tmp_path / "run", data__split="folders")
    done = tagger_cli(*argv)
    assert done.code == 0, done.err
    images = RunFolder(tmp_path / "run").load_images()
    assert images["split"].tolist() == [file.partition("/")[0] for file in images["file"]]
    assert (images["fold"] >= 0).tolist() == (images["split"] != "test").tolist()


@pytest.mark.parametrize(
    "layout",
    [
        "{part}ing_set/{part}ing_set/{label}/{n}.png",
        "seg_{part}/seg_{part}/{label}/{n}.png",
        "{part}_images/{label}/{n}.png",
        "{part}2017/{label}/{n}.png",
    ],
)
def test_splits_with_other_words_in_their_names_are_no_labels(layout, tmp_path):
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            for n in range(3):
                path = tmp_path / layout.format(part=part, label=label, n=n)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (4, 4), (40 * n, len(part), len(label))).save(path)
    found = read_dataset(tmp_path)
    assert found.labels == ("cat", "dog")
    assert "which are splits" in found.source


def test_folds_are_parts_and_a_folder_of_images_in_one_split_is_no_label(tmp_path):
    for n, name in enumerate(f"folds/fold{k}/{label}/x.png" for k in (1, 2) for label in ("cat", "dog")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (40 * n, 0, 0)).save(tmp_path / name)
    found = read_dataset(tmp_path / "folds")
    assert (found.labels, "which are parts" in found.source) == (("cat", "dog"), True)
    for n, name in enumerate(["train/cat/images/a.png", "train/dog/images/b.png", "val/images/c.png"]):
        (tmp_path / "tiny" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (40 * n, 9, 0)).save(tmp_path / "tiny" / name)
    tiny = read_dataset(tmp_path / "tiny")
    assert tiny.labels == ("cat", "dog")
    assert tiny.unlisted == ("val/images/c.png",)
    assert "inside the splits, images/ not read as labels" in [problem.reason for problem in tiny.problems]


def test_files_of_captions_are_named_where_there_are_no_labels(tmp_path):
    for n in range(3):
        Image.new("RGB", (4, 4), (40 * n, 0, 0)).save(tmp_path / f"{n}.png")
        (tmp_path / f"{n}.caption").write_text("a cat")
    with pytest.raises(TaggerError, match=r"3 images and 3 \.caption files beside images, but no labels"):
        read_dataset(tmp_path)
