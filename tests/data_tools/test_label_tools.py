"""Labels written are the labels read; noise, merging and renaming do to cells what they say."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_tools.checking import check_dataset
from data_tools.describe import describe, image_sizes
from data_tools.describe_html import html_page
from data_tools.label_files import save_labels
from data_tools.noise import NOISE_KINDS, inject_noise
from data_tools.relabel import merge_labels, rename_labels
from data_tools.subsets import sample_rows
from tagger.arrays import NO, UNKNOWN, YES
from tagger.data import read_dataset
from tagger.errors import TaggerError

NAMES = ['sea, "big"', "a|b", "line\nbreak", "<&amp;>", "海"]


def cells(draw_seed: int, num: int = 60, unknown: bool = True) -> np.ndarray:
    """Random cells of NAMES, every label with all values."""
    rng = np.random.default_rng(draw_seed)
    return rng.choice([UNKNOWN, NO, YES] if unknown else [NO, YES], (num, len(NAMES))).astype(np.int8)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 99), suffix=st.sampled_from([".csv", ".tsv", ".parquet"]))
def test_labels_with_any_names_are_read_back_the_same(tmp_path: Path, seed: int, suffix: str):
    files = ["a.jpg", " b.jpg", "c d/é|,.png"]
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(file.encode())
    labels_NK = cells(seed, len(files))
    out = tmp_path / "lists" / f"mine{suffix}"
    out.unlink(missing_ok=True)
    save_labels(out, tmp_path, files, NAMES, labels_NK)
    read = read_dataset(tmp_path, out)
    order = [files.index(file) for file in read.images["file"]]
    assert list(read.labels) == NAMES
    np.testing.assert_array_equal(read.labels_NK, labels_NK[order])
    with pytest.raises(TaggerError, match="already"):
        save_labels(out, tmp_path, files, NAMES, labels_NK)


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_noise_changes_what_it_says_and_no_more(kind: str):
    truth_NK = cells(0, 200)
    noisy_NK = inject_noise(truth_NK, np.random.default_rng(1), kind=kind, share=0.25)
    yes_K, known_K = (truth_NK == YES).sum(axis=0), (truth_NK != UNKNOWN).sum(axis=0)
    lost_K = ((truth_NK == YES) & (noisy_NK != YES)).sum(axis=0)
    won_K = ((truth_NK == NO) & (noisy_NK == YES)).sum(axis=0)
    assert ((truth_NK == UNKNOWN) <= (noisy_NK == UNKNOWN)).all()
    quarter_K = [round(0.25 * int(num)) for num in yes_K]
    if kind in ("missing", "unknown"):
        assert lost_K.tolist() == quarter_K
        assert won_K.sum() == 0
    elif kind == "spurious":
        assert won_K.tolist() == quarter_K
        assert lost_K.sum() == 0
    elif kind == "flip":
        assert (lost_K + won_K).tolist() == [round(0.25 * int(num)) for num in known_K]
    elif kind == "both":
        assert np.abs(lost_K + won_K - quarter_K).max() <= 1
    else:
        assert 0 < won_K.sum() <= lost_K.sum() <= sum(quarter_K)
    np.testing.assert_array_equal(
        inject_noise(truth_NK, np.random.default_rng(1), kind=kind, share=0.0), truth_NK
    )


def test_an_unknown_kind_of_noise_names_the_nearest():
    with pytest.raises(TaggerError, match="Did you mean 'missing'"):
        inject_noise(cells(0), np.random.default_rng(0), kind="mising", share=0.1)


def test_merging_three_annotators_agrees_with_a_slow_double_loop():
    parts = [([f"{n}.jpg" for n in range(9)], NAMES, cells(seed, 9)) for seed in range(3)]
    files, names, merged_NK, disagreements = merge_labels(parts, annotators=["Ann", "Bo", "Cy"])
    expected, listed = np.empty_like(merged_NK), set()
    for n, k in product(range(9), range(len(NAMES))):
        said = {int(part[2][n, k]) for part in parts} - {UNKNOWN}
        expected[n, k] = said.pop() if len(said) == 1 else UNKNOWN
        if len(said) == 2:
            listed.add((files[n], names[k]))
    np.testing.assert_array_equal(merged_NK, expected)
    assert set(zip(disagreements["file"], disagreements["label"], strict=True)) == listed


def test_where_annotators_disagree_the_cell_is_unknown_and_who_said_what_is_kept(
    tagger_cli: Callable[..., Any], tmp_path: Path
):
    root = tmp_path / "photos"
    root.mkdir()
    for name in "abc":
        (root / f"{name}.jpg").write_bytes(name.encode())
    for who, text in (
        ("ann.csv", 'file,"red, white",dog\na.jpg,1,0\nb.jpg,1,\nc.jpg,0,1\n'),
        ("bo.csv", 'file,"red, white"\na.jpg,0\nb.jpg,1\n'),
        ("cy.tsv", "file\tlabels\na.jpg\tred, white|\n"),
    ):
        (tmp_path / who).write_text(text, "utf-8")
    people = ("../ann.csv", "../bo.csv", "../cy.tsv")
    argv = [item for who in people for item in ("--labels", who)]
    ended = tagger_cli("data", "merge", root, *argv, "--out", "all.csv")
    assert ended.code == 0, ended.err
    merged = read_dataset(root, "all.csv")
    column = {name: merged.labels_NK[:, k].tolist() for k, name in enumerate(merged.labels)}
    assert column == {"red, white": [UNKNOWN, YES, NO], "dog": [NO, UNKNOWN, YES]}
    table = pd.read_csv("all.disagreements.csv", dtype=str, keep_default_na=False)
    assert table.to_dict("records") == [
        {"file": "a.jpg", "label": "red, white", "../ann.csv": "1", "../bo.csv": "0", "../cy.tsv": "1"}
    ]


def test_joined_labels_are_yes_where_one_was_and_dropped_ones_are_gone():
    labels_NK = np.array([[YES, NO, NO], [NO, UNKNOWN, YES], [NO, NO, NO]], np.int8)
    names, joined_NK = rename_labels(["cat", "kitty", "x"], labels_NK, {"kitty": "cat", "x": ""})
    assert names == ["cat"]
    assert joined_NK[:, 0].tolist() == [YES, UNKNOWN, NO]
    with pytest.raises(TaggerError, match="'catt' Did you mean 'cat'"):
        rename_labels(["cat"], labels_NK[:, :1], {"catt": "dog"})


def test_a_sample_has_the_wanted_size_and_nearly_every_labels_share():
    labels_NK = cells(3, 300, unknown=False)
    rows = sample_rows(labels_NK, [str(n) for n in range(300)], 100)
    assert len(set(rows.tolist())) == 100
    np.testing.assert_allclose(
        (labels_NK[rows] == YES).mean(axis=0), (labels_NK == YES).mean(axis=0), atol=0.05
    )


def test_the_demo_is_described_as_counting_by_hand_says(demo: Path):
    dataset = read_dataset(demo)
    found = describe(dataset)
    for row in found.labels.itertuples():
        assert row.yes == sum(
            int(cell) == YES for cell in dataset.labels_NK[:, dataset.labels.index(row.label)]
        )
    assert found.labels_per_image.sum() == found.num_images == 80
    assert found.num_unlisted == 12
    assert set(found.width_N.tolist()) == {32}
    text = html_page(dataset, found)
    assert "data:image/jpeg;base64," in text
    assert "http" not in text


def test_a_size_that_cannot_be_read_is_a_problem(tmp_path: Path):
    (tmp_path / "x.jpg").write_bytes(b"no image")
    width_N, height_N, problems = image_sizes(tmp_path, ["x.jpg", "gone.jpg"])
    assert (width_N == 0).all()
    assert (height_N == 0).all()
    assert [problem.file for problem in problems] == ["x.jpg", "gone.jpg"]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=60), image=st.binary(max_size=40))
def test_whatever_is_in_the_files_checking_lists_problems(tmp_path: Path, text: bytes, image: bytes):
    (tmp_path / "a.jpg").write_bytes(image)
    (tmp_path / "labels.csv").write_bytes(text)
    assert check_dataset(tmp_path)
