"""Which labels are used is said, and what else was found and left alone; for every form."""

import pytest
from forms import SAID, forms, make, photo

from tagger.data import read_dataset
from tagger.errors import TaggerError

FORMS = forms()
TITLES = {  # what the sentence calls a form that is not used, where that is not its path
    "txt b.txt": ".txt files beside images",
    "xmp b.jpg.xmp": "keywords of images",
    "keywords b.jpg": "keywords of images",
    "YOLO b.txt": "data.yaml",
    "VOC Annotations/b.xml": "Annotations/",
    "lists annotations/cat.txt": "annotations/",
}


@pytest.mark.parametrize("name", [name for name in FORMS if name != "labels labels.csv"])
def test_beside_a_table_every_other_form_is_named_as_ignored(tmp_path, name):
    make(tmp_path, FORMS[name])
    alone = read_dataset(tmp_path).source
    assert alone.startswith("Labels from ")
    assert FORMS[name].word in alone
    assert "ignored:" not in alone
    (tmp_path / "labels.csv").write_bytes(FORMS["labels labels.csv"].files["labels.csv"])
    both = read_dataset(tmp_path).source
    assert (
        both
        == f"Labels from labels.csv (labels joined by |, 3 rows); ignored: {TITLES.get(name, FORMS[name].main)}."
    )


def test_sub_folders_are_the_last_resort_and_are_said_to_be_used(tmp_path):
    for folder, file in (("cat", "a.jpg"), ("dog", "b.jpg")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_bytes(photo(file))
    assert read_dataset(tmp_path).source == "Labels from 2 sub-folders, one per label."


def test_a_table_of_another_name_is_proposed_where_there_are_no_labels(tmp_path):
    for file in SAID:
        (tmp_path / file).write_bytes(photo(file))
    (tmp_path / "train.csv").write_text("image,tags\na,x\n")
    with pytest.raises(
        TaggerError, match=r"no labels\. Add .* with --labels, such as --labels .*train\.csv\. "
    ) as told:
        read_dataset(tmp_path)
    assert str(told.value).endswith(
        "names images: --set data.file_column=image --set data.labels_column=tags"
    )


def test_every_data_command_takes_the_settings_of_reading(tmp_path, tagger_cli):
    for file in SAID:
        (tmp_path / file).write_bytes(photo(file))
    (tmp_path / "train.csv").write_text("image;tags\na;black_cat sea\nb;sea\nc;\n")
    options = ["image", "tags", "space", "spaces"]
    keys = ["file_column", "labels_column", "label_separator", "underscores"]
    sets = [
        word for key, value in zip(keys, options, strict=True) for word in ("--set", f"data.{key}={value}")
    ]
    done = tagger_cli("data", "stats", tmp_path, "--labels", tmp_path / "train.csv", *sets)
    assert done.code == 0, done.err
    assert "black cat" in done.out
    out = tmp_path / "labels.csv"
    assert (
        tagger_cli("data", "convert", tmp_path, "--labels", tmp_path / "train.csv", *sets, "--out", out).code
        == 0
    )
    assert out.read_text() == "file,labels\na.jpg,black cat|sea\nb.jpg,sea\nc.jpg,\n"
    refused = tagger_cli("data", "stats", tmp_path, "--set", "train.lr=1")
    assert refused.code == 2
    assert "only keys of 'data'" in refused.err
    hint = tagger_cli("data", "check", tmp_path, "--labels", tmp_path / "train.csv")
    assert hint.code == 2
    assert (
        "--set data.file_column=image --set data.labels_column=tags --set data.label_separator=space"
        in hint.out
    )


def test_a_spreadsheet_says_how_it_is_saved(tmp_path):
    (tmp_path / "a.jpg").write_bytes(photo("a.jpg"))
    (tmp_path / "labels.xlsx").write_bytes(b"PK")
    with pytest.raises(TaggerError, match=r"labels\.xlsx: a spreadsheet is not read\. Save it as CSV"):
        read_dataset(tmp_path, tmp_path / "labels.xlsx")
    with pytest.raises(TaggerError, match=r"1 image and labels\.xlsx, but no labels"):
        read_dataset(tmp_path)
