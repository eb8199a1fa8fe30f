"""Tables of well-known data sets and programs: read right, or refused with settings that read them right."""

import json
import re
import shlex

import pytest
from said import as_dict

from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.presets import load_read_options

FILES = ["000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg"]


def read(root, table="t.csv", *chosen):
    return read_dataset(root, root / table, read_options=load_read_options([f"data.{c}" for c in chosen]))


def proposed(root, table="t.csv"):
    """The settings of each reading that the refusal of a table proposes, as they are typed."""
    with pytest.raises(TaggerError) as refused:
        read(root, table)
    found = re.findall(r"(?:--set (?:'[^']*'|[^\s;,(]+(?:,[^\s;,(]+)*) ?)+", str(refused.value))
    return [[word.removeprefix("data.") for word in shlex.split(text) if word != "--set"] for text in found]


def cells(dataset):
    """{file: {label: value}}."""
    return {
        file: dict(zip(dataset.labels, row, strict=True))
        for file, row in zip(dataset.images["file"], dataset.labels_NK.tolist(), strict=True)
    }


CHEXPERT = (
    "Path,Sex,Age,Frontal/Lateral,No Finding,Edema\n"
    "CheXpert/train/000001.jpg,Female,60,Frontal,1.0,\n"
    "CheXpert/train/000002.jpg,Female,61,Lateral,0.0,-1.0\n"
    "CheXpert/train/000003.jpg,Male,62,Frontal,-1.0,1.0\n"
)


def test_chexpert_is_read_with_the_first_settings_that_its_refusal_proposes(folder):
    root = folder(FILES, **{"t.csv": CHEXPERT})
    uncertain, negative = proposed(root)
    assert uncertain == ["file_column=Path", "ignore_columns=Sex,Age,Frontal/Lateral", "unknown=-1"]
    assert negative == [*uncertain[:2], "no=-1", "unknown=0"]
    assert cells(read(root, "t.csv", *uncertain)) == {
        "000001.jpg": {"No Finding": 1, "Edema": -1},
        "000002.jpg": {"No Finding": 0, "Edema": -1},
        "000003.jpg": {"No Finding": -1, "Edema": 1},
    }


def test_minus_one_zero_and_one_are_refused_with_both_readings(folder):
    text = "filename,cat,dog\n000001.jpg,1,-1\n000002.jpg,0,1\n000003.jpg,-1,-1\n"
    root = folder(FILES, **{"t.csv": text, "labels.csv": text.replace("filename", "file")})
    readings = [set(one) - {"file_column=filename"} for one in proposed(root)]
    assert readings == [{"unknown=-1"}, {"no=-1", "unknown=0"}]
    assert [set(one) for one in proposed(root, "labels.csv")] == readings
    voc = read(root, "t.csv", "file_column=filename", "no=-1", "unknown=0")
    assert voc.labels_NK.tolist() == [[1, 0], [-1, 1], [0, 0]]


CELEBA = "4\nBald Smiling \n000001.jpg -1  1\n000002.jpg  1 -1\n000003.jpg -1 -1\n000004.jpg  1  1\n"


@pytest.mark.parametrize(
    ("name", "text", "needed"),
    [
        ("list_attr_celeba.txt", CELEBA, ["no=-1"]),
        (
            "list_attr_celeba.csv",
            "image_id,Bald,Smiling\n000001.jpg,-1,1\n000002.jpg,1,-1\n000003.jpg,-1,-1\n000004.jpg,1,1\n",
            ["file_column=image_id", "no=-1"],
        ),
    ],
)
def test_celeba_is_read_with_one_setting(folder, name, text, needed):
    root = folder(FILES, **{name: text})
    assert sorted(proposed(root, name)[0]) == needed
    dataset = read(root, name, *needed)
    assert dataset.labels == ("Bald", "Smiling")
    assert dataset.labels_NK.tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]


def test_chest_xray_14_is_read_with_the_settings_that_its_refusal_proposes(folder):
    text = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
        "000001.jpg,Cardiomegaly|Emphysema,0,1,57,M,PA,2682,2749,0.143,0.143,\n"
        "000002.jpg,No Finding,1,2,58,F,AP,2894,2729,0.143,0.143,\n"
        "000003.jpg,Emphysema,2,3,58,M,PA,2500,2048,0.168,0.168,\n"
    )
    root = folder(FILES, **{"t.csv": text})
    [chosen] = proposed(root)
    assert chosen == ["file_column=Image Index", "labels_column=Finding Labels"]
    assert as_dict(read(root, "t.csv", *chosen)) == {
        "000001.jpg": ["Cardiomegaly", "Emphysema"],
        "000002.jpg": ["No Finding"],
        "000003.jpg": ["Emphysema"],
    }


@pytest.mark.parametrize(
    ("yes", "no", "needed"),
    [
        ("x", "", ["yes=x", "no=blank"]),
        ("X", "", ["yes=x", "no=blank"]),
        ("Yes", "No", ["yes=yes", "no=no"]),
        ("Y", "N", ["yes=y", "no=n"]),
        ("ja", "nein", ["yes=ja", "no=nein"]),
        ("✓", "", ["yes=✓", "no=blank"]),
        ("Y", "", ["yes=y", "no=blank"]),
    ],
)
def test_words_and_marks_are_read_with_the_settings_that_the_refusal_proposes(folder, yes, no, needed):
    text = f"file,author,cat,dog\n000001.jpg,Ann,{yes},{no}\n000002.jpg,Bo,{no},{yes}\n000003.jpg,Ann,{yes},{yes}\n"
    root = folder(FILES, **{"labels.csv": text})
    chosen = proposed(root, "labels.csv")[0]
    assert chosen == ["ignore_columns=author", *needed]
    assert read(root, "labels.csv", *chosen).labels_NK.tolist() == [[1, 0], [0, 1], [1, 1]]


OPEN_IMAGES = (
    "ImageID,Source,LabelName,Confidence\n000001,verification,/m/cat,1\n000001,verification,/m/dog,0\n"
    "000002,machine,/m/cat,0.7\n000002,verification,/m/dog,1\n000003,verification,/m/cat,0\n"
)


def test_a_verified_no_of_open_images_is_no_and_what_no_row_says_is_unknown(folder):
    root = folder(FILES, **{"t.csv": OPEN_IMAGES})
    [chosen] = proposed(root)
    assert chosen == ["file_column=ImageID", "labels_column=LabelName"]
    dataset = read(root, "t.csv", *chosen)
    assert cells(dataset) == {
        "000001.jpg": {"/m/cat": 1, "/m/dog": 0},
        "000002.jpg": {"/m/cat": -1, "/m/dog": 1},
        "000003.jpg": {"/m/cat": 0, "/m/dog": -1},
    }
    assert any("--set data.value_column=Confidence --set data.cutoff=0.5" in str(p) for p in dataset.problems)
    decided = read(root, "t.csv", *chosen, "cutoff=0.5")
    assert cells(decided)["000002.jpg"] == {"/m/cat": 1, "/m/dog": 1}


@pytest.mark.parametrize(
    "name", ["confidence", "value", "present", "is_positive", "IsPositive", "Label Value"]
)
@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("True", "False")])
def test_a_column_of_verdicts_is_found_by_its_name(folder, name, yes, no):
    text = f"file,labels,{name}\n000001.jpg,cat,{yes}\n000001.jpg,dog,{no}\n000002.jpg,cat,{no}\n"
    dataset = read(folder(FILES, **{"t.csv": text}))
    assert cells(dataset) == {"000001.jpg": {"cat": 1, "dog": 0}, "000002.jpg": {"cat": 0, "dog": -1}}


@pytest.mark.parametrize("words", [("yes", "no"), ("1", "-1"), ("pos", "neg")])
def test_other_words_in_a_column_of_verdicts_are_refused_with_settings_that_read_them(folder, words):
    yes, no = words
    text = f"file,labels,value\n000001.jpg,cat,{yes}\n000001.jpg,dog,{no}\n000002.jpg,cat,{no}\n"
    root = folder(FILES, **{"t.csv": text})
    judged, *_, other = proposed(root)
    assert other == ["ignore_columns=value"]
    assert cells(read(root, "t.csv", *judged))["000001.jpg"] == {"cat": 1, "dog": 0}
    assert as_dict(read(root, "t.csv", *other))["000001.jpg"] == ["cat", "dog"]


def test_an_unnamed_column_that_behaves_like_verdicts_is_asked_for(folder):
    text = "file,labels,ok\n000001.jpg,cat,1\n000001.jpg,dog,0\n000002.jpg,cat,0\n"
    root = folder(FILES, **{"t.csv": text, "boxes.csv": text.replace("ok", "IsOccluded")})
    judged, other = proposed(root)
    assert (judged, other) == (["value_column=ok"], ["ignore_columns=ok"])
    assert cells(read(root, "t.csv", *judged))["000001.jpg"] == {"cat": 1, "dog": 0}
    assert as_dict(read(root, "boxes.csv"))["000001.jpg"] == ["cat", "dog"]


def test_verdicts_in_percent_need_a_cut_off_and_stars_are_no_verdicts(folder):
    text = "file,labels,confidence\n000001.jpg,cat,90\n000001.jpg,dog,10\n000002.jpg,cat,75\n"
    root = folder(FILES, **{"t.csv": text})
    judged, _ = proposed(root)
    assert judged == ["value_column=confidence", "cutoff=50"]
    assert cells(read(root, "t.csv", *judged)) == {
        "000001.jpg": {"cat": 1, "dog": 0},
        "000002.jpg": {"cat": 1, "dog": -1},
    }


def test_rows_that_contradict_each_other_are_unknown_and_told(folder):
    text = "file,labels,value\n000001.jpg,cat,1\n000001.jpg,cat,0\n000002.jpg,cat,1\n"
    dataset = read(folder(FILES, **{"t.csv": text}))
    assert cells(dataset) == {"000001.jpg": {"cat": -1}, "000002.jpg": {"cat": 1}}
    assert any(p.row == 3 and "says otherwise" in p.reason for p in dataset.problems)


LISTS = [
    '["cat", "dog, big"]',
    "['cat', 'dog, big']",
    "('cat', 'dog, big')",
    '{"choices": ["cat", "dog, big"]}',
]


@pytest.mark.parametrize("cell", LISTS)
def test_lists_in_cells_are_lists(folder, cell):
    root = folder(FILES)
    rows = [
        ["000001.jpg", cell],
        ["000002.jpg", "[]"],
        ["000003.jpg", cell.replace(", 'dog, big'", "").replace(', "dog, big"', "")],
    ]
    quoted = "".join('{},"{}"\n'.format(file, text.replace('"', '""')) for file, text in rows)
    (root / "t.csv").write_text("file,labels\n" + quoted)
    assert as_dict(read(root)) == {"000001.jpg": ["cat", "dog, big"], "000002.jpg": [], "000003.jpg": ["cat"]}


def test_label_studio_writes_one_choice_plain_and_several_as_an_object(folder):
    root = folder(FILES)
    (root / "t.csv").write_text(
        'file,labels\n000001.jpg,"{""choices"":[""black cat"",""dog""]}"\n000002.jpg,black cat\n'
    )
    assert as_dict(read(root)) == {"000001.jpg": ["black cat", "dog"], "000002.jpg": ["black cat"]}


@pytest.mark.parametrize(
    ("sign", "word"), [(", ", "comma"), (";", "semicolon"), (" ", "space"), ("#", "'#'"), ("/", "/")]
)
def test_a_sign_is_told_from_the_whole_column_or_both_readings_are_named(folder, sign, word):
    sets = [["cat"], ["cat", "dog"], ["dog"], ["cat", "sea"], ["sea"], ["dog", "sea"]]
    files = [f"{k}.jpg" for k in range(len(sets))]
    root = folder(
        files,
        **{
            "t.csv": "file\tlabels\n"
            + "".join(f"{f}\t{sign.join(s)}\n" for f, s in zip(files, sets, strict=True))
        },
    )
    (root / "t.csv").rename(root / "t.tsv")
    assert list(as_dict(read(root, "t.tsv")).values()) == sets
    (root / "t.tsv").write_text(f"file\tlabels\n0.jpg\tred{sign}white\n1.jpg\tred{sign}blue\n")
    with pytest.raises(TaggerError, match=re.escape("may be 2 labels with --set ")) as refused:
        read(root, "t.tsv")
    assert f"data.label_separator={word.strip(chr(39))}" in str(refused.value)
    assert read(root, "t.tsv", "label_separator=none").labels == (f"red{sign}blue".strip(), f"red{sign}white")
    assert read(root, "t.tsv", f"label_separator={word.strip(chr(39))}").labels == ("blue", "red", "white")


def test_names_of_classes_with_blanks_stay_whole_where_the_column_shows_it(folder):
    names = ["golden retriever", "tabby cat", "siamese cat", "sea"]
    files = [f"{k}.jpg" for k in range(40)]
    rows = "".join(f"{file},{names[k % 4]}\n" for k, file in enumerate(files))
    assert read(folder(files, **{"t.csv": "file,labels\n" + rows})).labels == tuple(sorted(names))


def test_class_numbers_that_a_program_wrote_as_floats_are_whole(folder):
    root = folder(FILES, **{"t.csv": "file,labels\n1.0,0.0\n2.0,7.0\n3.0,\n"})
    assert as_dict(read(root)) == {"000001.jpg": ["0"], "000002.jpg": ["7"], "000003.jpg": []}
    (root / "t.csv").write_text("file,labels\n1,0.25\n2,0.5\n")
    with pytest.raises(TaggerError, match=r"holds numbers such as '0\.25', which are no names"):
        read(root)


def test_labels_may_be_called_as_columns_are(folder):
    root = folder(FILES, **{"t.csv": "file,labels\n000001.jpg,file|labels\n000002.jpg,labels\n"})
    assert as_dict(read(root)) == {"000001.jpg": ["file", "labels"], "000002.jpg": ["labels"]}
    (root / "t.csv").write_text("file,labels,cat\n000001.jpg,1,0\n000002.jpg,0,1\n")
    label, names = proposed(root)
    assert (label, names) == (["labels_column=none"], ["label_separator=none"])
    assert as_dict(read(root, "t.csv", *label)) == {"000001.jpg": ["labels"], "000002.jpg": ["cat"]}


def test_a_table_without_a_first_line_of_names_is_read_with_the_setting_that_is_proposed(folder):
    root = folder(FILES, **{"t.csv": "000001.jpg,cat\n000002.jpg,dog\n000003.jpg,cat|dog\n"})
    [chosen] = proposed(root)
    assert chosen == ["columns=file,labels"]
    assert as_dict(read(root, "t.csv", *chosen))["000001.jpg"] == ["cat"]
    assert as_dict(read(root, "t.csv", *chosen))["000003.jpg"] == ["cat", "dog"]


def test_other_encodings_are_read_or_refused_with_what_they_would_say(folder):
    root = folder(FILES)
    text = "file,labels\n000001.jpg,Käfer\n000002.jpg,Bär\n"
    for encoding in ("utf-8-sig", "utf-16"):
        (root / "t.csv").write_bytes(text.encode(encoding))
        assert read(root).labels == ("Bär", "Käfer")
    (root / "t.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(
        TaggerError, match=r"row 2: this is not UTF-8.*'Käfer' is right: --set data.encoding=cp1252"
    ):
        read(root)
    assert read(root, "t.csv", "encoding=cp1252").labels == ("Bär", "Käfer")
    (root / "t.csv").write_bytes(text.encode())
    assert read(root, "t.csv", "encoding=cp1252").labels == ("Bär", "Käfer")  # corrected labels are UTF-8


def test_blanks_that_align_columns_do_not_count(folder):
    root = folder(
        FILES, **{"t.txt": "  file        cat  dog\n  000001.jpg    1    0\n  000002.jpg    0    1\n"}
    )
    assert read(root, "t.txt").labels_NK.tolist() == [[1, 0], [0, 1]]
    (root / "t.csv").write_text(
        'file      , labels\n000001.jpg, "cat, dog"\n000002.jpg, cat\n000003.jpg, dog\n'
    )
    assert as_dict(read(root))["000001.jpg"] == ["cat", "dog"]


def test_a_folder_without_labels_names_the_options_that_read_its_table(folder):
    root = folder(FILES, **{"train.csv": CHEXPERT})
    with pytest.raises(TaggerError, match="but no labels") as refused:
        read_dataset(root)
    words = shlex.split(str(refused.value).partition("with --labels, such as ")[2].partition(". ")[0])
    assert words == ["--labels", str(root / "train.csv")]
    assert "--set data.unknown=-1" in str(refused.value)


def test_a_word_has_one_meaning(folder):
    root = folder(FILES, **{"t.csv": "file,cat\n000001.jpg,x\n"})
    with pytest.raises(TaggerError, match="'x' cannot mean two things"):
        read(root, "t.csv", "yes=x", "no=x")
    with pytest.raises(TaggerError, match=r"data\.cutoff has no column"):
        read(folder(FILES, **{"t.csv": "file,labels\n000001.jpg,cat\n"}), "t.csv", "cutoff=0.5")


def test_a_parquet_or_json_column_of_verdicts_counts_too(folder):
    rows = [
        {"file": "000001", "labels": "cat", "present": True},
        {"file": "000001", "labels": "dog", "present": False},
    ]
    root = folder(FILES, **{"t.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    assert cells(read(root, "t.jsonl")) == {"000001.jpg": {"cat": 1, "dog": 0}}


GROUND_TRUTH = {  # column: (values of four rows, their metadata)
    "labels": (
        [[0, 1], [2], [], [1]],
        [{"class-map": {"0": "cat", "1": "dog"}}, {"class-map": {"2": "red, white"}}, {"class-map": {}},
         {"class-map": {"1": "dog"}}],
    ),
    "category": ([0, 1, 0, 1], [{"class-name": name} for name in ("cat", "dog", "cat", "dog")]),
    "boxes": (
        [{"annotations": [{"class_id": k, "left": 1}] * 2} for k in (0, 1, 0, 1)],
        [{"class-map": {"0": "cat", "1": "dog"}}] * 4,
    ),
}  # fmt: skip


def manifest(column, values, about):
    rows = [
        {
            "source-ref": f"s3://bucket/in/{file}",
            column: value,
            f"{column}-metadata": note | {"confidence": 1},
        }
        for file, value, note in zip(FILES, values, about, strict=True)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("suffix", ["manifest", "jsonl"])
@pytest.mark.parametrize("column", GROUND_TRUTH)
def test_ground_truth_has_names_with_the_settings_that_its_refusal_proposes(column, suffix, folder):
    root = folder(FILES, **{f"t.{suffix}": manifest(column, *GROUND_TRUTH[column])})
    (chosen,) = proposed(root, f"t.{suffix}")
    found = [
        sorted(name for name, value in row.items() if value == 1)
        for row in cells(read(root, f"t.{suffix}", *chosen)).values()
    ]
    several = [["cat", "dog"], ["red, white"], [], ["dog"]]
    assert found == (several if column == "labels" else [["cat"], ["dog"], ["cat"], ["dog"]])


def test_a_class_of_ground_truth_without_a_name_is_listed(folder):
    values, about = GROUND_TRUTH["labels"]
    root = folder(FILES, **{"t.manifest": manifest("labels", [values[0], [2, 7], *values[2:]], about)})
    dataset = read(root, "t.manifest", "file_column=source-ref")
    assert "'labels' is class 7 without a name, not a list of names: left out" in [
        problem.reason for problem in dataset.problems
    ]
    assert cells(dataset)[FILES[0]] == {"cat": 1, "dog": 1}
    assert FILES[1] not in cells(dataset)
