"""Labels in every format: what is written is read again, and neither images nor a person's own words are lost."""

import hashlib
import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tagger.commands.writers import LabelBatch, MergeRules, batch_formats, sidecar_formats, write_labels
from tagger.data import read_dataset
from tagger.data.formats.xmp import merge_keywords, read_keywords
from tagger.errors import TaggerError

FILES = ("a.jpg", "sub/ü, x.jpg", 'sub/"q" %20.png', "b.png")
NAMES = ("cat", "red, white", "<&>\"'", "猫", "a/b", "a|b", "two\nlines")
ROWS = [[1, 0, 1, 0, 1, 1, 1], [0, 1, 0, 1, 0, 0, 0], [0] * 7, [1] * 7]
LABELS_NK = np.array(ROWS, dtype=np.int8)
FORMATS = (
    "csv",
    "parquet",
    "coco",
    "label-studio",
    "imagefolder",
    "imagefolder-link",
    "txt",
    "xmp",
    "xmp-lightroom",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images with names that make trouble; to be read only."""
    root, rng = tmp_path_factory.mktemp("photos") / "data", np.random.default_rng(0)
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)).save(root / file)
    return root


def hashes(root: Path) -> dict[str, str]:
    """The content of every image below a folder."""
    found = [path for path in root.rglob("*") if path.suffix in (".jpg", ".png")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def yes(labels_NK: np.ndarray, names: tuple[str, ...], files: Any) -> dict[str, set[str]]:
    """The labels of each file."""
    return {
        file: {names[k] for k in np.flatnonzero(row == 1)} for file, row in zip(files, labels_NK, strict=True)
    }


def read_again(photos: Path, out: Path, format: str) -> dict[str, set[str]]:
    """What ``--data`` or ``--labels`` makes of it; sidecars lie in a copy of the folder."""
    beside = format in sidecar_formats.names() or format.startswith("imagefolder")
    dataset = read_dataset(out if beside else photos, None if beside else out)
    return yes(dataset.labels_NK, dataset.labels, dataset.images["file"])


def copy(photos: Path, to: Path) -> Path:
    """The images once more."""
    for file in FILES:
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        (to / file).write_bytes((photos / file).read_bytes())
    return to


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_and_no_image_is_touched(photos: Path, tmp_path: Path, format: str):
    before = hashes(photos)
    out = copy(photos, tmp_path / "out") if format in sidecar_formats.names() else tmp_path / f"out.{format}"
    out = out.with_suffix(".json") if format in ("coco", "label-studio") else out
    done = write_labels(FILES, LABELS_NK, NAMES, root=photos, out=out, format=format)
    assert (done.num_images, done.num_skipped, done.problems) == (4, 0, ())
    assert read_again(photos, out, format) == yes(LABELS_NK, NAMES, FILES)
    assert hashes(photos) == before
    assert not list(tmp_path.rglob(".*"))


def test_a_merged_sidecar_keeps_the_persons_words_and_loses_what_is_no(photos: Path, tmp_path: Path):
    root = copy(photos, tmp_path / "data")
    (root / "a.jpg.xmp").write_bytes(merge_keywords(None, ["mine", "red, white", "猫"]))
    (root / "b.png.xmp").write_text("broken")
    labels_NK = LABELS_NK.copy()
    labels_NK[0, NAMES.index("猫")] = -1
    kept = write_labels(FILES, labels_NK, NAMES, root=root, out=root, format="xmp")
    assert kept.num_skipped == 2
    done = write_labels(FILES, labels_NK, NAMES, root=root, out=root, format="xmp", on_existing="merge")
    assert set(read_keywords((root / "a.jpg.xmp").read_bytes())) == {
        "mine", "猫", "cat", "<&>\"'", "a/b", "a|b", "two\nlines",
    }  # fmt: skip
    (problem,) = done.problems
    assert "b.png.xmp" in str(problem)
    assert (root / "b.png.xmp").read_text() == "broken"


def test_a_second_prediction_withdraws_its_own_labels_only(tmp_path: Path):
    path, writer = tmp_path / "a.jpg.xmp", sidecar_formats.build("xmp", ("cat", "dog", "sea"))
    merge = MergeRules(absent=("cat", "dog", "sea"))
    path.write_bytes(merge_keywords(None, ["mine", "cat"]).replace(b"tagger:labels", b"tagger:old"))
    writer.write(path, ["cat", "dog"], merge)
    assert read_keywords(path.read_bytes()) == ["mine", "cat", "dog"]
    other = sidecar_formats.build("xmp", ("boat",))  # another model's labels
    other.write(path, ["boat"], MergeRules(absent=("boat",)))
    writer.write(path, ["sea"], merge)
    assert read_keywords(path.read_bytes()) == ["mine", "cat", "boat", "sea"]
    writer.write(path, ["dog"], None)
    assert read_keywords(path.read_bytes()) == ["dog"]
    assert b"tagger:old" in path.read_bytes()  # not a keyword: stays


def predicted() -> LabelBatch:
    """Three images of a model, the last one unreadable."""
    table = pd.DataFrame({"file": FILES[:3], "labels": ["cat|猫", "", ""]})
    table["cat"], table["猫"] = [0.9, 0.2, np.nan], [0.7, 0.4, np.nan]
    return LabelBatch(table, [["cat", "猫"], [], []], unreadable=frozenset([2]))


def write(format: str, photos: Path, out: Path) -> None:
    """A prediction in two parts."""
    writer, part, folder = batch_formats.build(format, photos, out, ("cat", "猫")), predicted(), out.parent
    writer.write_batch(part, folder / "one")
    writer.write_batch(part, folder / "two")
    writer.join([folder / "one", folder / "two"], LabelBatch(part.table[:0], []), out)


def test_coco_numbers_all_parts_and_has_a_score_for_each_label(photos: Path, tmp_path: Path):
    write("coco", photos, tmp_path / "out.json")
    tree = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert tree["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "猫"}]
    size = {"width": 9, "height": 6}
    assert tree["images"] == [{"id": at + 1, "file_name": FILES[at % 2]} | size for at in range(4)]
    found = [(a["id"], a["image_id"], a["category_id"], a["score"]) for a in tree["annotations"]]
    assert found == [(1, 1, 1, 0.9), (2, 1, 2, 0.7), (3, 3, 1, 0.9), (4, 3, 2, 0.7)]


def test_label_studio_gets_tasks_with_predictions_and_an_interface(photos: Path, tmp_path: Path):
    write("label-studio", photos, tmp_path / "out.json")
    tasks = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert len(tasks) == 6
    (chosen,), score = tasks[0]["predictions"][0]["result"], tasks[0]["predictions"][0]["score"]
    assert chosen["value"] == {"choices": ["cat", "猫"]}
    assert score == pytest.approx(0.7)
    assert tasks[1]["predictions"][0]["score"] == pytest.approx(0.6)
    assert "predictions" not in tasks[2]
    view = fromstring((tmp_path / "out.config.xml").read_text("utf-8"))
    image, choices = view
    assert (choices.get("name"), choices.get("toName")) == (chosen["from_name"], chosen["to_name"])
    assert [choice.get("value") for choice in choices] == ["cat", "猫"]
    assert image.get("name") == "image"


def test_an_image_folder_holds_copies_or_links_and_replaces_nothing(photos: Path, tmp_path: Path):
    for format, same in (("imagefolder", False), ("imagefolder-link", True)):
        out = tmp_path / format / "metadata.jsonl"
        out.parent.mkdir()
        write(format, photos, out)
        lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        assert lines[0] == {"file_name": FILES[0], "labels": ["cat", "猫"], "scores": [0.9, 0.7]}
        assert (out.parent / FILES[1]).samefile(photos / FILES[1]) == same
        assert not (out.parent / FILES[2]).exists()
    (tmp_path / "imagefolder" / FILES[0]).write_text("another")
    with pytest.raises(TaggerError, match="exists already and differs from"):
        write("imagefolder", photos, tmp_path / "imagefolder" / "metadata.jsonl")
    with pytest.raises(TaggerError, match="inside the folder of images"):
        batch_formats.build("imagefolder", photos, photos / "new" / "metadata.jsonl", ("cat",))


def test_what_cannot_be_written_is_said_first(photos: Path, tmp_path: Path):
    def call(names: Any = NAMES, **more: Any) -> Any:
        return write_labels(
            FILES, LABELS_NK, names, root=photos, **({"out": tmp_path / "x", "format": "coco"} | more)
        )

    with pytest.raises(TaggerError, match="Did you mean 'coco'"):
        call(format="cocoa")
    with pytest.raises(TaggerError, match="cannot hold the label"):
        call(names=("a\x07", *NAMES[1:]), format="xmp")
    with pytest.raises(TaggerError, match=r"not be read back the same: ' a', 'b\\x00'"):
        call(names=(" a", "b\0", *NAMES[2:]))
    (tmp_path / "x").write_text("precious")
    with pytest.raises(TaggerError, match="exists already"):
        call()
    assert (tmp_path / "x").read_text() == "precious"
