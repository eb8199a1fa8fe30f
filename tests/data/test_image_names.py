"""Names of photos as tables and lists write them: other capitals, percent signs, lost zeros, folders of splits."""

import pytest
from said import as_dict

from tagger.data import read_dataset
from tagger.errors import TaggerError


@pytest.mark.parametrize(
    ("on_disk", "in_table"),
    [
        (["im7.JPG", "im8.JPG"], ["im7.jpg", "im8.jpg"]),
        (["Photos/a.jpg", "Photos/b.jpg"], ["photos/A.JPG", "photos/B.JPG"]),
        (["my cat.jpg", "a+b.jpg"], ["my%20cat.jpg", "a%2Bb.jpg"]),
        (["my%20cat.jpg", "b.jpg"], ["my cat.jpg", "b.jpg"]),
        (["000048.jpg", "000007.jpg"], ["48", "7"]),
        (["000048.jpg", "000007.jpg"], ["48.0", "7.0"]),
        (["x/000048.jpg", "x/7.jpg"], ["48.jpg", "0007.jpg"]),
        (["up/a b.jpg", "up/c.jpg"], ["https://host/up/a%20b.jpg?x=1", "https://host/up/c.jpg"]),
    ],
)
def test_the_only_photo_that_differs_as_programs_change_names_is_meant(folder, on_disk, in_table):
    rows = "".join(f"{name},{label}\n" for name, label in zip(in_table, ["cat", "dog"], strict=True))
    dataset = read_dataset(folder(on_disk, **{"labels.csv": "file,labels\n" + rows}))
    assert as_dict(dataset) == {on_disk[0]: ["cat"], on_disk[1]: ["dog"]}


def test_several_photos_that_fit_are_named_and_none_is_taken(folder):
    root = folder(
        ["A.jpg", "a.JPG", "01.jpg", "001.jpg", "z.jpg"],
        **{"labels.csv": "file,labels\na.jpg,cat\n1,cat\nz.jpg,dog\n"},
    )
    dataset = read_dataset(root)
    assert as_dict(dataset) == {"z.jpg": ["dog"]}
    assert [str(p) for p in dataset.problems if p.row] == [
        "labels.csv, row 2: 'a.jpg' may be 'A.jpg' or 'a.JPG': give the path",
        "labels.csv, row 3: '1' may be '001.jpg' or '01.jpg': give the path",
    ]


def test_the_exact_name_goes_before_one_that_is_only_alike(folder):
    root = folder(["a.JPG", "a.jpg", "7.jpg", "007.jpg"], **{"labels.csv": "file,labels\na.jpg,x\n7,y\n"})
    assert as_dict(read_dataset(root)) == {"7.jpg": ["y"], "a.jpg": ["x"]}


TWINS = ["train/1.jpg", "train/2.jpg", "val/1.jpg", "val/2.jpg"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train.csv", "file,labels\n1.jpg,cat\n2.jpg,dog\n"),
        ("labels_train.csv", "file,labels\n1,cat\n2,dog\n"),
        ("labels.csv", "file,labels,split\n1.jpg,cat,training\n2.jpg,dog,training\n"),
        ("train/labels.csv", "file,labels\n1.jpg,cat\n2.jpg,dog\n"),
    ],
)
def test_twins_of_split_folders_are_told_apart_by_the_file_or_the_row(folder, name, text):
    root = folder(TWINS, **{name: text})
    assert as_dict(read_dataset(root, root / name)) == {"train/1.jpg": ["cat"], "train/2.jpg": ["dog"]}


@pytest.mark.parametrize(
    ("files", "rows", "reasons"),
    [
        (
            TWINS,
            "1.jpg,cat\n2.jpg,dog\n",
            ["Row 2: '1.jpg' may be 'train/1.jpg' or 'val/1.jpg': give the path."],
        ),
        (["a.png"], "a.jpg,cat\nb.jpg,dog\n", ["Row 2: there is no image 'a.jpg'. Did you mean 'a.png'?"]),
        (
            ["photo1.jpg"],
            "\n".join(f"foto{k},cat" for k in range(5)),
            ["Row 2: there is no image 'foto0'.", "And 2 more."],
        ),
    ],
)
def test_where_no_row_fits_the_first_reasons_stand_in_the_error(folder, files, rows, reasons):
    root = folder(files, **{"labels.csv": "file,labels\n" + rows})
    with pytest.raises(TaggerError, match="names an image in") as refused:
        read_dataset(root)
    for reason in reasons:
        assert reason in str(refused.value)


def test_lists_name_the_first_reasons_too(folder):
    with pytest.raises(TaggerError, match=r"Row 1: '1' may be 'train/1.jpg' or 'val/1.jpg'"):
        read_dataset(folder(TWINS, **{"annotations/cat.txt": "1\n2\n"}))


def test_a_read_me_beside_lists_is_no_label(folder):
    text = "These lists were made by hand.\nAsk Ann.\n"
    root = folder(
        **{"annotations/cat.txt": "a.jpg\n", "annotations/dog.txt": "", "annotations/README.txt": text}
    )
    dataset = read_dataset(root)
    assert dataset.labels == ("cat", "dog")
    assert any(
        str(p)
        == "annotations/README.txt: none of its 2 lines names a photo: it is no list of photos, so it is no label"
        for p in dataset.problems
    )


def test_image_sets_of_pascal_voc_have_verdicts_behind_the_names(folder):
    root = folder(
        ["JPEGImages/000012.jpg", "JPEGImages/000017.jpg", "JPEGImages/000023.jpg", "JPEGImages/000026.jpg"],
        **{
            "ImageSets/Main/cat_train.txt": "000012 -1\n000017  1\n000023  0\n",
            "ImageSets/Main/dog_train.txt": "000012  1\n000017 -1\n",
            "ImageSets/Main/train.txt": "000012\n000017\n000023\n",
        },
    )
    dataset = read_dataset(root, root / "ImageSets" / "Main")
    yes = {file.rpartition("/")[2][:6]: labels for file, labels in as_dict(dataset).items()}
    unknown = {file.rpartition("/")[2][:6]: labels for file, labels in as_dict(dataset, -1).items()}
    assert yes == {"000012": ["dog"], "000017": ["cat"], "000023": []}
    assert unknown == {"000012": [], "000017": [], "000023": ["cat", "dog"]}
    assert any(p.file == "Main/train.txt" for p in dataset.problems)
