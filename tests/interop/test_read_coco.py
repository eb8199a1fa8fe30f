"""What pycocotools reads from a COCO file, we read too: images per category, with crowds and odd ids."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.data import read_dataset

coco = pytest.importorskip(
    "pycocotools.coco", reason="pycocotools is not installed (pip install 'retagger[test]')"
)


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**31), st.booleans())
def test_each_category_has_as_many_images_as_pycocotools_counts(
    tmp_path_factory, num_images, num_categories, seed, names
):
    root, rng = tmp_path_factory.mktemp("coco"), np.random.default_rng(seed)
    ids = rng.choice(10_000, num_images, replace=False).tolist()
    categories = rng.choice(90, num_categories, replace=False).tolist()
    for number in ids:
        (root / f"{number:012d}.jpg").write_bytes(str(number).encode())
    annotations = [
        {
            "id": at, "image_id": int(rng.choice(ids)), "category_id": int(rng.choice(categories)), "area": 4.0,
            "iscrowd": int(rng.random() < 0.2), "bbox": [0, 0, 2, 2], "segmentation": [[0, 0, 2, 0, 2, 2]],
        }
        for at in range(int(rng.integers(1, 40)))
    ]  # fmt: skip
    content = {
        "images": [{"id": n, "file_name": f"{n:012d}.jpg", "width": 9, "height": 9} for n in ids],
        "annotations": annotations,
        "categories": [{"id": c, "name": f"猫 {c}" if names else f"c{c}"} for c in categories],
    }
    (root / "instances.json").write_text(json.dumps(content), encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = coco.COCO(str(root / "instances.json"))
    dataset = read_dataset(root, root / "instances.json")
    for category in oracle.loadCats(oracle.getCatIds()):
        column = dataset.labels.index(category["name"])
        files = {image["file_name"] for image in oracle.loadImgs(oracle.getImgIds(catIds=[category["id"]]))}
        assert set(dataset.images["file"][dataset.labels_NK[:, column] == 1]) == files
    assert (dataset.labels_NK >= 0).all()
