"""What pycocotools and Label Studio's documented structure make of our files; and images stay as they are."""

import json
import os
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from PIL import Image

from tagger.commands.writers import LABEL_FORMATS, sidecar_formats, write_labels
from tagger.data.formats.xmp import merge_keywords

FILES = ("a.jpg", "sub/ü, x.jpg", 'sub/"q" %20.png', "b.png", "c/d/e.jpg")
NAMES = ("red, white", "猫", "<&>", "a|b")
LABELS_NK = np.array([[1, 0, 1, 0], [0, 1, 0, -1], [0, 0, 0, 0], [1, 1, 1, 0], [-1, -1, -1, -1]], np.int8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five images, some with keywords beside them that a person wrote, none written for a day."""
    root, rng = tmp_path / "data", np.random.default_rng(0)
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)).save(root / file)
        os.utime(root / file, (1_000_000_000, 1_000_000_000))
    return root


def state(root: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, time and place on disk of every image below a folder."""
    return {
        file: ((root / file).read_bytes(), (root / file).stat().st_mtime_ns, (root / file).stat().st_ino)
        for file in FILES
    }


@pytest.mark.parametrize("format", LABEL_FORMATS)
def test_images_and_their_times_stay_as_they_were(photos: Path, tmp_path: Path, format: str):
    before = state(photos)
    sidecars = format in sidecar_formats.names()
    out = photos if sidecars else tmp_path / "out.json"
    ways = (
        ("skip", "overwrite", "merge")
        if sidecars
        else ("skip",)
        if "folders" in format
        else ("skip", "overwrite")
    )
    for existing in ways:
        if sidecars and existing == "merge" and format != "txt":
            for sidecar in photos.rglob("*.xmp"):
                sidecar.write_bytes(merge_keywords(None, ["mine"]))
        done = write_labels(
            FILES, LABELS_NK, NAMES, root=photos, out=out, format=format, on_existing=existing
        )
        assert done.problems == ()
    assert state(photos) == before


def test_pycocotools_counts_the_same_images_of_each_label(photos: Path, tmp_path: Path):
    coco = pytest.importorskip("pycocotools.coco", reason="no pycocotools here")
    done = write_labels(FILES, LABELS_NK, NAMES, root=photos, out=tmp_path / "out.json", format="coco")
    assert len(done.lost_information) == 2
    read = coco.COCO(str(tmp_path / "out.json"))
    counts = [len(read.getImgIds(catIds=read.getCatIds(catNms=[name]))) for name in NAMES]
    assert counts == (LABELS_NK == 1).sum(axis=0).tolist()
    assert {image["file_name"] for image in read.loadImgs(read.getImgIds())} == set(FILES[:4])
    ids = read.getAnnIds()
    assert sorted(ids) == list(range(1, len(ids) + 1))


def test_label_studio_finds_every_result_in_its_interface(photos: Path, tmp_path: Path):
    """As its documentation on importing pre-annotated data asks: from_name, to_name, type, value; choices as set up."""
    write_labels(FILES, LABELS_NK, NAMES, root=photos, out=tmp_path / "out.json", format="label-studio")
    view = fromstring((tmp_path / "out.config.xml").read_text("utf-8"))
    tags = {tag.get("name"): tag for tag in view}
    tasks = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert len(tasks) == 4  # of the fifth nothing is known
    for task, row in zip(tasks, LABELS_NK, strict=False):
        (annotation,) = task["annotations"]
        chosen = []
        for result in annotation["result"]:
            control, shown = tags[result["from_name"]], tags[result["to_name"]]
            assert (control.tag.lower(), control.get("toName")) == (result["type"], shown.get("name"))
            assert (shown.tag, shown.get("value")) == ("Image", "$image")
            assert "image" in task["data"]
            chosen += result["value"][result["type"]]
        assert set(chosen) <= {choice.get("value") for choice in tags["labels"]}
        assert chosen == [NAMES[k] for k in np.flatnonzero(row == 1)]


def test_a_label_file_among_the_images_never_means_another_image(tmp_path: Path):
    from tagger.data import read_dataset
    from tagger.errors import TaggerError

    root = tmp_path / "data"
    for number, file in enumerate(("a.jpg", "sub/a.jpg")):
        (root / file).parent.mkdir(exist_ok=True, parents=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(root / file)
    labels_NK = np.array([[1, 0], [0, 1]], np.int8)
    for format in ("csv", "tsv", "parquet", "jsonl"):
        out = root / "sub" / f"labels.{format}"
        write_labels(["a.jpg", "sub/a.jpg"], labels_NK, ["cat", "dog"], root=root, out=out, format=format)
        np.testing.assert_array_equal(read_dataset(root, out).labels_NK, labels_NK)
    for format in ("coco", "label-studio"):
        with pytest.raises(TaggerError, match=r"wrong photo: 'a.jpg' means 'sub/a.jpg'"):
            write_labels(
                ["a.jpg", "sub/a.jpg"],
                labels_NK,
                ["cat", "dog"],
                root=root,
                out=root / "sub" / "x.json",
                format=format,
            )
