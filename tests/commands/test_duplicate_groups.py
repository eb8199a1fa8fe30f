"""Copies of an image that are other files never lie on two sides of a split, through ``tagger train``."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from small import train_argv

from tagger.commands.console.screen import Screen
from tagger.commands.steps.duplicate_groups import duplicate_groups
from tagger.runs import RunFolder


def save_copy(photo, kind, path):
    """A file that shows the same as ``photo``."""
    if kind == "smaller":
        photo = photo.resize((40, 40), Image.Resampling.LANCZOS)
    elif kind == "mirrored":
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    elif kind == "brighter":
        photo = photo.point(lambda level: min(255, round(1.15 * level)))
    photo.save(path, quality=40 if kind == "re-encoded" else 90)


KINDS = ("re-encoded", "smaller", "mirrored", "brighter")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """40 photos of 80 x 80, and a copy of each in one of four ways; one pair has labels that differ."""
    root, rng = tmp_path_factory.mktemp("copies"), np.random.default_rng(0)
    soft = gaussian_filter(rng.normal(size=(40, 80, 80, 3)), (0, 6, 6, 0))
    pixels = np.clip(128 + 45 * soft / soft.std(), 0, 255).astype(np.uint8)
    with (root / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "labels"])
        for n in range(40):
            photo, label = Image.fromarray(pixels[n]), "odd" if n % 2 else "even"
            photo.save(root / f"{n}.png")
            save_copy(photo, KINDS[n % 4], root / f"{n}-copy.jpg")
            rows.writerows([[f"{n}.png", label], [f"{n}-copy.jpg", label]])
    return root


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_no_fold_and_no_test_split_separates_copies(data, tmp_path, tagger_cli, fit):
    end = tagger_cli(*train_argv(data, tmp_path / "run", train__epochs=0, image__size=64, image__fit=fit))
    assert end.code == 0
    assert "40 groups of near-duplicates (80 images, 2 in the largest)" in end.out
    images = RunFolder(tmp_path / "run").load_images()
    sides = images.groupby(images["file"].str.extract(r"^(\d+)", expand=False))[
        ["split", "fold", "group"]
    ].nunique()
    assert (sides == 1).all(axis=None)
    assert len(sides) == images["group"].nunique() == 40
    assert (
        images["group"] == images.groupby("group")["group"].transform(lambda group: group.index.min())
    ).all()
    assert set(images["split"]) == {"train", "val", "test"}


def test_a_training_begun_without_fingerprints_goes_on_with_the_split_by_hash(tmp_path):
    images = pd.DataFrame({"hash": ["b", "a", "b", "c", "a"]})
    group_N = duplicate_groups(images, np.arange(5), tmp_path / "none.npy", Screen(quiet=True))
    assert group_N.tolist() == [0, 1, 0, 3, 1]
