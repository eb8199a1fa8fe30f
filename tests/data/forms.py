"""The same labels in every form that is read: a.jpg is a cat, b.jpg a cat and a dog, c.jpg neither."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from PIL import Image

from tagger.data.formats.xmp import merge_keywords

SAID = {"a.jpg": ["cat"], "b.jpg": ["cat", "dog"], "c.jpg": []}
NUMBER = {"cat": 0, "dog": 1}


class Form(NamedTuple):
    """A form: its files, which of them is to be broken, what ``--labels`` names, and a word of the source sentence."""

    files: dict[str, bytes]
    main: str
    labels: str
    word: str


def photo(name: str, xmp: bytes | None = None) -> bytes:
    """A small JPEG, another for every name; with a packet of XMP inside if one is given."""
    file = io.BytesIO()
    colour = ((name.encode()[0] * 37) % 256, 90, 20)
    Image.new("RGB", (24, 16), colour).save(file, "JPEG", **({} if xmp is None else {"xmp": xmp}))
    return file.getvalue()


def forms() -> dict[str, Form]:
    """Every form by its name, in the order in which they are looked for."""
    long = pd.DataFrame({"file": list(SAID), "labels": ["|".join(names) for names in SAID.values()]})
    cells = {name: [int(name in names) for names in SAID.values()] for name in NUMBER}
    wide = pd.DataFrame({"file": list(SAID), **cells})
    lists = pd.DataFrame({"file_name": list(SAID), "labels": list(SAID.values())})
    one = [
        Form(
            {"labels.csv": long.to_csv(index=False).encode()},
            "labels.csv",
            "labels.csv",
            "labels joined by |",
        ),
        Form(
            {"labels.tsv": wide.to_csv(index=False, sep="\t").encode()},
            "labels.tsv",
            "labels.tsv",
            "one column per",
        ),
        Form(
            {"labels.parquet": _bytes(wide.to_parquet)},
            "labels.parquet",
            "labels.parquet",
            "one column per label",
        ),
        Form({"labels.jsonl": _lines("file")}, "labels.jsonl", "labels.jsonl", "labels.jsonl"),
        Form(
            {"data.yaml": b"names:\n  0: cat\n  1: dog\n", **_each(".txt", _yolo)},
            "b.txt",
            "data.yaml",
            "YOLO",
        ),
        Form({"classes.txt": b"cat\ndog\n", **_each(".txt", _yolo)}, "classes.txt", "classes.txt", "YOLO"),
        Form(_each(".txt", lambda file: ", ".join(SAID[file])), "b.txt", ".", ".txt files"),
        Form(_lists(), "annotations/cat.txt", "annotations", "lists of images"),
        Form({"instances.json": _coco()}, "instances.json", "instances.json", "COCO"),
        Form(
            {f"Annotations/{k}": v for k, v in _each(".xml", _voc).items()},
            "Annotations/b.xml",
            "Annotations",
            "VOC",
        ),
        Form({"annotations.xml": _cvat()}, "annotations.xml", "annotations.xml", "CVAT"),
        Form({"project.json": _studio()}, "project.json", "project.json", "Label Studio"),
        Form({"min.json": _studio_min()}, "min.json", "min.json", "Label Studio"),
        Form({"metadata.jsonl": _lines("file_name")}, "metadata.jsonl", "metadata.jsonl", "Hugging Face"),
        Form(
            {"metadata.parquet": _bytes(lists.to_parquet)},
            "metadata.parquet",
            "metadata.parquet",
            "Hugging Face",
        ),
        Form({f"{f}.xmp": _xmp(f) for f in SAID}, "b.jpg.xmp", ".", ".xmp files"),
        Form({f: photo(f, _xmp(f)) for f in ("a.jpg", "b.jpg")}, "b.jpg", ".", "keywords inside"),
    ]
    return {f"{form.word.split()[0].strip('.')} {form.main}": form for form in one}


def make(root: Path, form: Form, **instead: bytes) -> Path:
    """The three photos and the form's files below ``root``; the path that ``--labels`` names. ``main`` is replaced."""
    for name, content in ({f: photo(f) for f in SAID} | form.files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(instead.get("main", content) if name == form.main else content)
    return root / form.labels


def _bytes(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _each(suffix: str, text: Callable[[str], str]) -> dict[str, bytes]:
    return {Path(file).stem + suffix: text(file).encode() for file in SAID}


def _lines(key: str) -> bytes:
    return "".join(json.dumps({key: file, "labels": names}) + "\n" for file, names in SAID.items()).encode()


def _yolo(file: str) -> str:
    return "".join(f"{NUMBER[name]} 0.5 0.5 0.25 0.75\n" for name in SAID[file])


def _lists() -> dict[str, bytes]:
    return {
        f"annotations/{name}.txt": "".join(
            f"{file}\n" for file, names in SAID.items() if name in names
        ).encode()
        for name in NUMBER
    }


def _coco() -> bytes:
    box = {"bbox": [1.0, 2.0, 3.5, 4.0], "area": 14.0, "iscrowd": 0, "segmentation": [[1, 2, 4.5, 2, 4.5, 6]]}
    pairs = [(at, NUMBER[name]) for at, names in enumerate(SAID.values()) for name in names]
    content = {
        "info": {"description": "three photos"},
        "images": [{"id": at, "file_name": f, "width": 24, "height": 16} for at, f in enumerate(SAID)],
        "annotations": [
            {"id": k, "image_id": at, "category_id": c, **box} for k, (at, c) in enumerate(pairs)
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": "animal"} for name, number in NUMBER.items()
        ],
    }
    return json.dumps(content).encode()


def _voc(file: str) -> str:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    things = "".join(
        f"<object><name>{name}</name><difficult>0</difficult>{box}</object>" for name in SAID[file]
    )
    return f"<annotation>\n<folder>x</folder>\n<filename>{file}</filename>\n{things}\n</annotation>\n"


def _cvat() -> bytes:
    labels = "".join(f"<label><name>{name}</name></label>" for name in NUMBER)
    images = "".join(
        f'<image id="{at}" name="{file}" width="24" height="16">\n'
        + "".join(f'<tag label="{name}" source="manual"></tag>\n' for name in names)
        + "</image>\n"
        for at, (file, names) in enumerate(SAID.items())
    )
    head = f"<version>1.1</version>\n<meta><task><labels>{labels}</labels></task></meta>\n"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n{head}{images}</annotations>\n'.encode()


def _studio() -> bytes:
    def result(names):
        value = {"choices": names}
        return [{"from_name": "tag", "to_name": "image", "type": "choices", "value": value}] if names else []

    tasks = [
        {
            "id": at,
            "data": {"image": file},
            "annotations": [{"id": at, "completed_by": 1, "result": result(names)}],
        }
        for at, (file, names) in enumerate(SAID.items(), 1)
    ]
    return json.dumps(tasks, indent=1).encode()


def _studio_min() -> bytes:
    rows = [
        {"image": file, "id": at, "tag": {"choices": names}, "annotator": 1, "annotation_id": at}
        for at, (file, names) in enumerate(SAID.items(), 1)
    ]
    return json.dumps(rows, indent=1).encode()


def _xmp(file: str) -> bytes:
    return merge_keywords(None, SAID[file], none=True)
