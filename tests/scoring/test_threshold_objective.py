"""Aims are read from text, and each prefers the point of a curve that a person would."""

import numpy as np
import pytest

from tagger.errors import TaggerError
from tagger.scoring import ThresholdObjective, parse_objective


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("f1", ThresholdObjective("f")),
        ("F2", ThresholdObjective("f", beta=2)),
        ("f0.5", ThresholdObjective("f", beta=0.5)),
        ("precision>=0.9", ThresholdObjective("precision", target=0.9)),
        ("recall >= .8", ThresholdObjective("recall", target=0.8)),
        ("cost fp=1 fn=5", ThresholdObjective("cost", fp=1, fn=5)),
        ("cost fn=5, fp=1", ThresholdObjective("cost", fp=1, fn=5)),
    ],
)
def test_an_aim_is_read_and_written(text, aim):
    assert parse_objective(text) == aim
    assert parse_objective(str(aim)) == aim


@pytest.mark.parametrize(
    "text",
    ["", "f", "f0", "accuracy", "precision", "precision>=90", "recall>=0", "cost", "cost fp=1", "cost fp=0 fn=1",
     "cost fp=1 fn=2 tp=3", "recall>=0.8 precision>=0.8"],
)  # fmt: skip
def test_a_wrong_aim_is_answered_with_examples(text):
    with pytest.raises(TaggerError, match=r"precision>=0\.9"):
        parse_objective(text)


def curve():
    """Ten yes, ninety no, in a mixed order from high to low."""
    hits = np.array([1, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1] + [0] * 80)
    return np.cumsum(hits), np.cumsum(1 - hits)


def test_precision_takes_the_most_recall_that_keeps_it():
    tp, fp = curve()
    best = parse_objective("precision>=0.75").utility(tp, fp, 10, 90).argmax()
    allowed = [i for i in range(100) if tp[i] / (tp[i] + fp[i]) >= 0.75]
    assert tp[best] == tp[allowed].max()
    assert tp[best] / (tp[best] + fp[best]) >= 0.75


def test_recall_takes_the_fewest_chosen_that_reach_it():
    tp, fp = curve()
    best = parse_objective("recall>=0.7").utility(tp, fp, 10, 90).argmax()
    assert best == np.flatnonzero(tp >= 7)[0]


def test_what_cannot_be_reached_gives_the_nearest():
    tp, fp = np.array([0, 1, 1, 2]), np.array([1, 1, 2, 2])
    utility = parse_objective("precision>=0.9").utility(tp, fp, 5, 5)
    assert utility.max() == pytest.approx(0.5 - 2)
    assert utility.argmax() == 1


def test_a_confidence_makes_a_constraint_stricter():
    tp, fp = curve()
    plain = parse_objective("precision>=0.7").utility(tp, fp, 10, 90)
    strict = parse_objective("precision>=0.7").utility(tp, fp, 10, 90, confidence=0.9)
    assert (strict >= -1).sum() < (plain >= -1).sum()


def test_the_lower_limit_is_that_of_wilson():
    # Newcombe 1998, table I, method 3: 81 of 263, two-sided 95 % limits .2553 and .3662; so one-sided 97.5 %
    utility = parse_objective("recall>=1").utility(
        np.array([81.0]), np.array([0.0]), 263, 10, confidence=0.975
    )
    assert utility[0] + 2 == pytest.approx(0.2553, abs=5e-5)
