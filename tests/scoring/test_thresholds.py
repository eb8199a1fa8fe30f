"""Thresholds do what the aim says, generalise better than one for all, and never make up a number."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tagger.arrays import logit, sigmoid
from tagger.errors import TaggerError
from tagger.scoring import (
    Thresholds,
    apply_thresholds,
    best_shared_threshold,
    choose_thresholds,
    confusion_counts,
    f_beta,
    micro_macro_averages,
    parse_objective,
    precision,
    recall,
)


def problem(seed, num_images=3000, shares=(0.3, 0.1, 0.03, 0.01)):
    """Labels of different share and difficulty, with probabilities off by a bias a label."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_images, len(shares))) < shares).astype(np.int8)
    distance = rng.uniform(1.5, 3, len(shares))
    signal = rng.normal(size=labels.shape) + labels * distance
    logits = signal * distance - distance**2 / 2 + logit(np.array(shares)) + rng.normal(0, 0.5, len(shares))
    return labels, sigmoid(logits)


def test_thresholds_of_one_half_beat_the_best_shared_one_on_the_other_half():
    gains = []
    for seed in range(8):
        labels, probs = problem(seed)
        chosen = choose_thresholds(labels[:1500], probs[:1500], draws=30)
        ours, shared = (
            micro_macro_averages(confusion_counts(labels[1500:], apply_thresholds(probs[1500:], t)))[
                "macro_f1"
            ]
            for t in (chosen.values_K, chosen.shared)
        )
        gains.append(float(ours - shared))
    assert np.mean(gains) > 0.005, gains
    assert np.sum(np.array(gains) > 0) >= 6, gains


def test_many_images_bring_the_threshold_that_theory_gives():
    """With true probabilities the best cost threshold is fp / (fp + fn), the best F1 threshold is half the best F1."""
    rng = np.random.default_rng(0)
    probs = rng.beta(0.5, 2, size=(100_000, 1))
    labels = (rng.random(probs.shape) < probs).astype(np.int8)
    assert choose_thresholds(labels, probs, "cost fp=1 fn=4", draws=20).values_K[0] == pytest.approx(
        0.2, abs=0.02
    )
    value = choose_thresholds(labels, probs, "f1", draws=20).values_K[0]
    assert value == pytest.approx(
        f_beta(confusion_counts(labels, apply_thresholds(probs, value)))[0] / 2, abs=0.02
    )
    value = choose_thresholds(labels, probs, "f2", draws=20).values_K[0]
    assert value == pytest.approx(
        f_beta(confusion_counts(labels, apply_thresholds(probs, value)), 2)[0] / 5, abs=0.02
    )


def test_a_label_with_too_few_positives_gets_the_shared_threshold_and_says_so():
    labels, probs = problem(0)
    labels[:, 3] = 0
    labels[:7, 3] = 1
    rare = choose_thresholds(labels, probs, draws=20).labels[3]
    assert rare.value == choose_thresholds(labels, probs, draws=20).shared
    assert rare.how == "shared: not enough data (7 positives)"
    assert (rare.low, rare.high, rare.positives) == (None, None, 7)


def test_a_label_without_a_known_positive_or_negative_is_never_chosen():
    labels, probs = problem(0)
    labels[:, 2] = np.where(labels[:, 2] == 1, 1, -1)
    labels[:, 3] = np.where(labels[:, 3] == 1, -1, 0)
    chosen = choose_thresholds(labels, probs, draws=20)
    assert chosen.labels[2].how == "never chosen: no known negative"
    assert chosen.labels[3].how == "never chosen: no known positive"
    assert not apply_thresholds(np.ones((1, 4)), chosen.values_K)[0, 2:].any()
    assert Thresholds.from_json(json.loads(json.dumps(chosen.to_json(), allow_nan=False))) == chosen


@pytest.mark.parametrize("aim", ["f1", "recall>=0.9", "cost fp=1 fn=4"])
def test_a_label_of_one_side_only_changes_no_other_threshold(aim: str):
    labels, probs = problem(0)
    alone = choose_thresholds(labels[:, :2], probs[:, :2], aim, draws=20)
    labels[:, 2] = np.where(labels[:, 2] == 1, 1, -1)
    labels[:, 3] = np.where(labels[:, 3] == 1, -1, 0)
    chosen = choose_thresholds(labels, probs, aim, draws=20)
    assert chosen.labels[:2] == alone.labels
    assert chosen.shared == alone.shared


def test_a_label_with_both_sides_elsewhere_gets_the_shared_threshold():
    labels, probs = problem(0)
    labels[:, 2] = np.where(labels[:, 2] == 1, 1, -1)
    chosen = choose_thresholds(labels, probs, decidable_K=np.full(4, True), draws=20)
    assert chosen.labels[2].how == "shared: not enough data (no known negative)"
    assert chosen.values_K[2] == chosen.shared


def test_the_rarer_a_label_the_nearer_it_stays_to_the_shared_threshold():
    labels, probs = problem(1)
    near, far = (
        choose_thresholds(labels, probs, shrinkage=shrinkage, draws=20, pooled_loss=1, prior=1).values_K
        for shrinkage in (1e9, 0)
    )
    shared = choose_thresholds(labels, probs, draws=20, pooled_loss=1).shared
    np.testing.assert_allclose(near, shared, rtol=1e-4)
    moved = np.abs(
        logit(choose_thresholds(labels, probs, shrinkage=30, draws=20, pooled_loss=1, prior=1).values_K)
        - logit(far)
    )
    kept = moved / np.abs(logit(near) - logit(far))  # the share of the way to the shared one: 30 / (n + 30)
    np.testing.assert_allclose(kept, 30 / ((labels == 1).sum(axis=0) + 30), rtol=1e-3)


def test_precision_is_reached_with_the_most_recall():
    labels, probs = problem(2)
    chosen = choose_thresholds(labels, probs, "precision>=0.8", draws=20)
    counts = confusion_counts(labels, apply_thresholds(probs, chosen.values_K))
    for k, label in enumerate(chosen.labels):
        if "not reached" in label.how:
            continue
        assert precision(counts)[k] >= 0.8
        for lower in np.unique(probs[probs[:, k] < label.value, k])[-300:]:
            other = confusion_counts(labels[:, [k]], apply_thresholds(probs[:, [k]], lower))
            assert precision(other)[0] < 0.8 or recall(other)[0] <= recall(counts)[k]


def test_recall_is_reached_with_the_fewest_chosen():
    labels, probs = problem(3)
    values = choose_thresholds(labels, probs, "recall>=0.8", draws=20).values_K
    assert (recall(confusion_counts(labels, apply_thresholds(probs, values))) >= 0.8).all()
    for k in range(labels.shape[1]):
        higher = np.sort(probs[(labels[:, k] == 1) & (probs[:, k] >= values[k]), k])[1]
        assert recall(confusion_counts(labels[:, [k]], apply_thresholds(probs[:, [k]], higher)))[0] < 0.8


def test_a_lower_confidence_limit_keeps_the_precision_on_other_images_more_often():
    kept = {None: 0, 0.95: 0}
    for seed in range(12):
        labels, probs = problem(seed, num_images=2000, shares=(0.05, 0.05))
        for confidence in kept:
            values = choose_thresholds(
                labels[:1000], probs[:1000], "precision>=0.7", confidence=confidence, draws=20
            ).values_K
            kept[confidence] += int(
                (
                    precision(confusion_counts(labels[1000:], apply_thresholds(probs[1000:], values))) >= 0.7
                ).sum()
            )
    assert kept[0.95] > kept[None]


def test_an_aim_that_cannot_be_reached_says_so_and_takes_the_nearest():
    rng = np.random.default_rng(0)
    labels, probs = (rng.random((400, 1)) < 0.2).astype(np.int8), rng.random((400, 1))
    labels[probs[:, 0].argmax()] = 0  # the surest image is wrong
    (label,) = choose_thresholds(labels, probs, "precision>=0.99", draws=20).labels
    assert "precision>=0.99 not reached (best 0." in label.how
    best = precision(confusion_counts(labels, apply_thresholds(probs, label.value)))[0]
    assert best == max(
        precision(confusion_counts(labels, apply_thresholds(probs, t)))[0] for t in np.unique(probs)
    )


def test_the_shared_threshold_is_the_best_of_a_slow_search():
    labels, probs = problem(4, num_images=400)
    for average in ("macro", "micro"):
        ours = best_shared_threshold(labels, probs, parse_objective("f1"), average=average)
        values = [
            micro_macro_averages(confusion_counts(labels, apply_thresholds(probs, t)))[f"{average}_f1"]
            for t in np.unique(probs)
        ]
        assert micro_macro_averages(confusion_counts(labels, apply_thresholds(probs, ours)))[
            f"{average}_f1"
        ] == pytest.approx(max(values))


def test_equal_cells_mean_equal_results_and_order_of_images_does_not_matter():
    labels, probs = problem(5)
    order = np.random.default_rng(1).permutation(len(labels))
    first, again = (choose_thresholds(labels, probs, draws=20, seed=3) for _ in range(2))
    assert first == again
    shuffled = choose_thresholds(labels[order], probs[order], draws=100, seed=3)
    np.testing.assert_allclose(
        logit(shuffled.values_K), logit(first.values_K), atol=0.15
    )  # bagging draws differ


def test_unknown_cells_do_not_move_a_threshold():
    labels, probs = problem(6)
    labels[::5] = -1
    noise = np.where(labels < 0, np.random.default_rng(0).random(probs.shape), probs)
    np.testing.assert_allclose(
        choose_thresholds(labels, probs, draws=20).values_K,
        choose_thresholds(labels, noise, draws=20).values_K,
    )


@pytest.mark.parametrize("aim", ["f1", "precision>=0.9", "cost fp=1 fn=2"])
def test_thresholds_survive_json(aim):
    labels, probs = problem(7)
    chosen = choose_thresholds(labels, probs, aim, draws=20)
    assert Thresholds.from_json(json.loads(json.dumps(chosen.to_json(), allow_nan=False))) == chosen
    for label in chosen.labels:
        assert label.low is None or label.low <= label.value <= label.high


@pytest.mark.parametrize("counting_half_weight", [0, 1e9])
def test_the_interval_narrows_with_more_images(counting_half_weight):
    width = []
    for num_images in (1000, 16_000):
        labels, probs = problem(8, num_images=num_images, shares=(0.1,))
        (label,) = choose_thresholds(
            labels, probs, draws=60, counting_half_weight=counting_half_weight
        ).labels
        width.append(label.high - label.low)
    assert (
        width[1] < 0.6 * width[0]
    )  # 16 times the images: 1 / 16^(1/3) by counting, about 1 / 4 by the model


def test_a_wrong_aim_is_an_error_for_the_person():
    with pytest.raises(TaggerError, match="Examples: f1"):
        choose_thresholds(np.zeros((3, 1), np.int8), np.zeros((3, 1)), "accuracy")


shapes = st.tuples(st.integers(1, 12), st.integers(1, 3))
cells = shapes.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 1])),
        hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    )
)


@settings(max_examples=60, deadline=None)
@given(cells, st.sampled_from(["f1", "precision>=0.9", "recall>=0.8", "cost fp=1 fn=3"]))
def test_whatever_the_labels_there_is_a_finite_threshold(problem, aim):
    labels, probs = problem
    chosen = choose_thresholds(labels, probs, aim, min_positives=1, draws=20)
    assert np.isfinite(chosen.values_K).all()
    assert np.isfinite(chosen.shared)


def test_the_table_in_the_module_names_the_command_that_prints_it():
    root = Path(__file__).parents[2]
    assert "python benchmarks/thresholds.py" in (root / "tagger/scoring/thresholds.py").read_text()
    assert (root / "benchmarks/thresholds.py").exists()
