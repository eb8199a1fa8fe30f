"""Tables as programs write them: read right, or refused with settings that read them right; never another table."""

import csv
import io
import json
import random
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tagger.arrays import UNKNOWN, YES
from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.presets import load_read_options

LABELS = ("cat", "dog", "sea", "sky", "tree")
SETTINGS = re.compile(r"(?:--set (?:'[^']*'|\S+)\s*)+")
PATHS = re.compile(r"--labels ('[^']*'|\S+)")


def photos(root, files):
    """Small photos, each another."""
    for n, file in enumerate(files):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (n * 37 % 256, n * 91 % 256, n // 7 * 53 % 256)).save(path, "PNG")


def truth(files, labels=LABELS, least=0, most=5):
    """Labels of each photo, from ``least`` to ``most`` of them."""
    rng = random.Random(0)
    return {file: set(rng.sample(labels, rng.randint(least, min(most, len(labels))))) for file in files}


def table(rows, sign=","):
    text = io.StringIO()
    csv.writer(text, delimiter=sign, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read(root, labels, settings):
    found = read_dataset(root, labels, read_options=load_read_options(settings))
    names = np.array(found.labels, object)
    rows = zip(found.images["file"], found.labels_NK, strict=True)
    return {file: (set(names[row == YES]), set(names[row == UNKNOWN])) for file, row in rows}


def readings(root, labels=None, settings=(), depth=0):
    """What is read, or what comes of everything that a refusal prints, typed as it is printed."""
    try:
        return [read(root, labels, list(settings))]
    except TaggerError as refused:
        said = str(refused)
    if depth == 3:
        return []
    paths = [shlex.split(path)[0].rstrip(".") for path in PATHS.findall(said)] if labels is None else [labels]
    paths = [path for path in paths if Path(path).exists()] or [labels]
    words = [[w for w in shlex.split(text) if w != "--set"] for text in SETTINGS.findall(said)] or [[]]
    more = [(path, [*settings, *[w.rstrip(";") for w in chosen]]) for path in paths for chosen in words]
    return [one for path, chosen in more for one in readings(root, path, chosen, depth + 1)]


def expect(root, wanted, labels=None):
    """Every photo has these labels, by the first or a later reading; a first reading that is no refusal is right."""
    full = {file: said if isinstance(said, tuple) else (said, set()) for file, said in wanted.items()}
    found = readings(root, labels)
    assert full in found, found[:1]


FILES = [f"p{n:02}.png" for n in range(24)]


@pytest.mark.parametrize("names", [("label1", "label2", "label3"), ("Primary", "Secondary", "Tertiary")])
@pytest.mark.parametrize("empty", ["", "None"])
def test_several_columns_of_labels_are_read_together(tmp_path, names, empty):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1, most=3)
    rows = [[file, *(sorted(said) + [empty] * 3)[:3]] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(table([["image", *names], *rows]))
    expect(tmp_path, wanted)


def test_several_columns_are_named_with_commas_and_a_wrong_one_is_named(tmp_path):
    photos(tmp_path, FILES[:4])
    (tmp_path / "labels.csv").write_text(
        'file,a,"b, c"\np00.png,cat,dog\np01.png,7.0,\np02.png,,nan\np03.png,x,x\n'
    )
    found = read(tmp_path, None, ['data.labels_column=["a", "b, c"]'])
    assert [found[file][0] for file in FILES[:4]] == [{"cat", "dog"}, {"7"}, set(), {"x"}]
    source = read_dataset(
        tmp_path, read_options=load_read_options(['data.labels_column=["a", "b, c"]'])
    ).source
    assert "labels in 2 columns, 4 rows" in source
    with pytest.raises(TaggerError, match="no column 'd'"):
        read(tmp_path, None, ["data.labels_column=a,d"])


def test_a_row_may_name_several_photos(tmp_path):
    """github.com/jeremykawahara/derm7pt/issues/11."""
    wanted = {}
    rows = []
    for n in range(12):
        cells = [int(n % (k + 2) == 0) for k in range(3)]
        pair = [f"{n}_left.png", f"{n}_right.png"]
        said = {label for label, cell in zip("NDG", cells, strict=True) if cell}
        wanted |= {pair[0]: said, pair[1]: said}
        rows.append([n, 40 + n, *pair, *cells])
    photos(tmp_path, list(wanted))
    (tmp_path / "odir.csv").write_text(table([["ID", "Age", "Left-Fundus", "Right-Fundus", *"NDG"], *rows]))
    expect(tmp_path, wanted)


@pytest.mark.parametrize("form", ["{value}:{label}", "{label}:{value}", "{label}={value}"])
@pytest.mark.parametrize("sign", [" ", "; "])
def test_values_in_the_cells_of_labels_are_verdicts(tmp_path, form, sign):
    photos(tmp_path, FILES)
    rng = random.Random(1)
    rows, wanted = [["file", "labels"]], {}
    for file in FILES:
        values = {
            label: rng.choice(["1", "1.0", "0.7", "0", ""]) for label in ("/m/01yrx", "/m/0bt9lr", "sea")
        }
        cell = sign.join(form.format(label=label, value=value) for label, value in values.items() if value)
        rows.append([file, cell])
        yes = {label for label, value in values.items() if value in ("1", "1.0")}
        wanted[file] = (yes, {label for label, value in values.items() if value in ("0.7", "")})
    (tmp_path / "labels.csv").write_text(table(rows))
    with pytest.raises(TaggerError, match=r"data\.label_values=(before|behind)"):
        read(tmp_path, None, [])
    expect(tmp_path, wanted)
    where = "before" if form[1] == "v" else "behind"
    cut = read(tmp_path, None, [f"data.label_values={where}", "data.cutoff=0.5"])
    assert all(cut[file][0] >= yes for file, (yes, _) in wanted.items())
    with pytest.raises(TaggerError, match=r"data\.label_values and data\.value_column"):
        read(tmp_path, None, [f"data.label_values={where}", "data.value_column=x"])


@pytest.mark.parametrize("most", [1, 3])
def test_rows_of_different_lengths_without_names_are_read(tmp_path, most):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1, most=most)
    parts = ("TRAIN", "VALIDATION", "TEST", "UNASSIGNED")
    rows = [[parts[n % 4], f"gs://bucket/a/{f}", *sorted(said)] for n, (f, said) in enumerate(wanted.items())]
    (tmp_path / "labels.csv").write_text(table(rows))
    expect(tmp_path, wanted)


def test_columns_of_numbers_without_names_are_read(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES)
    rows = [[file, *(int(label in said) for label in LABELS)] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(table(rows))
    number = {label: f"label{k}" for k, label in enumerate(LABELS, 1)}
    expect(tmp_path, {file: {number[label] for label in said} for file, said in wanted.items()})


def test_decimal_commas_are_numbers(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES)
    rows = [[file, *("1,0" if label in said else "0,0" for label in LABELS)] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(table([["file", *LABELS], *rows], ";"), encoding="utf-8-sig")
    assert read(tmp_path, None, []) == {file: (said, set()) for file, said in wanted.items()}


def test_the_line_of_names_may_be_repeated_where_files_were_joined(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES)
    rows = [[file, *(int(label in said) for label in LABELS)] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(table([["file", *LABELS], *rows[:9], ["file", *LABELS], *rows[9:]]))
    assert read(tmp_path, None, []) == {file: (said, set()) for file, said in wanted.items()}


def test_tables_of_the_splits_are_one_table(tmp_path):
    wanted = {}
    for part in ("train", "valid", "test"):
        said = truth([f"{part}_{n}_jpg.rf.{n:032x}.png" for n in range(8)])
        rows = [[file, *(int(label in names) for label in LABELS)] for file, names in said.items()]
        photos(tmp_path / part, list(said))
        text = table([["filename", *LABELS], *rows]).replace(",", ", ")
        (tmp_path / part / "_classes.csv").write_text(text)
        wanted |= {f"{part}/{file}": names for file, names in said.items()}
    options = load_read_options(["data.file_column=filename"])
    assert "ignored" not in read_dataset(tmp_path, tmp_path, read_options=options).source
    with pytest.raises(TaggerError, match=r"--labels .* --set data\.file_column=filename"):
        read(tmp_path, None, [])
    expect(tmp_path, wanted)


def test_folders_of_patients_are_not_labels_where_a_table_says_otherwise(tmp_path):
    files = [f"train/patient{n:05}/study1/view1.png" for n in range(20)]
    photos(tmp_path, files)
    wanted = truth(files)
    rows = [
        [f"CheXpert/{file}", *("1.0" if label in said else "0.0" for label in LABELS)]
        for file, said in wanted.items()
    ]
    (tmp_path / "train.csv").write_text(table([["Path", *LABELS], *rows]))
    with pytest.raises(TaggerError, match=r"may stand in train\.csv, which names 20 photos, or be the names"):
        read(tmp_path, None, [])
    expect(tmp_path, wanted)
    expect(tmp_path, {file: {file.split("/")[1]} for file in files}, labels=str(tmp_path))


def test_a_table_that_says_what_the_folders_say_changes_nothing(tmp_path):
    files = [f"{label}/{n}.png" for label in LABELS for n in range(4)]
    photos(tmp_path, files)
    (tmp_path / "index.csv").write_text(
        table([["path", "label"], *([file, file.split("/")[0]] for file in files)])
    )
    (tmp_path / "sizes.csv").write_text(
        table([["path", "width"], *([file, 6 + n] for n, file in enumerate(files))])
    )
    found = read_dataset(tmp_path)
    assert "ignored: index.csv, sizes.csv" in found.source
    assert found.labels == LABELS


def test_each_label_may_have_a_key_of_its_own_in_a_manifest(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1)
    lines = []
    for file, said in wanted.items():
        row = {"source-ref": f"s3://bucket/{file}"}
        for label in sorted(said):
            row |= {
                label: 1,
                f"{label}-metadata": {"class-name": label, "confidence": 1, "human-annotated": "yes"},
            }
        lines.append(json.dumps(row))
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines))
    expect(tmp_path, wanted)


def test_names_of_uploads_are_found_without_what_the_program_put_before_them(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1)
    rows = [
        [n, json.dumps({"choices": sorted(said)}), f"/data/upload/1/{n:08x}-{file}"]
        for n, (file, said) in enumerate(wanted.items())
    ]
    (tmp_path / "project.csv").write_text(table([["annotation_id", "choice", "image"], *rows]))
    expect(tmp_path, wanted)


def test_the_word_and_may_separate_labels(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1)
    rows = [[file, " and ".join(sorted(said))] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(table([["file", "labels"], *rows]))
    expect(tmp_path, wanted)
    assert read(tmp_path, None, ["data.label_separator=and"])[FILES[0]][0] == wanted[FILES[0]]


def test_folders_of_labels_below_a_folder_are_proposed(tmp_path):
    files = [f"images/{label}/{n}.png" for label in LABELS for n in range(3)]
    photos(tmp_path, files)
    with pytest.raises(TaggerError, match=r"the names of folders: --labels .*images"):
        read(tmp_path, None, [])
    expect(tmp_path, {file: {file.split("/")[1]} for file in files})


def test_a_usual_sign_that_explains_more_makes_a_rare_one_a_question(tmp_path):
    photos(tmp_path, FILES[:4])
    rows = [["p00.png", "a;b"], ["p01.png", "a;b cat"], ["p02.png", "dog a;b"], ["p03.png", "dog a;b cat"]]
    (tmp_path / "labels.csv").write_text(table([["file", "labels"], *rows]))
    with pytest.raises(TaggerError, match=r"data\.label_separator=space"):
        read(tmp_path, None, [])


def text_files(root, texts):
    photos(root, [f"{name}.png" for name in texts])
    for name, text in texts.items():
        (root / f"{name}.txt").write_text(text)


def test_text_files_are_cut_by_the_separator_that_is_set(tmp_path):
    text_files(tmp_path, {"a": "cat dog\nsea", "b": "sea  dog", "c": ""})
    wanted = {"a.png": {"cat", "dog", "sea"}, "b.png": {"dog", "sea"}, "c.png": set()}
    assert read(tmp_path, None, ["data.label_separator=space"]) == {f: (s, set()) for f, s in wanted.items()}
    whole = read(tmp_path, None, ["data.label_separator=none"])
    assert whole["a.png"][0] == {"cat dog", "sea"}


@pytest.mark.parametrize("sign", ["; ", " ", "|"])
def test_text_files_without_a_comma_that_another_sign_may_cut_are_refused_with_the_setting(tmp_path, sign):
    names = [f"p{n:02}" for n in range(24)]
    wanted = truth(names, least=1, most=3)
    text_files(tmp_path, {name: sign.join(sorted(said)) for name, said in wanted.items()})
    with pytest.raises(TaggerError, match=r"one label or several.*data\.label_separator="):
        read(tmp_path, None, [])
    expect(tmp_path, {f"{name}.png": said for name, said in wanted.items()})


def test_text_files_with_commas_or_one_name_each_need_no_setting(tmp_path):
    text_files(tmp_path, {"a": "long hair, blue eyes", "b": "cat", "c": "long hair"})
    assert read(tmp_path, None, [])["a.png"][0] == {"long hair", "blue eyes"}


def json_forms(wanted):
    """The same labels in every JSON that is a table."""
    lists = {file: sorted(said) for file, said in wanted.items()}
    return {
        "by photo": lists,
        "a text by photo": {file: "|".join(said) for file, said in lists.items()},
        "0 and 1 by photo": {
            file: {label: int(label in said) for label in LABELS} for file, said in lists.items()
        },
        "rows": [{"filename": file, "tags": said} for file, said in lists.items()],
        "named tags": [
            {"id": n, "url": f"https://x/{file}", "tags": [{"tagId": t, "tagName": t} for t in said]}
            for n, (file, said) in enumerate(lists.items())
        ],
        "rows in a key": {
            "version": 1,
            "images": [{"file": file, "labels": said} for file, said in lists.items()],
        },
        "columns": {"file": list(lists), "labels": list(lists.values())},
        "columns of pandas": {
            "file": {str(n): file for n, file in enumerate(lists)},
            "labels": {str(n): "|".join(said) for n, said in enumerate(lists.values())},
        },
        "class numbers": {
            "classes": list(LABELS),
            "labels": {file[:-4]: [LABELS.index(x) for x in said] for file, said in lists.items()},
        },
        "by label": {label: [file for file, said in lists.items() if label in said] for label in LABELS},
    }


@pytest.mark.parametrize("form", sorted(json_forms({})))
def test_tables_in_json_are_read(tmp_path, form):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1)
    (tmp_path / "export.json").write_text(json.dumps(json_forms(wanted)[form]))
    expect(tmp_path, wanted)


def test_json_that_is_no_table_is_refused_with_what_one_is(tmp_path):
    photos(tmp_path, FILES[:2])
    for number, content in enumerate(
        ("[1, 2]", "{", '{"a": {"b": [1, {}]}}', "[]", "3", '{"classes": [], "labels": {"a": 1}}')
    ):
        path = tmp_path / f"x{number}.json"
        path.write_text(content)
        with pytest.raises(TaggerError, match=rf"x{number}\.json"):
            read(tmp_path, path, [])


@pytest.mark.parametrize(
    "above", ["Photos of May\n\n", "# exported by Ann\n# 2024\n", ",Animals,Animals,Scenes,Scenes,Scenes\n"]
)
def test_lines_above_the_names_are_left_out_by_the_setting_that_is_printed(tmp_path, above):
    photos(tmp_path, FILES)
    wanted = truth(FILES)
    rows = [[file, *(int(label in said) for label in LABELS)] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(above + table([["photo", *LABELS], *rows]))
    expect(tmp_path, wanted)


def test_excel_says_which_sign_separates_columns(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1)
    rows = [[file, ",".join(sorted(said))] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text("sep=;\r\n" + table([["file", "labels"], *rows], ";"))
    expect(tmp_path, wanted)


@pytest.mark.parametrize(
    ("yes", "no", "unknown"),
    [
        (("0.9", "0.6"), ("0.1", "0"), None),
        (("2", "1", "5"), ("0",), None),
        (("1",), ("0",), "99"),
        (("100%",), ("0%",), None),
        (("85%", "60%"), ("5%",), None),
    ],
)
def test_numbers_below_labels_are_counts_shares_or_codes(tmp_path, yes, no, unknown):
    photos(tmp_path, FILES)
    rng = random.Random(2)
    wanted = {}
    rows = []
    for file, said in truth(FILES).items():
        open_ = {label for label in LABELS if unknown and rng.random() < 0.2}
        cells = [unknown if x in open_ else rng.choice(yes if x in said else no) for x in LABELS]
        rows.append([file, f"p{file[1:3]}x", *cells])
        wanted[file] = (said - open_, open_)
    (tmp_path / "labels.csv").write_text(table([["file", "patient", *LABELS], *rows]))
    expect(tmp_path, wanted)


def test_lists_of_zeros_and_ones_are_no_labels(tmp_path):
    photos(tmp_path, FILES)
    rows = [[file, str([int(label in said) for label in LABELS])] for file, said in truth(FILES).items()]
    (tmp_path / "labels.csv").write_text(table([["file", "labels"], *rows]))
    with pytest.raises(TaggerError, match="a list of 5 zeros and ones"):
        read(tmp_path, None, [])


@pytest.mark.parametrize(
    "cell",
    [
        lambda names: "[" + " ".join(map(repr, names)) + "]",  # NumPy
        lambda names: json.dumps({name: name in names for name in LABELS}),
        lambda names: "{" + ",".join(names) + "}",
        lambda names: str(tuple(names)),
        lambda names: '"' + '";"'.join(names) + '"',
        lambda names: "\n".join(f"- {name}" for name in names),
    ],
)
def test_cells_of_numpy_databases_and_checkboxes_are_lists(tmp_path, cell):
    photos(tmp_path, FILES)
    wanted = truth(FILES, least=1)
    rows = [[file, cell(sorted(said))] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(table([["file", "labels"], *rows]))
    expect(tmp_path, wanted)


def test_tables_named_after_splits_are_one_table_and_name_the_photos_of_their_split(tmp_path):
    wanted = {}
    for part in ("train", "val"):
        files = [f"{part}/{n:03}.jpeg" for n in range(12)]
        photos(tmp_path, files)
        said = truth(files, least=1)
        rows = [[Path(file).stem, "|".join(sorted(names))] for file, names in said.items()]
        (tmp_path / f"{part}.csv").write_text(table([["image_id", "labels"], *rows]))
        wanted |= said
    expect(tmp_path, wanted)


def test_jpeg_and_jpg_are_one_suffix_and_a_table_in_a_folder_is_proposed(tmp_path):
    photos(tmp_path, [f"images/{n}.jpeg" for n in range(12)])
    (tmp_path / "meta").mkdir()
    wanted = truth([f"images/{n}.jpeg" for n in range(12)], least=1)
    rows = [[Path(file).stem + ".JPG", "|".join(sorted(said))] for file, said in wanted.items()]
    (tmp_path / "meta/tags.csv").write_text(table([["image", "tags"], *rows]))
    expect(tmp_path, wanted)


def test_a_table_of_yes_and_empty_cells_names_the_setting_that_makes_them_no(tmp_path):
    photos(tmp_path, FILES)
    wanted = truth(FILES)
    rows = [[file, *("1" if label in said else "" for label in LABELS)] for file, said in wanted.items()]
    (tmp_path / "labels.csv").write_text(table([["file", *LABELS], *rows]))
    said = read_dataset(tmp_path).problems[0].reason
    assert said == "no cell says no. If an empty cell does: --set data.no=blank"
    assert read(tmp_path, None, ["data.no=blank"]) == {file: (names, set()) for file, names in wanted.items()}


def test_a_row_of_a_manifest_without_the_names_of_its_classes_is_listed(tmp_path):
    photos(tmp_path, FILES[:4])
    about = {"class-name": "cat", "type": "groundtruth/image-classification"}
    rows = [
        {"source-ref": f"s3://b/{file}", "job": 3} | ({"job-metadata": about} if n != 2 else {})
        for n, file in enumerate(FILES[:4])
    ]
    path = tmp_path / "output.manifest"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_dataset(
        tmp_path,
        path,
        read_options=load_read_options(["data.file_column=source-ref", "data.labels_column=job"]),
    )
    assert found.labels == ("cat",)
    assert "'job' is class 3 without a name, not a list of names: left out" in [
        p.reason for p in found.problems
    ]
    assert found.unlisted == (FILES[2],)


def test_a_wrong_column_beside_names_that_are_set_is_one_sentence(tmp_path):
    photos(tmp_path, FILES[:1])
    (tmp_path / "labels.csv").write_text("TRAIN,gs://b/p00.png,sea,nan\n")
    settings = ["data.columns=split,file,labels,value", "data.labels_column=NAME"]
    with pytest.raises(TaggerError) as refused:
        read(tmp_path, None, ["data.columns=split,file,words", "data.labels_column=NAME"])
    assert "no column 'NAME'" in str(refused.value)
    assert read(tmp_path, None, settings) == {"p00.png": (set(), {"sea"})}  # the usual columns are there
