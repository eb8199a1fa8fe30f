"""Thresholds, calibration, metrics and plots where there is next to nothing to go by: defined, and without a
warning.

Absent classes, all scores equal, all unknown, one image, one label: drawn at random by column.
"""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger.arrays import NO, UNKNOWN, YES, Cells, Floats
from tagger.runs.report.plots import (
    plot_cooccurrence,
    plot_learning_curves,
    plot_per_label,
    plot_precision_recall,
    plot_reliability,
)
from tagger.scoring import (
    ExclusiveGroup,
    LabelConstraints,
    choose_thresholds,
    evaluate,
    fit_calibration,
    paired_table,
    predict_labels,
    reliability_bins,
)
from tagger.scoring.threshold_curves import threshold_curve

AIMS = ("f1", "f2", "precision>=0.9", "recall>=0.8", "cost fp=1 fn=5")
KINDS = ("unknown", "no", "yes", "mixed", "mixed with unknown", "one yes")
SCORES = ("equal", "zero", "one", "random", "three values", "tiny")


def cells_of(kind: str, num: int, rng: np.random.Generator) -> Cells:
    """A label's cells (N,)."""
    mixed_N = rng.integers(0, 2, num).astype(np.int8)
    return {
        "unknown": np.full(num, UNKNOWN, np.int8),
        "no": np.full(num, NO, np.int8),
        "yes": np.full(num, YES, np.int8),
        "mixed": mixed_N,
        "mixed with unknown": np.where(rng.random(num) < 0.5, mixed_N, np.int8(UNKNOWN)),
        "one yes": (np.arange(num) == 0).astype(np.int8),
    }[kind]


def scores_of(kind: str, num: int, rng: np.random.Generator) -> Floats:
    """A label's probabilities (N,)."""
    return {
        "equal": np.full(num, 0.3),
        "zero": np.zeros(num),
        "one": np.ones(num),
        "random": rng.random(num),
        "three values": rng.choice([0.0, 0.5, 1.0], num),
        "tiny": rng.random(num) * 1e-300,
    }[kind]


columns = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(SCORES)), min_size=1, max_size=4)
seeds = st.integers(0, 2**16)


def drawn(num: int, kinds: list[tuple[str, str]], seed: int) -> tuple[Cells, Floats]:
    """labels_NK and probs_NK of these columns."""
    rng = np.random.default_rng(seed)
    labels_NK = np.stack([cells_of(cells, num, rng) for cells, _ in kinds], axis=1)
    return labels_NK, np.stack([scores_of(scores, num, rng) for _, scores in kinds], axis=1)


def structure_for(num_labels: int, always: bool) -> LabelConstraints:
    """The first two labels exclude each other, and the last implies the first."""
    groups = (ExclusiveGroup("pair", (0, 1), always=always, ordinal=True),) if num_labels > 1 else ()
    return LabelConstraints(groups, ((num_labels - 1, 0),) if num_labels > 2 else ())


@settings(max_examples=60)
@given(st.integers(1, 30), columns, st.sampled_from(AIMS), seeds, st.booleans())
@example(1, [("unknown", "equal")], "f1", 0, False)
@example(
    1, [("yes", "zero"), ("no", "one")], "f1", 0, True
)  # nothing of a group that always has one is chosen
@example(1, [("yes", "zero")], "recall>=0.8", 0, True)
@example(12, [("no", "one"), ("unknown", "equal")], "precision>=0.9", 0, True)
@example(30, [("mixed", "equal")] * 3, "cost fp=1 fn=5", 0, True)
def test_thresholds_and_metrics_are_defined_whatever_is_missing(
    num: int, kinds: list[tuple[str, str]], aim: str, seed: int, always: bool
):
    labels_NK, raw_NK = drawn(num, kinds, seed)
    constraints = structure_for(len(kinds), always)
    calibration = fit_calibration(labels_NK, raw_NK, constraints.groups)
    probs_NK = calibration.apply(raw_NK)
    assert ((probs_NK >= 0) & (probs_NK <= 1)).all()
    chosen = choose_thresholds(labels_NK, probs_NK, aim, draws=10)
    assert all(0 <= row.value <= 1 or row.never_chosen for row in chosen.labels)
    assert 0 <= chosen.shared <= 1
    both_K = (labels_NK == YES).any(axis=0) & (labels_NK == 0).any(axis=0)
    for row, positives, both in zip(chosen.labels, (labels_NK == YES).sum(axis=0), both_K, strict=True):
        assert row.positives == positives
        assert row.never_chosen == (not both)
        assert positives >= 10 or row.how.startswith(("shared: not enough data", "never chosen: "))
    rules_bring = np.arange(len(kinds)) == 0  # the last label implies the first
    found_NK = predict_labels(probs_NK, chosen.values_K, constraints)
    assert not found_NK[:, ~both_K & ~rules_bring].any()
    names = [f"label {k}" for k in range(len(kinds))]
    table = evaluate(labels_NK, probs_NK, chosen.values_K, names, constraints, shared=chosen.shared, draws=5)
    json.dumps(table, allow_nan=False)
    check_row(table, labels_NK)
    half_K = np.full(len(kinds), 0.5)
    pairs = paired_table(
        labels_NK, probs_NK, half_K, raw_NK, chosen.values_K, names, (constraints,) * 2, draws=5
    )
    json.dumps(pairs, allow_nan=False)


def check_row(table: dict[str, Any], labels_NK: Cells) -> None:
    """A value is missing only where the documentation says so: no yes, no known cell, never chosen."""
    known_K, yes_K = (labels_NK != UNKNOWN).sum(axis=0), (labels_NK == YES).sum(axis=0)
    assert (table["overall"]["micro_f1"]["value"] is None) == (yes_K.sum() == 0)
    assert (table["overall"]["brier_loss"]["value"] is None) == (known_K.sum() == 0)
    both_K = (yes_K > 0) & (yes_K < known_K)
    assert (table["overall"]["map"]["value"] is None) == (not both_K.any())
    for row, yes, known, both in zip(table["per_label"].values(), yes_K, known_K, both_K, strict=True):
        assert (row["recall"]["value"] is None) == (yes == 0)
        assert (row["calibration_error"]["value"] is None) == (known == 0)
        assert (row["average_precision"]["value"] is None) == (not both)
        assert row["note"] or row["f1"]["value"] is not None


@settings(max_examples=40)
@given(st.integers(1, 30), columns, seeds)
def test_curves_and_bins_are_defined_too(num: int, kinds: list[tuple[str, str]], seed: int):
    labels_NK, probs_NK = drawn(num, kinds, seed)
    bins = reliability_bins(labels_NK, probs_NK)
    assert bins.num_cells_G.sum() == (labels_NK != UNKNOWN).sum()
    for k in range(len(kinds)):
        curve = threshold_curve(labels_NK[:, k], probs_NK[:, k], np.linspace(0, 1, 7))
        assert (np.isnan(curve.recall_T) == (not (labels_NK[:, k] == YES).any())).all()
        measured = (labels_NK[:, k] == 0).any()
        assert (np.isnan(curve.precision_T) == ((curve.chosen_T == 0) | (not measured))).all()


@pytest.mark.parametrize(
    "kinds",
    [
        [("unknown", "equal")],
        [("no", "zero"), ("no", "zero")],
        [("yes", "one")],
        [("one yes", "three values"), ("unknown", "random"), ("no", "equal")],
        [("mixed", "tiny")],
    ],
)
@pytest.mark.parametrize("num", [1, 12])
def test_every_plot_is_drawn(num: int, kinds: list[tuple[str, str]]):
    import pandas as pd

    labels_NK, probs_NK = drawn(num, kinds, 0)
    names = tuple(f"label {k}" for k in range(len(kinds)))
    table = evaluate(labels_NK, probs_NK, np.full(len(kinds), 0.5), names, shared=0.5, draws=5)
    history = pd.DataFrame([{"stage": "network", "epoch": 1, "train_loss": 0.5, "val_loss": math.nan, "lr": 0.1,
                             "val_map": math.nan}])  # fmt: skip
    plots = [
        plot_precision_recall(labels_NK, probs_NK, names, np.full(len(kinds), 0.5)),
        plot_reliability(labels_NK, probs_NK, probs_NK),
        plot_cooccurrence(labels_NK, names),
        plot_per_label(table["per_label"]),
        plot_learning_curves(history),
    ]
    assert all(png.startswith(b"\x89PNG") for png in plots)


@pytest.mark.parametrize("always", [False, True])
def test_equal_scores_in_a_group_choose_one_label_at_most(always: bool):
    constraints = LabelConstraints((ExclusiveGroup("pair", (0, 1), always=always),))
    chosen_NK = predict_labels(np.full((3, 2), 0.5), 0.5, constraints)
    assert chosen_NK.sum(axis=1).tolist() == [1, 1, 1]
    assert predict_labels(np.full((3, 2), np.nan), 0.5, constraints).sum() == 0
