"""The demo set: real digits, known errors, the truth aside."""

import numpy as np
import pytest
from PIL import Image

from data_tools.demo import NAMES, SHARES_K, draw_labels, inject_errors, make_demo
from tagger.data import read_dataset
from tagger.errors import TaggerError


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo") / "set", num_images=120, num_new=15, noise=0.2)


def test_it_reads_as_a_data_set_with_its_planted_errors(demo):
    given, truth = read_dataset(demo), read_dataset(demo, demo / "truth" / "truth.csv")
    assert given.source.startswith("Labels from labels.csv")
    assert len(given.images) == len(truth.images) == 120
    assert given.unlisted == tuple(f"new/new-{n:05d}.jpg" for n in range(15))
    columns = [truth.labels.index(label) for label in given.labels]
    wrong = given.labels_NK != truth.labels_NK[:, columns]
    assert 0.2 < wrong.sum() / (truth.labels_NK == 1).sum() < 0.4
    new = read_dataset(demo / "new", demo / "truth" / "new_truth.csv")
    assert len(new.images) == 15
    assert set(new.labels) <= set(NAMES)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(demo, tmp_path):
    again = make_demo(tmp_path / "again", num_images=120, num_new=15, noise=0.2)
    assert read_dataset(demo).images.equals(read_dataset(again).images)
    for name in ("labels.csv", "truth/truth.csv", "truth/new_truth.csv", "README.txt"):
        assert (demo / name).read_bytes() == (again / name).read_bytes()
    other = make_demo(tmp_path / "other", num_images=5, num_new=0, seed=1)
    assert set(read_dataset(other).images["hash"]).isdisjoint(read_dataset(demo).images["hash"])


def test_photos_with_digits_hold_more_contrast_than_empty_ones(demo):
    truth = read_dataset(demo, demo / "truth" / "truth.csv")
    spread_N = np.array(
        [np.asarray(Image.open(demo / f).convert("L"), float).std() for f in truth.images["file"]]
    )
    empty_N = truth.labels_NK.sum(axis=1) == 0
    assert 0.1 < empty_N.mean() < 0.35
    assert np.median(spread_N[~empty_N]) > 1.5 * np.median(spread_N[empty_N])


def test_labels_are_imbalanced_as_promised():
    share_K = draw_labels(20_000, np.random.default_rng(0)).mean(axis=0)
    assert np.all(np.abs(share_K - SHARES_K) < 0.02)
    assert share_K[0] > 10 * share_K[-1]


def test_no_noise_plants_nothing():
    truth_NK = draw_labels(50, np.random.default_rng(0))
    assert np.array_equal(inject_errors(truth_NK, np.random.default_rng(1), noise=0.0), truth_NK)


def test_nothing_that_is_there_already_is_overwritten(demo, tmp_path):
    with pytest.raises(TaggerError, match="this exists already"):
        make_demo(demo)
    with pytest.raises(TaggerError, match="noise"):
        make_demo(tmp_path / "x", noise=1.5)
