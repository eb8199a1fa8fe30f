"""The four kinds of label source, read through read_dataset as a user meets them."""

import numpy as np
import pandas as pd
import pytest

from tagger.data import ReadOptions, read_dataset
from tagger.errors import TaggerError

ABC = {"a.jpg": ["cat"], "b.jpg": ["cat", "dog"], "c.jpg": []}


def as_dict(dataset, value=1):
    """{file: names of the labels whose cell has this value}."""
    rows = zip(dataset.images["file"], dataset.labels_NK, strict=True)
    return {file: [dataset.labels[k] for k in np.flatnonzero(labels_K == value)] for file, labels_K in rows}


def test_every_form_of_the_same_labels_reads_the_same(folder):
    root = folder(
        ["a.jpg", "b.jpg", "c.jpg"],
        **{
            "long.csv": "file,labels\na.jpg,cat\nb.jpg,cat|dog\nc.jpg,\n",
            "tidy.tsv": "file\tlabels\na.jpg\tcat\nb.jpg\tcat\nb.jpg\tdog\nc.jpg\t\n",
            "wide.csv": "file,cat,dog\na.jpg,1,0\nb.jpg,1,1\nc.jpg,0,0\n",
            "index.csv": ",file,labels\n0,a.jpg,cat\n1,b.jpg,cat|dog\n2,c.jpg,\n",
            "floats.csv": "file,cat,dog\na.jpg,1.0,0.0\nb.jpg,1.0,1.0\nc.jpg,0.0,0.0\n",
            "semicolons.csv": "\ufefffile;labels;;\r\na.jpg;cat;;\r\nb.jpg;dog | cat;;\r\n\r\nc.jpg;;;\r\n",
            "annotations/cat.txt": "a\nb.jpg\n",
            "annotations/dog.txt": "b.jpg\n",
        },
    )
    pd.DataFrame({"file": list(ABC), "labels": list(ABC.values())}).to_parquet(root / "long.parquet")
    wide = pd.DataFrame({"file": list(ABC), "cat": [1, 1, 0], "dog": [False, True, False]}, index=[7, 8, 9])
    wide.to_parquet(root / "wide.parquet")
    tables = sorted(path.name for path in root.iterdir() if path.suffix in (".csv", ".tsv", ".parquet"))
    assert len(tables) == 8
    for name in [*tables, "annotations"]:
        dataset = read_dataset(root, root / name)
        assert as_dict(dataset) == ABC, name
        assert as_dict(dataset, -1) == {"a.jpg": [], "b.jpg": [], "c.jpg": []}, name
        assert dataset.labels_NK.dtype == np.int8


def test_sources_are_recognised_in_their_order_and_the_ignored_are_named(folder):
    root = folder(
        ["cat/a.jpg", "dog/b.jpg"],
        **{
            "labels.csv": "file,labels\na.jpg,table",
            "labels.tsv": "file\tlabels\na.jpg\ttsv",
            "cat/a.txt": "sidecar",
        },
    )
    (root / "annotations").mkdir()
    (root / "annotations" / "list.txt").write_text("a.jpg\n")
    expected = {
        "labels.csv": "table",
        "labels.tsv": "tsv",
        "cat/a.txt": "sidecar",
        "annotations/list.txt": "list",
    }
    for name, label in expected.items():
        dataset = read_dataset(root)
        assert dataset.labels == (label,)
        (root / name).unlink()
    assert read_dataset(root).labels == ("cat", "dog")


def test_the_source_sentence_says_what_was_used_and_what_not(folder):
    root = folder(
        **{"labels.csv": "file,labels,note\na.jpg,cat,x", "labels.tsv": "", "annotations/cat.txt": "b.jpg"}
    )
    sentence = read_dataset(root).source
    for part in ("labels.csv", "1 row", "'note'", "annotations/", "labels.tsv"):
        assert part in sentence


def test_empty_cells_are_unknown_in_wide_form(folder):
    dataset = read_dataset(folder(**{"labels.csv": "file,cat,dog\na.jpg,1,\nb.jpg,,0\n"}))
    assert dataset.labels_NK.tolist() == [[1, -1], [-1, 0]]
    assert dataset.unlisted == ("c.jpg",)


def test_names_may_hold_anything_that_csv_can_quote(folder):
    names = ["two words", "red, white", 'so "called"', "two\nlines", "猫", "naïve"]
    table = pd.DataFrame({"file": [f"{i}.jpg" for i in range(len(names))], "labels": names})
    root = folder(list(table["file"]), **{"labels.csv": table.to_csv(index=False)})
    with pytest.raises(
        TaggerError, match=r"'red, white' may be 2 labels.*or one label with --set data\.label_separator=none"
    ):
        read_dataset(root)
    dataset = read_dataset(root, read_options=ReadOptions(label_separator="none"))
    assert sorted(dataset.labels) == sorted(names)
    wide = pd.DataFrame(np.eye(len(names), dtype=int), columns=names).assign(file=table["file"])
    dataset = read_dataset(folder(list(table["file"]), **{"labels.csv": wide.to_csv(index=False)}))
    assert list(dataset.labels) == names


def test_files_are_found_by_path_beside_the_label_file_or_by_a_bare_name(folder):
    root = folder(["set/x/a.jpg", "set/y/a.jpg", "set/y/é b.jpg", "set/z/o.jpg"])
    (root / "tables").mkdir()
    text = "file,labels\n../set/x/a.jpg,1\ny/a.jpg,2\ne\u0301 b.jpg,3\nz\\o.jpg,4\n"
    (root / "tables" / "t.csv").write_text(text, encoding="utf-8")
    dataset = read_dataset(root / "set", root / "tables" / "t.csv")
    assert as_dict(dataset) == {"x/a.jpg": ["1"], "y/a.jpg": ["2"], "y/é b.jpg": ["3"], "z/o.jpg": ["4"]}


def test_an_ambiguous_bare_name_names_the_candidates(folder):
    root = folder(["x/a.jpg", "y/a.jpg", "b.jpg"], **{"labels.csv": "file,labels\na.jpg,cat\nb.jpg,cat\n"})
    problems = map(str, read_dataset(root).problems)
    assert "labels.csv, row 2: 'a.jpg' may be 'x/a.jpg' or 'y/a.jpg': give the path" in problems


def test_rows_of_absent_images_are_each_listed_with_the_nearest(folder):
    root = folder(
        ["im1.jpg", "im2.jpg"], **{"labels.csv": "file,labels\nim1.png,cat\nim1.jpg,dog\n,dog\nqq,dog\n"}
    )
    problems = [str(p) for p in read_dataset(root).problems]
    assert "labels.csv, row 2: there is no image 'im1.png'. Did you mean 'im1.jpg'?" in problems
    assert "labels.csv, row 4: the file name is empty" in problems
    assert "labels.csv, row 5: there is no image 'qq'." in problems


def test_rows_are_counted_in_lines_of_the_file(folder):
    root = folder(**{"labels.csv": 'file,labels\n\na.jpg,"two\nlines"\nnone.jpg,x\n'})
    problems = read_dataset(root, read_options=ReadOptions(label_separator="none")).problems
    assert any(str(p).startswith("labels.csv, row 5:") for p in problems)


def test_rows_that_repeat_in_long_form_are_joined_and_told(folder):
    root = folder(**{"labels.csv": "file,labels\na.jpg,cat\nb.jpg,\nb.jpg,\na.jpg,dog\na.jpg,cat\n"})
    dataset = read_dataset(root)
    assert as_dict(dataset) == {"a.jpg": ["cat", "dog"], "b.jpg": []}
    assert [str(p) for p in dataset.problems] == [
        "labels.csv, row 5: 'a.jpg' has other labels in row 2: the image gets those of all its rows"
    ]


def test_a_file_with_one_label_a_row_does_not_flood_the_list_of_problems(folder):
    files = [f"{i}.jpg" for i in range(100)]
    rows = "".join(f"{file},cat\n{file},dog\n" for file in files[:90])
    dataset = read_dataset(folder(files, **{"labels.csv": f"file,labels\n{rows}"}))
    assert len(dataset.problems) < 30
    assert any("70 more images" in str(p) for p in dataset.problems)


def test_rows_that_clash_in_wide_form_make_the_cell_unknown(folder):
    text = "file,cat,dog,sea\na.jpg,1,0,\nb.jpg,0,1,0\na.jpg,0,0,1\na.jpg,1,0,1\n"
    dataset = read_dataset(folder(**{"labels.csv": text}))
    assert dataset.labels_NK.tolist() == [[-1, 0, 1], [0, 1, 0]]
    assert (
        "labels.csv, row 4: 'a.jpg' is also in row 2, and they disagree on 'cat': counted as unknown"
        in map(str, dataset.problems)
    )


BROKEN = {
    "image,labels\na.jpg,cat\n": r"no column 'file'; the columns are 'image', 'labels'",
    "filename,labels\na.jpg,cat\n": r"Did you mean 'filename'\?",
    "file\na.jpg\n": "there are no labels",
    "file,labels\nx.jpg,cat\ny.jpg,cat\n": r"none of its 2 rows names an image .*Row 2: .*'x.jpg'.* Row 3: .*'y.jpg'",
    "file,labels\n": "no rows",
    "file,labels\na.jpg,\n": "lists images, but no label",
    "": "is empty",
    " \n\n": "is empty",
    ",,\n": "no column 'file'; the columns are none",
    "file,labels\na.jpg,cat,dog\nb.jpg\nc.jpg,x\n": r"2 rows do not have 2 cells .*: row 2 \(3\), row 3 \(1\)",
    'file,labels\na.jpg,"cat\nb.jpg,dog\n': "row 2: broken quoting",
    'file,labels\na.jpg,"cat"x\n': "row 2: broken quoting",
    "file,labels\na.jpg,c\0t\n": "row 2: there is a NUL byte",
    "file,cat,cat\na.jpg,1,0\n": "several columns are called 'cat'",
    "file,cat,,dog\na.jpg,1,0,1\n": "column 3 has no name",
    "file,cat,dog,sea\na.jpg,1,yes,0\nb.jpg,2,no,1\n": r"2 columns .*'dog' \(row 2: 'yes'\), 'cat' \(row 3: '2'\)",
    "file,label\na.jpg,cat\n": r"'label' \(row 2: 'cat'\)\. If 'label' holds names .* --set data\.labels_column=label$",
}


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: repr(text)[:40])
def test_a_broken_table_is_one_error_that_says_where(folder, text):
    with pytest.raises(TaggerError, match=BROKEN[text]) as caught:
        read_dataset(folder(**{"labels.csv": text}))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_or_no_parquet_are_errors(folder):
    root = folder()
    (root / "labels.csv").write_bytes("file,labels\na.jpg,né\n".encode("latin-1"))
    with pytest.raises(TaggerError, match="row 2: this is not UTF-8"):
        read_dataset(root)
    (root / "bad.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(TaggerError, match="cannot be read as a Parquet file"):
        read_dataset(root, root / "bad.parquet")


def test_sidecars_hold_labels_between_commas_or_on_lines(folder):
    root = folder(
        ["a.jpg", "b.png", "sub/c.jpg", "d.jpg"],
        **{"a.txt": 'cat, "red, white",', "b.txt": "", "sub/c.txt": "cat\ndog"},
    )
    dataset = read_dataset(root)
    assert as_dict(dataset) == {"a.jpg": ["cat", "red, white"], "b.png": [], "sub/c.jpg": ["cat", "dog"]}
    assert dataset.unlisted == ("d.jpg",)


def test_booru_sidecars_lose_the_backslashes_of_prompts_and_quoted_labels_keep_theirs(folder):
    text = 'long_hair, hatsune_miku_\\(cosplay\\), "a\\(b", o_o'
    root = folder(**{"a.txt": text, "b.txt": "long hair"})
    labels = ["a\\(b", "hatsune_miku_(cosplay)", "long_hair", "o_o"]
    assert as_dict(read_dataset(root)) == {"a.jpg": labels, "b.jpg": ["long hair"]}
    spaced = as_dict(read_dataset(root, read_options=ReadOptions(underscores="spaces")))
    assert spaced == {
        "a.jpg": ["a\\(b", "hatsune miku (cosplay)", "long hair", "o_o"],
        "b.jpg": ["long hair"],
    }


def test_progress_goes_on_to_the_number_of_images_and_never_back(folder):
    files = [f"{n}.jpg" for n in range(7)]
    for name in ("labels.csv", "0.txt"):
        done = []
        text = "file,labels\n0.jpg,x\n1.jpg,\n" if name == "labels.csv" else "x"
        root = folder(files, **{name: text})
        read_dataset(root, progress=done.append)
        assert done == sorted(done)
        assert done[-1] <= len(files)
        (root / name).unlink()


def test_a_sidecar_that_is_no_text_is_listed_and_its_image_left_out(folder):
    root = folder(**{"a.txt": "cat", "b.txt": "dog"})
    (root / "c.txt").write_bytes(b"\xff\xfe")
    dataset = read_dataset(root)
    assert dataset.unlisted == ("c.jpg",)
    assert any(p.file == "c.txt" for p in dataset.problems)


def test_ids_in_lists_mean_the_stem_with_that_number(folder):
    root = folder(
        ["images/im7.jpg", "images/im70.jpg", "images/x-008.png", "images/9.jpg", "images/b9.jpg"],
        **{"annotations/black cat.txt": "7\n70\n\n8\n", "annotations/dog.txt": "9\n999\n"},
    )
    dataset = read_dataset(root)
    assert as_dict(dataset) == {
        "images/9.jpg": ["dog"],  # the whole stem goes before the number in it
        "images/b9.jpg": [],
        "images/im7.jpg": ["black cat"],
        "images/im70.jpg": ["black cat"],
        "images/x-008.png": ["black cat"],
    }
    assert [str(p) for p in dataset.problems][:1] == ["annotations/dog.txt, row 2: there is no image '999'."]


def test_lists_that_name_no_image_at_all_are_an_error(folder):
    with pytest.raises(TaggerError, match="none of its 2 lines"):
        read_dataset(folder(**{"annotations/cat.txt": "77\n78\n"}))


def test_one_file_in_two_folders_has_both_labels(folder):
    root = folder(["cat/1.jpg", "dog/deep/2.jpg", "top.jpg"])
    (root / "dog" / "same.jpg").write_bytes(b"cat/1.jpg")
    dataset = read_dataset(root)
    assert as_dict(dataset) == {"cat/1.jpg": ["cat", "dog"], "dog/deep/2.jpg": ["dog"]}
    assert dataset.unlisted == ("top.jpg",)
    assert any("1 file is a copy of other images" in str(p) for p in dataset.problems)


def test_labels_named_by_the_user_go_before_what_is_recognised(folder):
    root = folder(["x/a.jpg", "y/b.jpg"], **{"labels.csv": "file,labels\na.jpg,table\n"})
    assert read_dataset(root).labels == ("table",)
    assert read_dataset(root, root).labels == ("x", "y")
    with pytest.raises(TaggerError, match=r"Did you mean 'labels\.csv'"):
        read_dataset(root, root / "label.csv")
    (root / "labels.docx").touch()
    with pytest.raises(TaggerError, match="no known label format"):
        read_dataset(root, root / "labels.docx")
