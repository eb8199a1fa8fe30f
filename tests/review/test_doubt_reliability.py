"""Said against found: drawn answers at known rates, the interval from its definition, what does not count."""

import itertools

import numpy as np
import pytest
from scipy.optimize import brentq

from tagger.review import RecordedDecision
from tagger.review.doubt_reliability import doubt_reliability, wilson_interval

IDS = itertools.count(1)


def answer(cell: int, doubt: float | None, *, wrong: bool, **more: object) -> RecordedDecision:
    """Ann's answer to a card that suggests a yes."""
    fields = {
        "hash": f"h{cell}", "label": "sea", "verdict": "yes" if wrong else "no", "before": 0, "suggested": 1,
        "doubt": doubt, "run": "r", "reviewer": "ann", "seconds": 1.0, "client": "c", "seq": next(IDS),
    }  # fmt: skip
    number = next(IDS)
    return RecordedDecision(
        **(fields | {"id": number, "time": f"2026-11-28T00:00:00.{number:06d}+00:00"} | more)
    )


@pytest.mark.parametrize(("share", "count"), [(0.0, 10), (0.1, 10), (0.5, 40), (0.97, 200), (1.0, 15)])
def test_the_interval_holds_the_rates_that_a_score_test_does_not_reject(share: float, count: int):
    def score(rate: float) -> float:
        return (share - rate) ** 2 / (rate * (1 - rate) / count) - 1.959964**2

    low, high = wilson_interval(share, count)
    if share > 0:
        assert low == pytest.approx(brentq(score, 1e-9, share - 1e-9 if share > 1e-6 else 1e-9), abs=1e-6)
    if share < 1:
        assert high == pytest.approx(brentq(score, share + 1e-9, 1 - 1e-9), abs=1e-6)


def test_answers_at_the_rate_that_was_said_lie_on_the_diagonal():
    rng = np.random.default_rng(0)
    doubts = rng.random(8000) ** 2
    rows = [answer(n, doubt, wrong=rng.random() < doubt) for n, doubt in enumerate(doubts)]
    table = doubt_reliability(rows)
    assert len(table) == 10
    assert table["answers"].sum() == 8000
    assert ((table["low"] <= table["said"]) & (table["said"] <= table["high"])).sum() >= 8
    honest = doubt_reliability([answer(n, 0.9, wrong=n % 10 < 3) for n in range(100)])
    assert honest.loc[0, ["said", "found"]].tolist() == pytest.approx([0.9, 0.3])
    assert honest.loc[0, "high"] < 0.5


def test_what_was_undone_blind_or_typed_elsewhere_does_not_count():
    rows = [answer(n, 0.7, wrong=True) for n in range(10)]
    rows += [answer(n, 0.7, wrong=False, blind=True) for n in range(20, 40)]
    rows += [answer(n, 0.7, wrong=False, source="edit") for n in range(40, 60)]
    rows += [answer(n, None, wrong=False) for n in range(60, 80)]
    assert doubt_reliability(rows)["answers"].tolist() == [10]
    rows += [answer(n, 0.7, wrong=False) for n in range(5)]  # they changed their mind
    assert doubt_reliability(rows)["found"].tolist() == [0.5]
    rows.append(answer(9, None, wrong=True, verdict="undo", undoes=rows[9].id))
    assert doubt_reliability(rows).empty
