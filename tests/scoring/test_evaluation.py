"""The table of an evaluation is complete, true, and can be written as JSON whatever the data."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from tagger.scoring import evaluate
from tagger.scoring.metric_set import LABEL_METRICS, OVERALL_METRICS

NAMES = ["people", "night, city", "猫"]


def problem(seed=0, num_images=200):
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_images, 3)) < [0.4, 0.2, 0.1]).astype(np.int8)
    return labels, np.clip(0.3 * labels + rng.random(labels.shape) * 0.7, 0, 1)


def numbers(table):
    """Every number and None in a nested dict, with the path to it."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{key}/{path}", leaf) for path, leaf in numbers(value))
        else:
            yield key, value


def test_the_values_are_those_of_scikit_learn():
    labels, probs = problem()
    thresholds = np.array([0.4, 0.5, 0.6])
    table = evaluate(labels, probs, thresholds, NAMES, shared=0.45, draws=50)
    chosen = probs >= thresholds
    overall = {name: row["value"] for name, row in table["overall"].items()}
    assert overall["macro_f1"] == pytest.approx(sk.f1_score(labels, chosen, average="macro"))
    assert overall["map"] == pytest.approx(sk.average_precision_score(labels, probs))
    assert overall["roc_auc"] == pytest.approx(sk.roc_auc_score(labels, probs))
    assert overall["ranking_loss"] == pytest.approx(sk.label_ranking_loss(labels, probs))
    assert table["per_label"]["猫"]["precision"]["value"] == pytest.approx(
        sk.precision_score(labels[:, 2], chosen[:, 2])
    )
    assert table["per_label"]["people"]["positives"] == labels[:, 0].sum()
    assert table["per_label"]["people"]["threshold"] == 0.4
    assert (table["num_images"], table["num_cells"]) == (200, 600)


def test_every_metric_is_there_with_an_interval_round_its_value():
    table = evaluate(*problem(), np.full(3, 0.5), NAMES, shared=0.45, draws=200)
    assert tuple(table["overall"]) == OVERALL_METRICS
    rows = [table["overall"][name] for name in OVERALL_METRICS]
    rows += [row[name] for row in table["per_label"].values() for name in LABEL_METRICS]
    for row in rows:
        assert row["low"] <= row["value"] <= row["high"]


def test_the_gain_of_thresholds_is_the_difference_of_what_is_compared():
    labels, probs = problem()
    table = evaluate(labels, probs, np.array([0.3, 0.5, 0.6]), NAMES, shared=0.45, draws=50)
    compared = table["thresholds_compared"]
    assert set(compared) == {"per_label", "0.5", "best_shared"}
    assert compared["best_shared"]["threshold"] == 0.45
    assert compared["0.5"]["micro_f1"] == pytest.approx(sk.f1_score(labels, probs >= 0.5, average="micro"))
    for name, row in table["threshold_gain"].items():
        assert row["value"] == pytest.approx(compared["per_label"][name] - compared["best_shared"][name])


def test_the_same_threshold_for_all_gains_exactly_nothing():
    table = evaluate(*problem(), np.full(3, 0.45), NAMES, shared=0.45, draws=50)
    for row in table["threshold_gain"].values():
        assert row == {"value": 0, "low": 0, "high": 0}


def test_a_rare_label_has_a_note_and_no_interval():
    labels, probs = problem()
    labels[:, 2] = 0
    labels[:3, 2] = 1
    row = evaluate(labels, probs, np.full(3, 0.5), NAMES, shared=0.5, draws=50)["per_label"]["猫"]
    assert row["note"] == "not enough data (3 positives)"
    assert row["f1"]["value"] is not None
    assert (row["f1"]["low"], row["f1"]["high"]) == (None, None)


def test_notes_say_what_is_undefined():
    labels, probs = problem()
    labels[:, 0], labels[:, 1] = 1, np.where(labels[:, 1] == 1, 1, 0)
    rows = evaluate(labels, probs, np.array([0.5, 2.0, 0.5]), NAMES, shared=0.5, draws=20)["per_label"]
    assert rows["people"]["note"] == "not measured: not enough data (no known negative)"
    assert rows["people"]["f1"] == rows["people"]["precision"] == {"value": None, "low": None, "high": None}
    assert rows["people"]["average_precision"] == {"value": None, "low": None, "high": None}
    assert rows["night, city"]["note"] == "never chosen: precision is undefined"
    assert rows["night, city"]["precision"]["value"] is None


def test_a_label_that_is_all_yes_counts_in_no_macro_average():
    labels, probs = problem()
    thresholds = np.array([0.3, 0.5, 0.6])
    labels[:, 0] = np.where(labels[:, 0] == 1, 1, -1)
    overall = evaluate(labels, probs, thresholds, NAMES, shared=0.45, draws=20)["overall"]
    others = labels[:, 1:], probs[:, 1:] >= thresholds[1:]
    for name, score in (("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)):
        assert overall[f"macro_{name}"]["value"] == pytest.approx(score(*others, average="macro"))


def test_a_label_that_is_never_chosen_is_so_under_every_threshold_compared():
    labels, probs = problem()
    rest = evaluate(labels[:, :2], probs[:, :2], np.full(2, 0.5), NAMES[:2], shared=0.45, draws=20)
    labels[:, 2] = np.where(labels[:, 2] == 1, 1, -1)
    table = evaluate(labels, probs, np.array([0.5, 0.5, 2.0]), NAMES, shared=0.45, draws=20)
    for choice, row in table["thresholds_compared"].items():
        assert row["micro_precision"] == pytest.approx(rest["thresholds_compared"][choice]["micro_precision"])
        assert row["macro_f1"] == pytest.approx(rest["thresholds_compared"][choice]["macro_f1"])


def test_no_image_at_all_gives_a_table_of_nothing():
    table = evaluate(
        np.zeros((0, 2), np.int8), np.zeros((0, 2)), np.full(2, 0.5), ["a", "b"], shared=0.5, draws=20
    )
    assert table["num_images"] == 0
    assert all(row["value"] is None for row in table["overall"].values())
    json.dumps(table, allow_nan=False)


shapes = st.tuples(st.integers(1, 5), st.integers(1, 3))
problems = shapes.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 1])),
        hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    )
)


@settings(max_examples=60, deadline=None)
@given(problems)
def test_whatever_the_data_the_table_is_json_without_nan_and_a_missing_value_has_a_note(case):
    labels, probs = case
    names = NAMES[: labels.shape[1]]
    table = evaluate(labels, probs, np.full(len(names), 0.5), names, shared=0.5, draws=10)
    json.dumps(table, allow_nan=False)
    for row in table["per_label"].values():
        if any(row[name]["value"] is None for name in LABEL_METRICS):
            assert row["note"]
    for path, value in numbers(table):
        assert value is None or not path.endswith(("low", "high")) or np.isfinite(value)
