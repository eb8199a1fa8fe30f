"""Annotators' labels as one: by the majority, or by votes weighed by reliability, with a run's probabilities."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_tools.weigh_annotators import weigh_annotators
from tagger.arrays import NO, UNKNOWN, YES
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.runs.held_out import held_out_probs

NAMES = ["cat", "dog", "deer", "horse"]


def people(num: int, shares: list[float], seed: int = 5):
    """(truth_N, parts): each annotator gives one label to each photo, right with a share of their own."""
    rng = np.random.default_rng(seed)
    truth_N = rng.integers(0, 4, num)
    files = [f"{n:04}.jpg" for n in range(num)]
    parts = []
    for share in shares:
        said_N = np.where(rng.random(num) < share, truth_N, (truth_N + rng.integers(1, 4, num)) % 4)
        parts.append((files, NAMES, np.eye(4, dtype=np.int8)[said_N]))
    return truth_N, parts


@pytest.mark.parametrize("seed", range(3))
def test_the_reliable_annotator_and_a_model_beat_the_majority(seed: int):
    truth_N, parts = people(1500, [0.95, 0.6, 0.6], seed)
    rng = np.random.default_rng(seed)
    guess_N = np.where(rng.random(1500) < 0.8, truth_N, (truth_N + 1) % 4)
    probs_NK = 0.05 + 0.8 * np.eye(4)[guess_N]
    right = {}
    for name, way, probs in (
        ("majority", "majority", None), ("alone", "reliability", None), ("model", "reliability", probs_NK),
    ):  # fmt: skip
        found = weigh_annotators(parts, annotators=["a", "b", "c"], way=way, probs_NK=probs)
        right[name] = np.mean(found.labels_NK[np.arange(1500), truth_N] == YES)
        assert ((found.labels_NK == YES).sum(axis=1) <= 1).all()
    assert right["alone"] > right["majority"] + 0.02
    assert right["model"] > right["alone"]
    assert found.people["sensitivity"].iloc[0] > 0.9 > 0.7 > found.people["sensitivity"].iloc[1]


def test_a_draw_of_single_labels_is_unknown_for_those_who_were_named():
    parts = [(["a"], NAMES, np.eye(4, dtype=np.int8)[[n]]) for n in (0, 1)]
    found = weigh_annotators(parts, annotators=["a", "b"], way="majority")
    assert found.labels_NK.tolist() == [[UNKNOWN, UNKNOWN, NO, NO]]


def test_the_majority_of_several_labels_is_counted_cell_by_cell():
    rng = np.random.default_rng(0)
    parts = [
        ([f"{n:02}" for n in range(40)], NAMES, rng.integers(-1, 2, (40, 4)).astype(np.int8))
        for _ in range(4)
    ]
    found = weigh_annotators(parts, annotators=list("abcd"), way="majority").labels_NK
    for n, k in np.ndindex(40, 4):
        said = [int(part[2][n, k]) for part in parts if part[2][n, k] != UNKNOWN]
        yes, no = said.count(YES), said.count(NO)
        assert found[n, k] == (UNKNOWN if yes == no else YES if yes > no else NO)


def test_held_out_probabilities_are_found_by_photo_and_label(finished: Path):
    run = RunFolder(finished)
    hashes, names = run.load_images()["hash"].tolist(), run.load_labels()
    found = held_out_probs(run, [hashes[3], "none", hashes[0]], [names[1], "boat"])
    probs_NK = run.load_oof()[0]
    np.testing.assert_array_equal(found[[0, 2], 0], probs_NK[[3, 0], 1].astype(float))
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()


def test_the_command_writes_one_table_and_says_who_is_reliable(
    tagger_cli: Callable[..., Any], tmp_path: Path
):
    root = tmp_path / "photos"
    root.mkdir()
    truth_N, parts = people(120, [0.97, 0.6, 0.6])
    argv = []
    for who, (files, _, said_NK) in zip(("ann", "ben", "cy"), parts, strict=True):
        table = pd.DataFrame({"file": files, "labels": [NAMES[k] for k in said_NK.argmax(axis=1)]})
        table.to_csv(tmp_path / f"{who}.csv", index=False)
        argv += ["--labels", tmp_path / f"{who}.csv"]
    for file in parts[0][0]:
        (root / file).write_bytes(file.encode())
    merge = ("data", "merge", root, *argv)
    ended = tagger_cli(*merge, "--out", "weighed.csv", "--on-disagreement", "reliability")
    assert ended.code == 0, ended.err
    assert "Cohen's kappa of all pairs of annotators" in ended.out
    got = pd.read_csv("weighed.csv")["labels"].map(NAMES.index).to_numpy()
    assert np.mean(got == truth_N) > 0.85
    assert "only with" in tagger_cli(*merge, "--out", "x.csv", "--run", "r").err
    assert (
        "Did you mean 'reliability'"
        in tagger_cli(*merge, "--out", "x.csv", "--on-disagreement", "reliabilty").err
    )


def test_an_unknown_way_is_an_error():
    from data_tools.weigh_annotators import check_way

    with pytest.raises(TaggerError, match="Available: unknown, majority, reliability"):
        check_way("best")
