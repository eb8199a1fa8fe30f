"""COCO, Pascal VOC and CVAT, as their documentation shows them: objects become labels of the image."""

import json
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.data import read_dataset
from tagger.errors import TaggerError

ODD_NAMES = ["red, white", "a|b", 'so "called"', "two\nlines", "<&'>", "猫", "naïve", "سلام", " 7 "]


def as_dict(dataset, value=1):
    """{file: names of the labels whose cell has this value}."""
    rows = zip(dataset.images["file"], dataset.labels_NK, strict=True)
    return {file: [dataset.labels[k] for k in np.flatnonzero(labels_K == value)] for file, labels_K in rows}


def refusal(root, path):
    """The error that reading ends with, or nothing."""
    try:
        read_dataset(root, path)
    except TaggerError as error:
        return str(error)
    return ""


def coco(**changes):
    """The example of the COCO documentation, cut to what matters, with the fields that matter not."""
    content = {
        "info": {
            "year": 2026,
            "version": "1.0",
            "description": "",
            "contributor": "",
            "url": "",
            "date_created": "",
        },
        "licenses": [{"id": 1, "name": "", "url": ""}],
        "images": [
            {"id": 397133, "width": 640, "height": 427, "file_name": "a.jpg", "license": 1, "coco_url": ""},
            {"id": 37777, "width": 230, "height": 352, "file_name": "train2017/b.jpg", "license": 1},
            {"id": 252219, "width": 640, "height": 428, "file_name": "c.jpg", "license": 1},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 397133,
                "category_id": 44,
                "bbox": [217.6, 240.5, 38.9, 57.7],
                "area": 2.0,
                "iscrowd": 0,
            },
            {
                "id": 2,
                "image_id": 397133,
                "category_id": 44,
                "bbox": [1.0, 240.5, 38.9, 57.7],
                "area": 2.0,
                "iscrowd": 0,
            },
            {
                "id": 900100037777,
                "image_id": 37777,
                "category_id": 1,
                "segmentation": {"counts": [272, 2], "size": [240, 320]},
                "area": 9.0,
                "bbox": [0, 1, 2, 3],
                "iscrowd": 1,
            },
            {"id": 3, "image_id": 37777, "category_id": 44, "bbox": [0, 1, 2, 3], "area": 1, "iscrowd": 0},
        ],
        "categories": [
            {"supercategory": "person", "id": 1, "name": "person"},
            {"supercategory": "kitchen", "id": 44, "name": "bottle"},
            {"supercategory": "animal", "id": 90, "name": "zebra"},
        ],
    }
    return json.dumps(content | changes)


COCO_LABELS = {"a.jpg": ["bottle"], "b.jpg": ["bottle", "person"], "c.jpg": []}


@pytest.mark.parametrize(
    "place", ["instances.json", "annotations/instances_train2017.json", "train/_annotations.coco.json"]
)
def test_coco_objects_become_labels_wherever_the_file_lies(folder, place):
    root = folder(**{place: coco()})
    for dataset in (read_dataset(root), read_dataset(root, root / place)):
        assert as_dict(dataset) == COCO_LABELS
        assert dataset.labels == ("bottle", "person", "zebra")
        assert (dataset.labels_NK >= 0).all()
        assert "COCO, 3 images, 4 objects; boxes are ignored" in dataset.source
        assert ["'zebra'" in str(p) for p in dataset.problems] == [True]


def test_the_crowd_counts_and_a_coco_file_read_by_its_own_library_says_the_same(folder):
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    root = folder(**{"instances.json": coco()})
    theirs = coco_module.COCO(str(root / "instances.json"))
    expected = {}
    for key, image in theirs.imgs.items():
        ids = {a["category_id"] for a in theirs.loadAnns(theirs.getAnnIds(imgIds=[key]))}
        expected[image["file_name"].rpartition("/")[2]] = sorted(theirs.cats[i]["name"] for i in ids)
    assert as_dict(read_dataset(root)) == expected == COCO_LABELS


def test_several_coco_files_are_joined_by_the_names_of_their_categories(folder):
    other = coco(
        images=[{"id": "x", "file_name": "c.jpg"}],
        annotations=[{"image_id": "x", "category_id": 1}],
        categories=[{"id": 1, "name": "sea"}],
    )
    dataset = read_dataset(folder(**{"annotations/train.json": coco(), "annotations/val.json": other}))
    assert as_dict(dataset) == {**COCO_LABELS, "c.jpg": ["sea"]}
    assert "annotations/ (2 COCO files" in dataset.source


def test_everything_wrong_inside_a_coco_file_is_listed(folder):
    text = coco(
        images=[
            {"id": 1, "file_name": "a.jpg"},
            {"id": 2, "file_name": "gone.jpg"},
            {"id": 3},
            "x",
            {"file_name": "b.jpg"},
        ],
        annotations=[
            {"image_id": 1, "category_id": 5},
            {"image_id": 1, "category_id": 99},
            {"image_id": 1, "category_id": 99},
            {"image_id": 77, "category_id": 5},
            {"image_id": [1], "category_id": 5},
            {"image_id": 1, "category_id": {}},
            None,
        ],
        categories=[{"id": 5, "name": "cat"}, {"id": 6, "name": None}, {"name": "dog"}, 3],
    )
    problems = [str(p) for p in read_dataset(folder(**{"c.json": text})).problems]
    for part in (
        "image 2: there is no image 'gone.jpg'",
        "'images', entry 3 has no file_name",
        "'images', entry 4 is no object",
        "'images', entry 5 has no id",
        "category 99, which is not in 'categories' (2 times)",
        "image 77, which is not in 'images'",
        "'annotations', entry 5 has no image_id",
        "'annotations', entry 6 has no category_id",
        "'annotations', entry 7 is no object",
        "'categories', entry 2 has no name",
        "'categories', entry 3 has no id",
        "'categories', entry 4 is no object",
    ):
        assert sum(part in problem for problem in problems) == 1, part


def voc(filename="000001.jpg", objects=(("dog", 0),), opening="<annotation>"):
    """The XML of the VOC2007 development kit."""
    things = "".join(
        f"<object><name>{escape(name)}</name><pose>Left</pose><truncated>1</truncated><difficult>{difficult}</difficult>"
        "<bndbox><xmin>48</xmin><ymin>240</ymin><xmax>195</xmax><ymax>371</ymax></bndbox></object>"
        for name, difficult in objects
    )
    return (
        f"{opening}\n\t<folder>VOC2007</folder>\n\t<filename>{escape(filename)}</filename>\n\t<source><database>The"
        " VOC2007 Database</database></source>\n\t<size><width>353</width><height>500</height><depth>3</depth></size>"
        f"\n\t<segmented>0</segmented>{things}\n</annotation>\n"
    )


def test_voc_reads_annotations_beside_the_folder_of_images(folder):
    root = folder(
        ["JPEGImages/000001.jpg", "JPEGImages/000002.jpg", "JPEGImages/000003.jpg", "JPEGImages/4.jpg"],
        **{
            "Annotations/000001.xml": voc(objects=[("dog", 0), ("person", 1), ("dog", 1)]),
            "Annotations/000002.xml": voc("renamed.jpg", [("person", 0)], '<annotation verified="yes">'),
            "Annotations/000003.xml": voc("000003.jpg", []),
        },
    )
    expected = {
        "JPEGImages/000001.jpg": ["dog"],
        "JPEGImages/000002.jpg": ["person"],
        "JPEGImages/000003.jpg": [],
    }
    for path in (None, root, root / "Annotations"):
        dataset = read_dataset(root, path)
        assert as_dict(dataset) == expected
        assert as_dict(dataset, -1)["JPEGImages/000001.jpg"] == ["person"]
        assert dataset.unlisted == ("JPEGImages/4.jpg",)
        assert "Pascal VOC, 3 XML files; boxes are ignored" in dataset.source


def test_voc_reads_files_beside_their_images_and_lists_the_broken(folder):
    root = folder(
        ["x/a.jpg", "y/a.jpg", "b.png", "c.jpg"],
        **{
            "x/a.xml": voc("a.jpg", [("cat", 0)]),
            "y/a.xml": voc("a.jpg", [("dog", 0), ("", 0)]),
            "b.xml": voc("b.png", [("sea", 0)])[:-20],
            "c.xml": voc("c.jpg", [("cat", 0)]),
        },
    )
    dataset = read_dataset(root)
    assert as_dict(dataset) == {"x/a.jpg": ["cat"], "y/a.jpg": ["dog"], "c.jpg": ["cat"]}
    problems = " ".join(map(str, dataset.problems))
    assert "b.xml: left out: b.xml, row 6: this is not valid XML" in problems
    assert "a.xml: object 2 has no name" in problems


def cvat(images, labels=("car", "person")):
    """An export as CVAT's documentation of "CVAT for images 1.1" shows it."""
    names = "".join(
        f"<label><name>{escape(n)}</name><color>#c06060</color><attributes></attributes></label>"
        for n in labels
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task><id>4</id>'
        f"<name>t</name><size>3</size><mode>annotation</mode><labels>{names}</labels></task></meta>\n{images}"
        "</annotations>\n"
    )


def test_cvat_tags_boxes_and_shapes_become_labels(folder):
    images = """
    <image id="0" name="a.jpg" width="480" height="360">
      <tag label="night" source="manual"></tag>
      <box label="car" source="manual" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0">
        <attribute name="model">mazda</attribute></box>
      <polygon label="person" occluded="0" points="1.0,2.0;3.0,4.0"></polygon>
    </image>
    <image id="1" name="sub/b.jpg" width="480" height="360"></image>
    <image id="2" name="gone.jpg" width="480" height="360"><tag label="car"/></image>
    <image id="3" name="c.jpg"><mask label="" rle="1"/><points label="car" points="1,2"/></image>
    """
    root = folder(
        ["a.jpg", "sub/b.jpg", "c.jpg"], **{"annotations.xml": cvat(images, ["car", "person", "bicycle"])}
    )
    for path in (None, root / "annotations.xml"):
        dataset = read_dataset(root, path)
        assert as_dict(dataset) == {"a.jpg": ["car", "night", "person"], "sub/b.jpg": [], "c.jpg": ["car"]}
        assert "bicycle" in dataset.labels
        assert "CVAT, 3 images" in dataset.source
        problems = " ".join(map(str, dataset.problems))
        assert "image 2: there is no image 'gone.jpg'" in problems
        assert "image 3: a <mask> without a label" in problems


def test_a_video_from_cvat_says_how_to_export_it(folder):
    root = folder(**{"annotations.xml": cvat('<track id="0" label="car"><box frame="0"/></track>')})
    with pytest.raises(TaggerError, match=r"Export it as 'CVAT for images 1\.1'"):
        read_dataset(root)


def test_names_may_hold_anything(folder):
    files = [f"{i}.jpg" for i in range(len(ODD_NAMES))]
    expected = {file: [name.strip()] for file, name in zip(files, ODD_NAMES, strict=True)}
    boxes = "".join(
        f'<image id="{i}" name="{i}.jpg"><tag label={quoteattr(name, {chr(10): "&#10;"})}/></image>'
        for i, name in enumerate(ODD_NAMES)
    )
    root = folder(
        files,
        **{
            "c.json": coco(
                images=[{"id": i, "file_name": file} for i, file in enumerate(files)],
                annotations=[{"image_id": i, "category_id": i} for i in range(len(files))],
                categories=[{"id": i, "name": name} for i, name in enumerate(ODD_NAMES)],
            ),
            "v.xml": cvat(boxes, ODD_NAMES),
            **{f"Annotations/{i}.xml": voc(f"{i}.jpg", [(name, 0)]) for i, name in enumerate(ODD_NAMES)},
        },
    )
    for name in ("c.json", "v.xml", "Annotations"):
        assert as_dict(read_dataset(root, root / name)) == expected, name


BROKEN = {
    "c.json": [
        coco(images=3),
        coco(images=[]),
        coco(annotations={}),
        coco()[:300] + '"annotations""categories"',
    ],
    "annotations.xml": [
        "<annotations>",
        cvat(""),
        '<!DOCTYPE x [<!ENTITY e "x">]><annotations>&e;</annotations>',
    ],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BROKEN.items() for text in texts])
def test_a_broken_file_is_one_error_that_says_where(folder, name, text):
    root = folder(**{name: text})
    for path in (None, root / name):
        with pytest.raises(TaggerError, match=name) as caught:
            read_dataset(root, path)
        assert "\n" not in str(caught.value)


def test_many_nested_brackets_and_huge_numbers_are_an_error(folder):
    marks = '"images""annotations""categories"'
    for text in ('{"a":' + "[" * 100_000 + marks, '{"a": ' + "9" * 5000 + "}" + marks):
        with pytest.raises(TaggerError, match=r"c\.json"):
            read_dataset(folder(**{"c.json": text}))


TEXTS = {
    "c.json": coco(),
    "a.xml": cvat('<image id="0" name="a.jpg"><tag label="x"/></image>'),
    "b.xml": voc("b.jpg"),
}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_a_mutilated_file_is_read_or_refused_in_one_line(folder, name, data):
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    middle = data.draw(st.sampled_from(["", "null", "[]", "{}", "0", '"', "<", "&", "é", "\0", "-1e999"]))
    root = folder(**{"labels.csv": "file,labels\na.jpg,x\n", name: text[:start] + middle + text[stop:]})
    assert "\n" not in refusal(root, root / name)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.floats()
    | st.sampled_from(["", "a.jpg", "cat", "\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "file_name", "image_id", "category_id"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(images=JUNK, annotations=JUNK, categories=JUNK)
def test_coco_of_wrong_types_is_read_or_refused_in_one_line(folder, images, annotations, categories):
    root = folder(**{"c.json": coco(images=images, annotations=annotations, categories=categories)})
    assert "\n" not in refusal(root, root / "c.json")
