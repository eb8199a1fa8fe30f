"""YOLO, Label Studio, Hugging Face and keywords, written by hand as their documentation shows them."""

import json
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.presets import load_read_options

ODD_NAMES = ["red, white", "a|b", 'so "called"', "<&'>", "猫", "naïve", "سلام", "no", "7"]


def as_dict(dataset, value=1):
    """{file: names of the labels whose cell has this value}."""
    rows = zip(dataset.images["file"], dataset.labels_NK, strict=True)
    return {file: [dataset.labels[k] for k in np.flatnonzero(labels_K == value)] for file, labels_K in rows}


def one_line(root, path):
    """True if reading ends well or with an error of one line; any other exception passes through."""
    try:
        read_dataset(root, path)
    except TaggerError as error:
        return "\n" not in str(error)
    return True


YOLO_NAMES = {
    "data.yaml": "path: coco8 # root\ntrain: images/train\nnc: 3\nnames:\n  0: person\n  1: no\n  2: 'red, white'\n",
    "my.yml": "train: ../train/images\nval: ../valid/images\nnc: 3\nnames: [person, no, 'red, white']\n",
    "classes.txt": "person\nno\nred, white\n",
    "obj.names": "person\r\nno\r\nred, white\r\n",
    "labels/classes.txt": "person\nno\nred, white\n",
}


@pytest.mark.parametrize("name", YOLO_NAMES)
@pytest.mark.parametrize("place", ["labels/train/{}.txt", "images/train/{}.txt"])
def test_yolo_reads_class_numbers_by_the_names_file(folder, name, place):
    root = folder(
        [f"images/train/{stem}.jpg" for stem in "abcd"],
        **{
            name: YOLO_NAMES[name],
            place.format("a"): "0 0.5 0.5 0.2 0.3\n2 0.1 0.1 0.1 0.1\n0 1 1 1e-3 0.5\n",
            place.format("b"): "1 0.1 0.2 0.3 0.4 0.5 0.6\r\n",
            place.format("c"): "",
        },
    )
    for dataset in (read_dataset(root), read_dataset(root, root / name)):
        found = {file.rpartition("/")[2]: labels for file, labels in as_dict(dataset).items()}
        assert found == {"a.jpg": ["person", "red, white"], "b.jpg": ["no"], "c.jpg": []}
        assert dataset.unlisted == ("images/train/d.jpg",)
        assert (
            "YOLO, classes named: 3, 3 .txt files; 1 image without one; boxes are ignored" in dataset.source
        )


def test_yolo_lists_lines_that_it_cannot_read(folder):
    lines = (
        "0 .5 .5 .5 .5\n7 .5 .5 .5 .5\n\ncat .5 .5 .5 .5\n-1 .5 .5 .5 .5\n0 .5\n" + "9" * 5000 + " 1 1 1 1\n"
    )
    root = folder(**{"classes.txt": "cat\n", "a.txt": lines, "b.txt": "0 .5 .5 .5 .5"})
    dataset = read_dataset(root)
    assert as_dict(dataset) == {"a.jpg": ["cat"], "b.jpg": ["cat"]}
    problems = [str(p) for p in dataset.problems if p.file == "a.txt"]
    assert [problem.split(":")[0] for problem in problems] == [f"a.txt, row {row}" for row in (2, 4, 5, 6, 7)]
    assert "class 7 has no name in classes.txt" in problems[0]


def test_sidecars_beside_a_list_of_classes_stay_sidecars(folder):
    dataset = read_dataset(folder(**{"classes.txt": "cat\n", "a.txt": "long_hair, 1girl, 2 3 4 5 6"}))
    assert as_dict(dataset) == {"a.jpg": ["1girl", "2 3 4 5 6", "long_hair"]}


@pytest.mark.parametrize(
    "text",
    [
        "names: 3",
        "names: {a: b}",
        "names: [[a], b]",
        "names: []",
        "names: [a",
        "names: &x [*x]",
        "a\n: names:\n",
    ],
)
def test_a_broken_data_yaml_is_an_error_that_names_it(folder, text):
    root = folder(**{"data.yaml": text, "a.txt": "0 1 1 1 1\n"})
    with pytest.raises(TaggerError, match=r"data\.yaml") as caught:
        read_dataset(root, root / "data.yaml")
    assert "\n" not in str(caught.value)


def task(number, image, *annotations, **more):
    """A task of Label Studio's export; an annotation is a list of choices, or a whole result list."""
    made = []
    for annotation in annotations:
        result = [
            {
                "id": "Dx_aB91ISN",
                "from_name": "tag",
                "to_name": "img",
                "type": "choices",
                "value": {"choices": annotation},
            }
        ]
        made.append(
            {"id": 1, "completed_by": 10, "result": result if annotation else [], "was_cancelled": False}
        )
    data = {"text": "a photo", "image": image}
    return {"id": number, "annotations": made, "predictions": [], "data": data, "project": 83} | more


def test_label_studio_reads_choices_and_keeps_disagreement_as_unknown(folder):
    region = {"type": "rectanglelabels", "value": {"x": 1, "rotation": 0, "rectanglelabels": ["dog"]}}
    tree = {"type": "taxonomy", "value": {"taxonomy": [["animal", "bird"], ["plant"]]}}
    prediction = [{"result": [{"type": "choices", "value": {"choices": ["wrong"]}}]}]
    tasks = [
        task(1, "/data/upload/1/8dc7d1ae-a.jpg", ["cat", "sea"], ["cat"]),
        task(2, "https://host/x/b%20b.jpg?w=1", ["cat"], ["dog"], predictions=prediction),
        task(3, "/data/local-files/?d=set/c.jpg", []),
        task(4, "d.jpg"),
        task(5, "s3://bucket/e.jpg", ["cat"]),
        task(6, "gone.jpg", ["cat"]),
        {**task(7, "x", ["cat"]), "data": {}},
        {"id": 8},
        "task",
    ]
    tasks[1]["annotations"][1]["ground_truth"] = True
    tasks[4]["annotations"][0]["was_cancelled"] = True
    tasks[4]["annotations"].append({"result": [region, tree, None]})
    root = folder(
        ["a.jpg", "b b.jpg", "set/c.jpg", "d.jpg", "e.jpg"], **{"project-1.json": json.dumps(tasks)}
    )
    for dataset in (read_dataset(root), read_dataset(root, root / "project-1.json")):
        assert as_dict(dataset) == {
            "a.jpg": ["cat"],
            "b b.jpg": ["dog"],
            "e.jpg": ["bird", "dog", "plant"],
            "set/c.jpg": [],
        }
        assert as_dict(dataset, -1)["a.jpg"] == ["sea"]
        assert dataset.unlisted == ("d.jpg",)
        assert "Label Studio, 4 annotated images, 1 with disagreement" in dataset.source
        problems = " ".join(map(str, dataset.problems))
        for part in (
            "disagree on 'sea'",
            "'gone.jpg'",
            "task 7 names no image",
            "task 8 has no list",
            "task 9 is no object",
        ):
            assert part in problems


def test_label_studio_json_min_says_the_same(folder):
    def row(number, image, **results):
        return {
            "text": "t",
            "image": image,
            "id": number,
            **results,
            "annotator": 1,
            "annotation_id": 9,
            "lead_time": 1.0,
        }

    rows = [
        row(1, "/data/upload/1/8dc7d1ae-a.jpg", choice="cat", more={"choices": ["sea", "猫"]}),
        row(1, "/data/upload/1/8dc7d1ae-a.jpg", choice="cat", more={"choices": ["猫"]}),
        row(2, "b.jpg", label=[{"x": 1, "rectanglelabels": ["dog"], "original_width": 3}]),
        row(3, "c.jpg"),
        {"annotation_id": 1, "annotator": 2},
    ]
    dataset = read_dataset(folder(**{"min.json": json.dumps(rows, ensure_ascii=False)}))
    assert as_dict(dataset) == {"a.jpg": ["cat", "猫"], "b.jpg": ["dog"], "c.jpg": []}
    assert as_dict(dataset, -1)["a.jpg"] == ["sea"]


HF_FORMS = {
    "metadata.jsonl": '{"file_name": "a.jpg", "labels": ["cat", "dog"]}\n{"file_name": "b.jpg", "labels": []}\n\n',
    "metadata.csv": 'file_name,caption,tags\na.jpg,"nice, very",cat|dog\nb.jpg,,\n',
    "train/metadata.jsonl": '{"file_name": "../a.jpg", "label": "cat"}\n{"file_name": "../a.jpg", "label": "dog"}\n'
    '{"file_name": "../b.jpg", "label": []}\n',
    "objects/metadata.jsonl": '{"file_name": "../a.jpg", "objects": {"bbox": [[1, 2]], "categories": ["dog", "cat"]}}\n'
    '{"file_name": "../b.jpg", "objects": {"bbox": [], "categories": []}}\n',
}


@pytest.mark.parametrize("name", HF_FORMS)
def test_hugging_face_reads_the_metadata_of_an_image_folder(folder, name):
    root = folder(**{name: HF_FORMS[name]})
    for path in (None, root / name):
        dataset = read_dataset(root, path)
        assert as_dict(dataset) == {"a.jpg": ["cat", "dog"], "b.jpg": []}
        assert "Hugging Face image folder" in dataset.source


SETS = [["cat"], ["cat", "dog"], ["dog"], ["cat", "sea"], ["sea"], ["dog", "sea"]]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("sign", ["|", "; ", ", ", " ", "#"])
def test_texts_of_hugging_face_are_cut_as_all_its_files_show(folder, sign, suffix):
    files = [f"train/{k}.jpg" for k in range(len(SETS))]

    def metadata(rows):
        table = pd.DataFrame(rows, columns=["file_name", "tags"])
        return table.to_csv(index=False) if suffix == "csv" else table.to_json(orient="records", lines=True)

    rows = [(f"{k}.jpg", sign.join(labels)) for k, labels in enumerate(SETS)]
    texts = {
        f"train/metadata.{suffix}": metadata(rows),
        f"val/metadata.{suffix}": metadata([("x.jpg", sign.join(["sea", "cat"]))]),
    }
    found = as_dict(read_dataset(folder([*files, "val/x.jpg"], **texts)))
    assert found == dict(zip(files, SETS, strict=True)) | {"val/x.jpg": ["cat", "sea"]}


def test_texts_of_hugging_face_that_may_be_read_in_two_ways_are_refused_with_both(folder):
    root = folder(**{"metadata.csv": 'file_name,labels\na.jpg,"red, white"\nb.jpg,"red, blue"\n'})
    with pytest.raises(TaggerError, match=r"metadata\.csv: a cell of 'labels' may hold") as refused:
        read_dataset(root)
    for word, labels in (("comma", ("blue", "red", "white")), ("none", ("red, blue", "red, white"))):
        option = f"data.label_separator={word}"
        assert f"--set {option}" in str(refused.value)
        assert read_dataset(root, read_options=load_read_options([option])).labels == labels


def test_a_list_of_unknown_labels_is_read_as_tagger_writes_it(folder):
    rows = [
        {"file_name": "a.jpg", "labels": ["cat"], "unknown": ["dog"]},
        {"file_name": "b.jpg", "labels": ["dog"]},
    ]
    dataset = read_dataset(folder(**{"metadata.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}))
    assert as_dict(dataset) == {"a.jpg": ["cat"], "b.jpg": ["dog"]}
    assert as_dict(dataset, -1) == {"a.jpg": ["dog"], "b.jpg": []}


def test_captions_alone_are_no_labels(folder):
    root = folder(
        ["cat/0.jpg", "dog/1.jpg"],
        **{"metadata.jsonl": '{"file_name": "cat/0.jpg", "caption": "Nice cat"}\n'},
    )
    assert read_dataset(root).labels == ("cat", "dog")


def test_rows_without_labels_are_listed_and_broken_rows_are_one_error(folder):
    text = '{"file_name": "a.jpg", "labels": ["cat"]}\n{"file_name": "b.jpg", "labels": null}\n{"labels": ["x"]}\n'
    dataset = read_dataset(folder(**{"metadata.jsonl": text}))
    assert as_dict(dataset) == {"a.jpg": ["cat"]}
    assert "metadata.jsonl, row 2: 'labels' is null" in " ".join(map(str, dataset.problems))
    assert "metadata.jsonl, row 3: 'file_name' is no text" in " ".join(map(str, dataset.problems))
    with pytest.raises(TaggerError, match="2 rows cannot be read as a JSON object: row 4, row 5"):
        read_dataset(folder(**{"metadata.jsonl": text + '{"file_name": "a.j\n[]\n'}))


def xmp(flat=(), paths=()):
    """A sidecar as exiftool, Lightroom and darktable write it."""

    def bag(name, words):
        items = "".join(f"<rdf:li>{escape(word)}</rdf:li>" for word in words or ())
        return f"<{name}><rdf:Bag>{items}</rdf:Bag></{name}>" if words is not None else ""

    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"'
        f' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3">{bag("dc:subject", flat)}'
        f'{bag("lr:hierarchicalSubject", paths or None)}</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
    )


def test_keywords_in_sidecars_are_labels_and_paths_give_their_last_part(folder):
    root = folder(
        ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"],
        **{
            "a.jpg.xmp": xmp(["cat"], ["animal|cat", "place|sea"]),
            "b.xmp": xmp(["cat", "red, white"]),
            "c.xmp": xmp([]),
            "d.xmp": xmp(None),
            "e.xmp": xmp(["cat"])[:300],
        },
    )
    for path in (None, root):
        dataset = read_dataset(root, path)
        assert as_dict(dataset) == {"a.jpg": ["cat", "sea"], "b.jpg": ["cat", "red, white"], "c.jpg": []}
        assert (
            "keywords (3 .xmp files, 0 images with keywords inside; 1 image without keywords left out)"
            in dataset.source
        )
        assert any(str(p).startswith("e.xmp: left out") for p in dataset.problems)


def test_keywords_inside_images_are_read_and_a_sidecar_outweighs_them(folder):
    root = folder([], **{"b.xmp": xmp(["newer"])})
    picture = Image.new("RGB", (8, 8))
    iptc = b"".join(b"\x1c\x02\x19" + len(w).to_bytes(2, "big") + w for w in [b"cat", "sœur".encode()])
    photoshop = b"8BIM\x04\x04\0\0" + len(iptc).to_bytes(4, "big") + iptc + b"\0" * (len(iptc) % 2)
    app13 = b"Photoshop 3.0\0" + photoshop
    packet = xmp(["inside", "猫"]).encode()
    for number, name in enumerate(["a.jpg", "b.jpg", "c.webp"]):
        picture.putpixel((0, 0), (number * 60, 0, 0))
        picture.save(root / name, xmp=packet)
    for name, after in (("d.png", False), ("g.png", True)):  # before the pixels and behind them
        text = PngInfo()
        text.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet, after_idat=after)
        picture.save(root / name, pnginfo=text)
    plain = root / "e.jpg"
    Image.new("RGB", (9, 9)).save(plain)
    data = plain.read_bytes()
    plain.write_bytes(data[:2] + b"\xff\xed" + (len(app13) + 2).to_bytes(2, "big") + app13 + data[2:])
    Image.new("RGB", (7, 7)).save(root / "f.jpg")
    dataset = read_dataset(root)
    found = as_dict(dataset)
    inside = ["inside", "猫"]
    pngs = {"d.png": inside, "g.png": inside}
    assert found == {"a.jpg": inside, "b.jpg": ["newer"], "c.webp": inside, "e.jpg": ["cat", "sœur"]} | pngs
    assert "f.jpg" in dataset.unlisted


def test_a_few_images_with_keywords_do_not_outweigh_sub_folders(folder):
    root = folder(["cat/a.jpg", "dog/b.jpg"])
    Image.new("RGB", (8, 8)).save(root / "cat" / "c.jpg", xmp=xmp(["stray"]).encode())
    assert read_dataset(root).labels == ("cat", "dog")


def test_names_may_hold_anything(folder):
    files = [f"{i}.jpg" for i in range(len(ODD_NAMES))]
    expected = {file: [name] for file, name in zip(files, ODD_NAMES, strict=True)}
    root = folder(
        files,
        **{
            "s.json": json.dumps([task(i, file, [ODD_NAMES[i]]) for i, file in enumerate(files)]),
            "metadata.jsonl": "".join(
                json.dumps({"file_name": file, "labels": names}) + "\n" for file, names in expected.items()
            ),
            "classes.txt": "\n".join(ODD_NAMES),
            **{f"labels/{i}.txt": f"{i} 0 0 1 1" for i in range(len(files))},
            **{f"k/{i}.jpg": f"other {i}" for i in range(len(files))},
            **{f"k/{i}.xmp": xmp([name]) for i, name in enumerate(ODD_NAMES)},
        },
    )
    for name in ("classes.txt",):
        assert {f: n for f, n in as_dict(read_dataset(root, root / name)).items() if "/" not in f} == expected
    for i in range(len(files)):
        (root / "k" / f"{i}.jpg").rename(root / "k" / f"k{i}.jpg")
        (root / "k" / f"{i}.xmp").rename(root / "k" / f"k{i}.xmp")
    assert as_dict(read_dataset(root, root / "s.json")) == expected
    assert as_dict(read_dataset(root, root / "metadata.jsonl")) == expected
    assert as_dict(read_dataset(root, root / "k")) == {
        f"k/k{file}": names for file, names in expected.items()
    }


TEXTS = {
    "s.json": json.dumps([task(1, "a.jpg", ["cat"], ["dog"])]),
    "metadata.jsonl": HF_FORMS["metadata.jsonl"],
    "metadata.csv": HF_FORMS["metadata.csv"],
    "data.yaml": YOLO_NAMES["data.yaml"],
    "a.xmp": xmp(["cat"], ["animal|dog"]),
}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_a_mutilated_file_is_read_or_refused_in_one_line(folder, name, data):
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    middle = data.draw(
        st.sampled_from(["", "null", "[]", "{}", "0", '"', "<", "&", "é", "\0", "\n", "*x", "? "])
    )
    root = folder(
        **{
            "labels.csv": "file,labels\na.jpg,x\n",
            "b.txt": "0 1 1 1 1",
            name: text[:start] + middle + text[stop:],
        }
    )
    assert one_line(root, root / name if name != "a.xmp" else root)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.floats()
    | st.sampled_from(["", "a.jpg", "cat", "\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "data", "annotations", "result", "value", "choices", "taxonomy", "image", "labels"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(JUNK, max_size=4), st.booleans())
def test_tasks_of_wrong_types_are_read_or_refused_in_one_line(folder, junk, minimal):
    extra = {"annotation_id": 1, "annotator": 2, "image": "a.jpg"} if minimal else task(1, "a.jpg", ["cat"])
    wrapped = [{**extra, "annotations": junk, "id": 3, "choice": junk}, *junk]
    root = folder(**{"s.json": json.dumps(wrapped)})
    assert one_line(root, root / "s.json")
