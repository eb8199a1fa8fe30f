"""Intervals come from resampled images, repeat themselves, and cover what they promise."""

import numpy as np
import pytest

from tagger.scoring import evaluate, paired_table, percentile_interval, value_with_interval
from tagger.scoring import metric_set as measure_module
from tagger.scoring.bootstrap import bootstrap_draws, image_weights
from tagger.scoring.metric_set import OVERALL_METRICS, MetricSet

NAMES = ["x", "y", "z"]


def problem(seed, num_images=300, num_labels=3, skill=0.3):
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_images, num_labels)) < 0.3).astype(np.int8)
    return labels, np.clip(skill * labels + rng.random(labels.shape) * 0.7, 0, 1)


def test_every_draw_weighs_as_many_images_as_there_are_each_once_on_average():
    weights = np.hstack(list(image_weights(50, 400, seed=1)))
    assert weights.shape == (50, 400)
    assert (weights.sum(axis=0) == 50).all()
    np.testing.assert_allclose(weights.mean(axis=1), 1, atol=5 / np.sqrt(400))
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.05)  # binomial(50, 1 / 50)


def test_draws_come_in_blocks_that_bound_memory():
    blocks = [w.shape for w in image_weights(500_000, 9)]
    assert blocks == [(500_000, 4), (500_000, 4), (500_000, 1)]


def test_the_same_seed_gives_the_same_draws():
    first, again, other = (np.hstack(list(image_weights(20, 5, seed=s))) for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_draw_is_what_a_slow_loop_over_resampled_images_gives():
    labels, probs = problem(0)
    thresholds = np.full(3, 0.5)
    measure = MetricSet(labels, probs, thresholds)
    draws = bootstrap_draws(lambda weights: measure(weights)[0], len(labels), draws=4)
    weights = np.hstack(list(image_weights(len(labels), 4)))
    for b in range(4):
        again = np.repeat(np.arange(len(labels)), weights[:, b].astype(int))
        slow = MetricSet(labels[again], probs[again], thresholds)(np.ones((len(again), 1)))[0]
        for name in set(OVERALL_METRICS) - {"calibration_error"}:  # its bins stay those of all images
            assert draws[name][b] == pytest.approx(slow[name][0]), name


def test_an_interval_of_a_mean_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).random(2000)
    draws = bootstrap_draws(
        lambda weights: {"mean": values @ weights / len(values)}, len(values), draws=2000
    )["mean"]
    low, high = percentile_interval(values.mean(), draws)
    wide = 1.96 * values.std() / np.sqrt(len(values))
    assert (high - low) / 2 == pytest.approx(wide, rel=0.1)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    truth = float(
        MetricSet(*problem(10**6, num_images=200_000), np.full(3, 0.5))(np.ones((200_000, 1)))[0]["map"][0]
    )
    covered = 0
    for seed in range(60):
        labels, probs = problem(seed)
        measure = MetricSet(labels, probs, np.full(3, 0.5))
        draws = bootstrap_draws(lambda w, measure=measure: measure(w)[0], len(labels), draws=200)["map"]
        low, high = percentile_interval(0.0, draws)
        covered += low <= truth <= high
    assert covered >= 50  # 57 of 60 expected; fewer than 50 has a chance below 1 in 1000


def test_undefined_draws_are_left_out_and_nothing_is_made_up():
    assert percentile_interval(0.5, np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert np.isnan(percentile_interval(0.5, np.array([np.nan]))).all()
    assert value_with_interval(0.5) == {"value": 0.5, "low": None, "high": None}


def test_a_shifted_interval_holds_the_value_and_stays_above_0():
    low, high = percentile_interval(0.01, np.linspace(0.02, 0.04, 100), shift=True)
    assert 0 <= low <= 0.01 <= high


def test_two_equal_models_differ_by_nothing():
    labels, probs = problem(1)
    table = paired_table(labels, probs, np.full(3, 0.5), probs, np.full(3, 0.5), NAMES, draws=50)["overall"]
    assert tuple(table) == OVERALL_METRICS
    for row in table.values():
        assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)


def test_a_paired_interval_is_narrower_than_two_apart_and_changes_sign_with_the_order():
    labels, probs = problem(2, num_images=600)
    better = np.clip(probs + 0.05 * labels, 0, 1)
    at = np.full(3, 0.5)
    forward = paired_table(labels, probs, at, better, at, NAMES, draws=300)["overall"]["map"]
    backward = paired_table(labels, better, at, probs, at, NAMES, draws=300)["overall"]["map"]
    assert forward["low"] > 0
    assert forward["difference"] == pytest.approx(-backward["difference"])
    assert forward["low"] == pytest.approx(-backward["high"])
    measure = MetricSet(labels, probs, at)
    alone = percentile_interval(0.0, bootstrap_draws(lambda w: measure(w)[0], len(labels), draws=300)["map"])
    assert forward["high"] - forward["low"] < 0.5 * (alone[1] - alone[0])


def test_a_paired_interval_is_that_of_a_slow_loop_over_images_resampled_for_both():
    labels, probs = problem(3)
    better, at = np.clip(probs + 0.05 * labels, 0, 1), np.full(3, 0.5)
    table = paired_table(labels, probs, at, better, at, NAMES, draws=30)
    weights = np.hstack(list(image_weights(len(labels), 30)))
    whole: dict[str, list[float]] = {
        name: [] for name in set(OVERALL_METRICS) - {"calibration_error"}
    }  # its bins stay
    of_y = []
    for b in range(30):
        again, once = np.repeat(np.arange(len(labels)), weights[:, b].astype(int)), np.ones((len(labels), 1))
        one, other = (MetricSet(labels[again], found[again], at)(once) for found in (probs, better))
        for name, differences in whole.items():
            differences.append(other[0][name][0] - one[0][name][0])
        of_y.append(other[1]["f1"][1, 0] - one[1]["f1"][1, 0])
    rows = [(table["overall"][name], differences) for name, differences in whole.items()]
    for row, differences in [*rows, (table["per_label"]["y"]["f1"], of_y)]:
        assert [row["low"], row["high"]] == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=1e-9)


def test_labels_taken_a_block_at_a_time_are_measured_as_all_at_once(monkeypatch):
    """However many labels are held at a time, every value, interval and note is the same."""
    rng = np.random.default_rng(4)
    labels, probs = problem(4, num_images=80, num_labels=47)
    labels[rng.random(labels.shape) < 0.1] = -1
    names, at = [f"label {k}" for k in range(47)], rng.uniform(0.3, 0.7, 47)
    other = np.clip(probs + 0.1 * rng.normal(size=probs.shape), 0, 1)

    def tables():
        one = evaluate(labels, probs, at, names, shared=0.45, draws=60)
        return one, paired_table(labels, probs, at, other, at, names, draws=60)

    whole = tables()
    monkeypatch.setattr(measure_module, "MIN_LABELS_PER_BLOCK", 7)
    monkeypatch.setattr(measure_module, "CELLS_AT_ONCE", 0)
    for once, in_blocks in zip(whole, tables(), strict=True):
        assert list(once["per_label"]) == list(in_blocks["per_label"]) == names
        assert _leaves(in_blocks) == pytest.approx(_leaves(once), nan_ok=True)


def _leaves(table, path=""):
    """Every number in a nested dict by its path; None as NaN, words left out."""
    if isinstance(table, dict):
        return {
            at: leaf for key, value in table.items() for at, leaf in _leaves(value, f"{path}/{key}").items()
        }
    return {} if isinstance(table, str) else {path: np.nan if table is None else table}


def test_a_mean_over_labels_that_draws_lose_lies_in_its_interval():
    rng = np.random.default_rng(0)
    labels = (rng.random((20, 300)) < 0.08).astype(np.int8)
    probs = np.clip(0.3 * labels + rng.random(labels.shape) * 0.7, 0, 1)
    at = np.full(300, 0.5)
    measure = MetricSet(labels, probs, at)
    drawn = bootstrap_draws(lambda w: measure(w)[0], 20, draws=200)["map"]
    plain = percentile_interval(float(measure(np.ones((20, 1)))[0]["map"][0]), drawn)
    table = evaluate(labels, probs, at, [f"l{k}" for k in range(300)], shared=0.5, draws=200)["overall"]
    assert not plain[0] <= table["map"]["value"] <= plain[1]  # what is to be mended
    for row in table.values():
        if row["low"] is not None:
            assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
    assert table["map"]["high"] - table["map"]["low"] == pytest.approx(plain[1] - plain[0], rel=0.2)


def test_an_interval_that_holds_the_value_is_not_moved():
    draws = np.linspace(0.2, 0.8, 101)
    assert value_with_interval(0.3, draws) == {
        "value": 0.3, **dict(zip(("low", "high"), percentile_interval(0.3, draws), strict=True)),
    }  # fmt: skip
    assert value_with_interval(-0.5, draws)["low"] == pytest.approx(-0.785)  # differences have no bounds
