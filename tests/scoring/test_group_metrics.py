"""Metrics and calibration of groups: against scikit-learn, loops, and planted temperatures."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, mean_absolute_error

from tagger.scoring import (
    Calibration,
    ExclusiveGroup,
    LabelConstraints,
    evaluate,
    fit_calibration,
    paired_table,
    predict_labels,
)
from tagger.scoring.group_calibration import scale_softmax
from tagger.scoring.group_metrics import NONE_CLASS, GroupMetrics, true_classes

NAMES = ["free", "young", "old", "middle"]
AGE = ExclusiveGroup("age", (1, 3, 2), always=True, ordinal=True)  # in its own order: young, middle, old
MAYBE = ExclusiveGroup("age", (1, 3, 2), ordinal=True)


def drawn(seed=0, num=400, *, always=True, sharp=1.0):
    """Labels whose classes follow the softmax of the scores, and the probabilities ``sharp`` times too sure."""
    rng = np.random.default_rng(seed)
    scores_NC = 1.5 * rng.normal(size=(num, 3 if always else 4))
    shares_NC = np.exp(scores_NC) / np.exp(scores_NC).sum(axis=1, keepdims=True)
    classes_N = np.array([rng.choice(len(p), p=p) for p in shares_NC])
    told_NC = np.exp(sharp * scores_NC) / np.exp(sharp * scores_NC).sum(axis=1, keepdims=True)
    labels_NK, probs_NK = np.zeros((num, 4), np.int8), np.zeros((num, 4))
    labels_NK[:, 0] = rng.random(num) < 0.4
    probs_NK[:, 0] = np.clip(0.5 * labels_NK[:, 0] + 0.5 * rng.random(num), 0.01, 0.99)
    for place, k in enumerate(AGE.columns):
        labels_NK[classes_N == place, k] = 1
        probs_NK[:, k] = told_NC[:, place]
    return labels_NK, probs_NK, classes_N


def test_accuracy_distance_and_confusion_are_those_of_scikit_learn():
    labels_NK, probs_NK, classes_N = drawn()
    table = evaluate(
        labels_NK, probs_NK, np.full(4, 0.5), NAMES, LabelConstraints((AGE,)), shared=0.5, draws=30
    )
    row = table["groups"]["age"]
    guessed_N = probs_NK[:, list(AGE.columns)].argmax(axis=1)
    assert row["num_images"] == 400
    assert row["accuracy"]["value"] == pytest.approx(accuracy_score(classes_N, guessed_N))
    assert row["mean_absolute_error"]["value"] == pytest.approx(mean_absolute_error(classes_N, guessed_N))
    assert row["one_off_accuracy"]["value"] == pytest.approx((abs(classes_N - guessed_N) <= 1).mean())
    assert row["confusion"] == {
        "labels": ["young", "middle", "old"],
        "counts": confusion_matrix(classes_N, guessed_N).tolist(),
    }
    for name in ("accuracy", "mean_absolute_error", "one_off_accuracy"):
        assert row[name]["low"] < row[name]["value"] < row[name]["high"]
    json.dumps(table, allow_nan=False)


def test_where_an_image_may_have_none_that_is_a_class_of_its_own_but_has_no_distance():
    labels_NK, probs_NK, classes_N = drawn(always=False)
    thresholds_K = np.array([0.5, 0.4, 0.4, 0.4])
    row = evaluate(labels_NK, probs_NK, thresholds_K, NAMES, LabelConstraints((MAYBE,)), shared=0.5, draws=5)[
        "groups"
    ]["age"]
    probs_NM = probs_NK[:, list(MAYBE.columns)]
    guessed_N = np.where(probs_NM.max(axis=1) >= 0.4, probs_NM.argmax(axis=1), 3)
    assert row["accuracy"]["value"] == pytest.approx(accuracy_score(classes_N, guessed_N))
    assert row["confusion"]["labels"][-1] == NONE_CLASS
    assert row["confusion"]["counts"] == confusion_matrix(classes_N, guessed_N, labels=range(4)).tolist()
    has_one = classes_N < 3
    distance = mean_absolute_error(classes_N[has_one], probs_NM[has_one].argmax(axis=1))
    assert row["mean_absolute_error"]["value"] == pytest.approx(distance)


def test_images_whose_label_is_not_known_count_in_nothing():
    cells_NM = np.array([[1, 0, 0], [1, 1, 0], [-1, 0, 0], [0, 0, 0], [-1, 1, -1]], np.int8)
    assert true_classes(cells_NM, always=True).tolist() == [0, -1, -1, -1, 1]
    assert true_classes(cells_NM).tolist() == [0, -1, -1, 3, 1]
    probs_NK = np.full((5, 3), 1 / 3)
    probs_NK[0] = np.nan
    one = ExclusiveGroup("g", (0, 1, 2), always=True)
    assert (
        GroupMetrics(one, cells_NM, probs_NK, predict_labels(probs_NK, 0.5, LabelConstraints((one,)))).row(
            "abc", {}
        )["num_images"]
        == 1
    )


def test_an_exclusive_group_has_no_distance():
    labels_NK, probs_NK, _ = drawn(num=50)
    plain = ExclusiveGroup("age", AGE.columns, always=True)
    row = evaluate(
        labels_NK, probs_NK, np.full(4, 0.5), NAMES, LabelConstraints((plain,)), shared=0.5, draws=2
    )["groups"]["age"]
    assert row["kind"] == "exclusive"
    assert "mean_absolute_error" not in row


def test_without_groups_the_table_is_what_it_was():
    labels_NK, probs_NK, _ = drawn(num=60)
    table = evaluate(labels_NK, probs_NK, np.full(4, 0.5), NAMES, shared=0.5, draws=5)
    assert "groups" not in table


def test_metrics_of_labels_judge_the_decisions_of_the_group():
    labels_NK, probs_NK, _ = drawn()
    chosen_NK = predict_labels(probs_NK, 0.2, LabelConstraints((AGE,)))
    table = evaluate(
        labels_NK, probs_NK, np.full(4, 0.2), NAMES, LabelConstraints((AGE,)), shared=0.5, draws=2
    )
    for k, name in enumerate(NAMES):
        right = (labels_NK[:, k] == 1) & chosen_NK[:, k]
        assert table["per_label"][name]["precision"]["value"] == pytest.approx(
            right.sum() / chosen_NK[:, k].sum()
        )


def test_a_comparison_holds_the_groups_of_both_and_is_nought_for_the_same_run():
    labels_NK, probs_NK, _ = drawn()
    same = paired_table(
        labels_NK,
        probs_NK,
        np.full(4, 0.5),
        probs_NK,
        np.full(4, 0.5),
        NAMES,
        (LabelConstraints((AGE,)),) * 2,
        draws=9,
    )["groups"]["age"]
    assert {row["difference"] for row in same.values()} == {0}
    blunt_NK = probs_NK.copy()
    blunt_NK[:, 1:] = probs_NK[:, [2, 3, 1]]
    rows = paired_table(
        labels_NK,
        probs_NK,
        np.full(4, 0.5),
        blunt_NK,
        np.full(4, 0.5),
        NAMES,
        (LabelConstraints((AGE,)), LabelConstraints((AGE,))),
    )["groups"]["age"]
    assert rows["accuracy"]["high"] < 0
    assert rows["mean_absolute_error"]["low"] > 0


@pytest.mark.parametrize("always", [True, False])
@pytest.mark.parametrize("sharp", [0.4, 3.0])
def test_a_planted_temperature_is_found_and_taken_back(always, sharp):
    one = AGE if always else MAYBE
    labels_NK, probs_NK, _ = drawn(1, 4000, always=always, sharp=sharp)
    calibration = fit_calibration(labels_NK, probs_NK, (one,))
    assert calibration.params[1].scale == pytest.approx(1 / sharp, rel=0.1)
    _, honest_NK, _ = drawn(1, 4000, always=always)
    np.testing.assert_allclose(calibration.apply(probs_NK)[:, 1:], honest_NK[:, 1:], atol=0.03)


@pytest.mark.parametrize("always", [True, False])
def test_calibration_keeps_the_order_of_an_images_labels_and_their_sum(always):
    one = AGE if always else MAYBE
    labels_NK, probs_NK, _ = drawn(2, 500, always=always, sharp=2.0)
    after_NM = fit_calibration(labels_NK, probs_NK, (one,)).apply(probs_NK)[:, 1:]
    before_NM = probs_NK[:, 1:]
    assert (np.argsort(after_NM, axis=1) == np.argsort(before_NM, axis=1)).all()
    if always:
        np.testing.assert_allclose(after_NM.sum(axis=1), 1)
    else:
        assert (after_NM.sum(axis=1) < 1).all()


def test_right_probabilities_are_left_as_they_are():
    probs_NM = np.array([[0.5, 0.3, 0.1], [0.2, 0.2, 0.2]])
    np.testing.assert_allclose(scale_softmax(probs_NM, 1.0, always=False), probs_NM)


def test_the_free_labels_of_a_calibration_know_nothing_of_groups():
    labels_NK, probs_NK, _ = drawn(3, 600)
    alone = fit_calibration(labels_NK[:, :1], probs_NK[:, :1])
    assert fit_calibration(labels_NK, probs_NK, (AGE,)).params[0].how == alone.params[0].how


def test_a_calibration_with_groups_survives_json():
    labels_NK, probs_NK, _ = drawn(4, 300, sharp=2.0)
    calibration = fit_calibration(labels_NK, probs_NK, (AGE,))
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert again == calibration
    assert Calibration.from_json([{"scale": 1.0, "bias": 0.0, "how": "none"}]).groups == ()


def test_a_group_with_few_known_images_is_not_calibrated_and_says_so():
    labels_NK, probs_NK, _ = drawn(5, 40)
    labels_NK[5:, 1:] = -1
    assert "not enough data (5 images" in fit_calibration(labels_NK, probs_NK, (AGE,)).params[1].how
