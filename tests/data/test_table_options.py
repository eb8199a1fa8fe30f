"""Tables as they come from elsewhere: other columns, other signs, lists in JSON; and what the errors propose."""

import json
import re
import shlex

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from said import as_dict

from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.presets import load_read_options

PLANET = ["train_0.jpg", "train_1.jpg", "train_2.jpg"]
WANTED = {"train_0.jpg": ["haze", "primary"], "train_1.jpg": ["primary"], "train_2.jpg": ["haze"]}
FOREIGN = {  # as people have them, and the settings that read them
    "planet.csv": (
        "image_name,tags\ntrain_0,haze primary\ntrain_1,primary\ntrain_2,haze\n",
        "file_column=image_name labels_column=tags label_separator=space",
    ),
    "pairs.csv": (
        "id,label\ntrain_0,haze\ntrain_0,primary\ntrain_1,primary\ntrain_2,haze\n",
        "file_column=id labels_column=label",
    ),
    "semicolons.csv": (
        "path;labels\r\n/old/place/train_0.jpg;haze|primary\r\ntrain_1.jpg;primary\r\ntrain_2.jpg;haze\r\n",
        "file_column=path",
    ),
    "commas.tsv": (
        "image\tauthor\tkeywords\ntrain_0.jpg\tAnn\thaze, primary\ntrain_1.jpg\tBo\tprimary\ntrain_2.jpg\tBo\thaze\n",
        "file_column=image labels_column=keywords label_separator=comma",
    ),
    "onehot.csv": (
        "filename,width,author,haze,primary\ntrain_0.jpg,64,Ann,1,1\ntrain_1.jpg,64,Bo,0,1\ntrain_2.jpg,32,Bo,1,0\n",
        "file_column=filename ignore_columns=width,author",
    ),
    "rows.jsonl": (
        '{"image_id": "train_0", "classes": ["haze", "primary"]}\n{"image_id": "train_1", "classes": ["primary"]}\n'
        '{"image_id": "train_2", "classes": ["haze"]}\n',
        "file_column=image_id labels_column=classes",
    ),
}


def read_options(*settings):
    return load_read_options([f"data.{setting}" for setting in settings])


@pytest.mark.parametrize("name", FOREIGN)
def test_tables_of_other_people_are_read_with_the_settings_that_the_errors_propose(folder, name):
    text, chosen = FOREIGN[name]
    root = folder(PLANET, **{name: text})
    dataset = read_dataset(root, root / name, read_options=read_options(*chosen.split()))
    assert as_dict(dataset) == WANTED
    with pytest.raises(TaggerError) as refused:
        read_dataset(root, root / name)
    words = shlex.split(str(refused.value).partition("names images: ")[2])
    proposed = [word for word in words if word != "--set"]  # what a person would copy
    assert as_dict(read_dataset(root, root / name, read_options=load_read_options(proposed))) == WANTED
    assert {word.removeprefix("data.") for word in proposed} == set(chosen.split())


def test_any_sign_between_columns_and_between_labels(folder):
    root = folder(PLANET, **{"t.csv": "file^labels\ntrain_0^haze;primary\ntrain_1^primary\ntrain_2^haze\n"})
    with pytest.raises(TaggerError, match=r"no column 'file'"):
        read_dataset(root, root / "t.csv")
    dataset = read_dataset(
        root, root / "t.csv", read_options=read_options("delimiter=^", "label_separator=semicolon")
    )
    assert as_dict(dataset) == WANTED
    assert "labels joined by ;" in dataset.source
    whole = read_dataset(
        root, root / "t.csv", read_options=read_options("delimiter=^", "label_separator=none")
    )
    assert whole.labels == ("haze", "haze;primary", "primary")
    (root / "bars.csv").write_text("file|labels\ntrain_0|haze;primary\ntrain_1|primary\ntrain_2|haze\n")
    assert (
        as_dict(read_dataset(root, root / "bars.csv", read_options=read_options("label_separator=;")))
        == WANTED
    )


def test_columns_are_ignored_by_name_and_by_pattern_and_named(folder):
    text = "file,meta_x,cat,meta_y,a[1]\na.jpg,7,1,red,0\nb.jpg,8,0,blue,1\n"
    root = folder(**{"labels.csv": text})
    dataset = read_dataset(root, read_options=read_options("ignore_columns=meta_*,a[1]"))
    assert dataset.labels == ("cat",)
    assert "other columns are ignored: 'meta_x', 'meta_y', 'a[1]'" in dataset.source
    with pytest.raises(TaggerError, match=r"no column is left for labels \(data\.ignore_columns\)"):
        read_dataset(root, read_options=read_options("ignore_columns=*"))
    index = ",file,cat\n0,a.jpg,1\n1,b.jpg,0\n"  # the index that pandas writes
    assert read_dataset(folder(**{"labels.csv": index})).labels == ("cat",)


def test_a_column_that_is_not_there_names_its_setting(folder):
    root = folder(**{"labels.csv": "file,tags\na.jpg,x\n"})
    with pytest.raises(
        TaggerError, match=r"no column 'tag', which data\.labels_column names.*Did you mean 'tags'"
    ):
        read_dataset(root, read_options=read_options("labels_column=tag"))
    (root / "labels.csv").write_text("id,tags\na.jpg,x\n")
    with pytest.raises(
        TaggerError, match=r"no column 'name'; .* Column 'id' names images: --set data\.file_column=id"
    ):
        read_dataset(root, read_options=read_options("file_column=name"))


def test_what_tagger_writes_is_read_under_the_settings_that_the_first_table_needed(folder):
    """A run keeps its settings; the corrected labels have the usual columns."""
    chosen = read_options("file_column=id", "labels_column=tags", "label_separator=space")
    root = folder(**{"labels.csv": "file,labels\na.jpg,black cat|dog\n"})
    assert read_dataset(root, read_options=chosen).labels == ("black cat", "dog")
    (root / "labels.csv").write_text("file,black cat,dog\na.jpg,1,\nb.jpg,0,1\n")
    assert read_dataset(root, read_options=read_options("file_column=id")).labels == ("black cat", "dog")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("data.delimiter=ab", "give one sign"),
        ("data.file_colum=x", "Did you mean 'file_column'"),
        ("data.underscores=maybe", "'keep', 'spaces' or 'join'"),
        ("data.folds=3", "unknown key 'folds'"),
        ("train.lr=3", "only keys of 'data'"),
        ("data.label_separator=", "at least 1 character"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(setting, reason):
    with pytest.raises(TaggerError, match=re.escape(reason)):
        load_read_options([setting])


def test_names_are_found_by_their_end_and_without_their_suffix(folder):
    files = ["set/a/x.jpg", "set/b/x.jpg", "set/b/y.png", "z.jpg"]
    rows = [
        "a/x",
        "/home/me/set/b/x.jpg",
        "C:\\photos\\set\\b\\y.png",
        "old/z.jpg",
        "elsewhere/y.png",
        "x.jpg",
    ]
    text = "file,labels\n" + "".join(f"{name},l{k}\n" for k, name in enumerate(rows))
    dataset = read_dataset(folder(files, **{"labels.csv": text}))
    assert as_dict(dataset) == {files[0]: ["l0"], files[1]: ["l1"], files[2]: ["l2"], files[3]: ["l3"]}
    told = [str(problem) for problem in dataset.problems if problem.row]
    assert [line.partition(":")[0] for line in told] == ["labels.csv, row 6", "labels.csv, row 7"]


def test_json_lines_hold_lists_texts_or_cells(folder):
    forms = {
        "lists.jsonl": [
            {"file": "a.jpg", "labels": ["cat", "a|b"]},
            {"file": "b.jpg", "labels": [], "unknown": ["cat"]},
        ],
        "cells.jsonl": [{"file": "a.jpg", "cat": 1, "a|b": True}, {"file": "b.jpg", "cat": None, "a|b": 0.0}],
    }
    root = folder(["a.jpg", "b.jpg"])
    for name, rows in forms.items():
        (root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset = read_dataset(root, root / name)
        cell = {
            (f, label): v
            for f, row in zip("ab", dataset.labels_NK, strict=True)
            for label, v in zip(dataset.labels, row, strict=True)
        }
        assert cell == {("a", "cat"): 1, ("a", "a|b"): 1, ("b", "cat"): -1, ("b", "a|b"): 0}
    rows = [
        '{"file": "a.jpg", "labels": "cat|sea", "cat": 0.9, "sea": 0.8}',
        '{"file": "b.jpg", "labels": "", "cat": 0.1}',
    ]
    predicted = "\n".join(rows) + "\n"
    (root / "labels.jsonl").write_text(predicted)
    dataset = read_dataset(root)
    assert as_dict(dataset) == {"a.jpg": ["cat", "sea"], "b.jpg": []}
    assert (
        "labels.jsonl (labels joined by |, 2 rows; other columns are ignored: 'cat', 'sea')" in dataset.source
    )


def test_json_rows_without_labels_are_listed_and_broken_lines_are_one_error(folder):
    rows = (
        '{"file": "a.jpg", "labels": ["cat"]}\n\n{"file": "b.jpg"}\n{"file": "c.jpg", "labels": [{"x": 1}]}\n'
    )
    dataset = read_dataset(folder(**{"labels.jsonl": rows}))
    assert as_dict(dataset) == {"a.jpg": ["cat"]}
    told = [str(problem) for problem in dataset.problems][:2]
    assert told[0] == "labels.jsonl, row 3: 'labels' is null or absent: left out"
    assert told[1].startswith("labels.jsonl, row 4: 'labels' is [{'x': 1}], not a list of names")
    with pytest.raises(TaggerError, match="2 rows cannot be read as a JSON object: row 5, row 6"):
        read_dataset(folder(**{"labels.jsonl": rows + "[]\n{\n"}))
    with pytest.raises(TaggerError, match="it has no rows"):
        read_dataset(folder(**{"labels.jsonl": "\n"}))


@settings(max_examples=15)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(lambda s: s == s.strip()),
        unique=True,
        min_size=1,
    )
)
def test_lists_keep_every_name_that_json_and_parquet_can_hold(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("names")
    (root / "a.jpg").write_bytes(b"a")
    (root / "b.jpg").write_bytes(b"b")
    table = pd.DataFrame({"file": ["a.jpg", "b.jpg"], "labels": [names, []]})
    table.to_parquet(root / "t.parquet")
    table.to_json(root / "t.jsonl", orient="records", lines=True)
    for path in ("t.parquet", "t.jsonl"):
        assert as_dict(read_dataset(root, root / path)) == {"a.jpg": sorted(names), "b.jpg": []}


def test_underscores_become_spaces_or_the_other_way_in_every_form(folder):
    text = "file,long_hair,long hair,o_o\na.jpg,1,0,1\nb.jpg,0,1,0\nc.jpg,0,,0\n"
    root = folder(**{"labels.csv": text, "labels.toml": 'labels = ["long hair", "o_o"]'})
    dataset = read_dataset(root, read_options=read_options("underscores=spaces"))
    assert as_dict(dataset) == {"a.jpg": ["long hair", "o_o"], "b.jpg": ["long hair"], "c.jpg": []}
    assert as_dict(dataset, -1)["c.jpg"] == ["long hair"]
    (root / "labels.toml").unlink()
    assert read_dataset(root, read_options=read_options("underscores=join")).labels == ("long_hair", "o_o")
    assert read_dataset(root).labels == ("long_hair", "long hair", "o_o")


def test_training_reads_as_its_settings_say(tmp_path, tagger_cli):
    """Refused by their words: the settings of ``--set`` come to the reader."""
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "train.csv").write_text("image,tags\na,x\n")
    command = ["train", "--data", tmp_path, "--labels", tmp_path / "train.csv", "--backbone", "test_resnet"]
    done = tagger_cli(*command, "--weights", "none", "--set", "data.file_column=name")
    assert done.code == 2
    assert "there is no column 'name'" in done.err
    assert "--set data.file_column=image --set data.labels_column=tags" in done.err
