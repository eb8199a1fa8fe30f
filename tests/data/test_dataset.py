"""What read_dataset does with images and labels, wherever the labels come from."""

import os
from pathlib import Path

import numpy as np
import pytest

from tagger.data import read_dataset
from tagger.errors import TaggerError


def texts(dataset):
    return [str(problem) for problem in dataset.problems]


def test_the_order_of_rows_changes_nothing(folder):
    root = folder(**{"labels.csv": "file,labels\nc.jpg,dog\na.jpg,cat|dog\nb.jpg,\n"})
    first = read_dataset(root)
    (root / "labels.csv").write_text("file,labels\nb.jpg,\na.jpg,dog|cat\nc.jpg,dog\n")
    second = read_dataset(root)
    assert first.labels == second.labels == ("cat", "dog")
    assert first.images.equals(second.images)
    assert np.array_equal(first.labels_NK, second.labels_NK)
    assert list(first.images.columns) == ["file", "hash", "size", "picture_hash"]


def test_images_that_cannot_be_read_are_left_out_and_listed(folder):
    root = folder(**{"labels.csv": "file,labels\na.jpg,cat\nb.jpg,\nc.jpg,cat\n"})
    (root / "c.jpg").write_bytes(b"")
    dataset = read_dataset(root)
    assert dataset.images["file"].tolist() == ["a.jpg", "b.jpg"]
    assert dataset.labels_NK.tolist() == [[1], [0]]
    assert "c.jpg: 0 bytes: left out" in texts(dataset)
    for name in "ab":
        (root / f"{name}.jpg").write_bytes(b"")
    with pytest.raises(TaggerError, match="none of the 3 labelled images can be read"):
        read_dataset(root)


def test_a_folder_without_images_or_without_labels_says_what_to_add(folder):
    root = folder([])
    with pytest.raises(TaggerError, match="no images"):
        read_dataset(root)
    folder(["a.jpg", "b.jpg"])
    with pytest.raises(TaggerError, match=r"no labels. Add labels.csv"):
        read_dataset(root)


def test_labels_on_one_side_only_are_listed_and_kept(folder):
    dataset = read_dataset(folder(**{"labels.csv": "file,all,none,open\na.jpg,1,0,\nb.jpg,1,0,\n"}))
    assert dataset.labels == ("all", "none", "open")
    assert texts(dataset) == [
        "labels.csv: no photo is known to be without the label 'all': it cannot be learnt or measured",
        "labels.csv: no photo has the label 'none': it cannot be learnt or measured",
        "labels.csv: no photo has a known value for the label 'open': it cannot be learnt or measured",
    ]


def test_copies_with_other_labels_are_listed(folder):
    root = folder(["a.jpg", "c.jpg"], **{"labels.csv": "file,labels\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n"})
    (root / "b.jpg").write_bytes(b"a.jpg")
    dataset = read_dataset(root)
    assert len(dataset.images) == 3
    assert texts(dataset) == [
        "b.jpg: a copy of 'a.jpg', but with other values for 'cat', 'dog'; both are kept"
    ]


def test_labels_that_differ_in_case_only_are_pointed_out(folder):
    dataset = read_dataset(folder(**{"labels.csv": "file,labels\na.jpg,Cat\nb.jpg,cat\n"}))
    assert any("'Cat', 'cat' differ only in case" in text for text in texts(dataset))


def test_labels_toml_fixes_the_order_and_adds_labels(folder):
    root = folder(
        **{
            "labels.csv": "file,labels\na.jpg,cat\nb.jpg,dog\n",
            "labels.toml": 'labels = ["sea", "dog", "cat"]',
        }
    )
    dataset = read_dataset(root)
    assert dataset.labels == ("sea", "dog", "cat")
    assert dataset.labels_NK.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert any("no photo has the label 'sea'" in text for text in texts(dataset))
    (root / "labels.csv").write_text("file,cat,dog\na.jpg,1,0\nb.jpg,0,1\n")
    assert read_dataset(root).labels_NK.tolist() == [
        [-1, 0, 1],
        [-1, 1, 0],
    ]  # a table without the column says nothing


def test_broken_rules_and_groups_are_counted_not_changed(folder):
    toml = """
    [groups.age]
    kind = "ordinal"
    labels = ["young", "old"]
    [[rules]]
    if = "young"
    then = "people"
    [[rules]]
    if = "people"
    then = "young"
    """
    text = "file,labels\na.jpg,young|old\nb.jpg,young\nc.jpg,young|people\n"
    dataset = read_dataset(folder(**{"labels.csv": text, "labels.toml": toml}))
    assert dataset.labels_NK.sum() == 5
    assert dataset.groups == {"age": {"kind": "ordinal", "labels": ["young", "old"]}}
    assert [p for p in texts(dataset) if p.startswith("labels.toml")] == [
        "labels.toml: rule 'young' implies 'people': 2 images with the first label but not the second"
        " (the first is 'a.jpg'); the labels stay as they are",
        "labels.toml: group 'age' allows one label per image: 1 image with several"
        " (the first is 'a.jpg'); the labels stay as they are",
    ]


SHARED = Path(os.environ.get("TAGGER_SHARED", Path(__file__).parents[3] / "shared"))


@pytest.mark.skipif(
    not (SHARED / "data" / "photos").is_dir(), reason="the shared photos are not on this machine"
)
def test_real_photos_read_the_same_from_table_and_lists():
    root = SHARED / "data" / "photos"
    table, lists = read_dataset(root), read_dataset(root, root / "annotations")
    assert table.labels == lists.labels
    assert table.images.equals(lists.images)
    assert np.array_equal(table.labels_NK, lists.labels_NK)
    counts = dict(zip(table.labels, table.labels_NK.sum(axis=0).tolist(), strict=True))
    assert (len(table.images), counts["people"], counts["baby"]) == (8000, 2560, 38)
