"""Frames against both their neighbours: what is planted is found, and onsets are left alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
from drawn import draw

from tagger.commands.suspects import groups_of_frames
from tagger.data.frame_windows import Frames
from tagger.suspects import Evidence, find_suspects
from tagger.suspects.signals import Flicker, build_signals

CLIPS, LENGTH = 40, 20


def filmed(flips: int = 30, seed: int = 0) -> tuple[Evidence, np.ndarray, np.ndarray]:
    """Clips in which a label begins halfway in half of them, with frames flipped inside runs; and where these are.

    The model's probabilities are poor, and poorest about the onset.
    """
    rng = np.random.default_rng(seed)
    sequence_N = np.repeat(np.arange(CLIPS), LENGTH)
    place_N = np.tile(np.arange(LENGTH), CLIPS)
    truth_N = ((sequence_N % 2 == 0) & (place_N >= LENGTH // 2)).astype(np.int8)
    inside = np.flatnonzero((place_N % (LENGTH // 2) > 2) & (place_N % (LENGTH // 2) < LENGTH // 2 - 2))
    wrong = inside[rng.choice(len(inside) // 3, flips, replace=False) * 3]
    labels_NK = truth_N[:, None].copy()
    labels_NK[wrong] = 1 - labels_NK[wrong]
    probs_NK = 1 / (1 + np.exp(-(1.5 * (truth_N[:, None] - 0.5) + rng.normal(size=(len(truth_N), 1)))))
    rows = np.arange(len(truth_N))
    evidence = Evidence(
        labels_NK=labels_NK, probs_NK=probs_NK, names=("pain",), fold_N=sequence_N % 5, duplicate_group_N=rows,
        around_N2=Frames(sequence_N, place_N).around(),
    )  # fmt: skip
    onsets = np.flatnonzero((sequence_N % 2 == 0) & np.isin(place_N, [LENGTH // 2 - 1, LENGTH // 2]))
    return evidence, wrong, onsets


def suspects_of(evidence: Evidence) -> pd.DataFrame:
    files = np.array([f"{n}.jpg" for n in range(len(evidence.labels_NK))])
    return find_suspects(evidence, files, files).table


def test_the_value_is_that_of_a_slow_loop():
    evidence, _, _ = filmed()
    built = Flicker(evidence)
    labels_N = evidence.labels_NK[:, 0]
    for n in range(len(labels_N)):
        expected = 0
        if 0 < n % LENGTH < LENGTH - 1 and labels_N[n - 1] == labels_N[n + 1]:
            expected = 1 if labels_N[n - 1] else -1
        assert built.for_yes_NK[n, 0] == expected


def test_flipped_frames_are_found_that_are_not_found_without_the_signal():
    evidence, wrong, onsets = filmed()
    found = {
        name: suspects_of(one)
        for name, one in (("with", evidence), ("without", replace(evidence, around_N2=None)))
    }
    share = {name: np.isin(table["row"].head(len(wrong)), wrong).mean() for name, table in found.items()}
    assert share["with"] > 0.9
    assert share["with"] > share["without"] + 0.3
    likely = found["with"][found["with"]["doubt"] >= 0.5]["row"]
    assert np.isin(likely, onsets).mean() < 0.1
    reasons = found["with"].head(len(wrong))["reason"]
    assert reasons.str.contains("The frames before and after both (?:do not )?have `pain`", regex=True).any()


def test_unknown_neighbours_say_nothing():
    evidence, _, _ = filmed()
    labels_NK = evidence.labels_NK.copy()
    labels_NK[4:7:2] = -1
    assert Flicker(replace(evidence, labels_NK=labels_NK)).for_yes_NK[5, 0] == 0


def test_where_photos_are_no_frames_the_signal_is_not_there():
    assert "flicker" not in build_signals(draw(100).evidence)
    assert "flicker" in build_signals(filmed()[0])


def test_frames_of_one_sequence_are_copies_only_if_they_are_the_same_file():
    images = pd.DataFrame(
        {
            "group": [0, 0, 0, 3, 3, 5],
            "sequence": [7, 7, 7, 7, 8, 8],
            "hash": ["a", "b", "a", "c", "d", "e"],
        }
    )
    group_N = groups_of_frames(images)
    same = {(m, n) for n in range(6) for m in range(n) if group_N[m] == group_N[n]}
    assert same == {(0, 2), (3, 4)}  # equal bytes; and frames of two sequences that look alike
