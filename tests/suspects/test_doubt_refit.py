"""Verdicts reorder the ranking; the audit is a random sample; the interval of the estimate holds the truth."""

import numpy as np
import pandas as pd
import pytest

from tagger.arrays import sigmoid
from tagger.suspects import doubt_refit, estimate_errors, refit_doubt
from tagger.suspects.audit_sample import STRATUM_EDGES, draw_audit_sample, stratum_of


def table_of(num: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Suspects whose doubt is wrong about one label, and which of them are errors."""
    rng = np.random.default_rng(seed)
    doubt = rng.beta(0.5, 1.5, num)
    label = rng.choice(["sea", "car", "dog"], num)
    logits = np.log(doubt / (1 - doubt)) - 3.0 * (label == "sea")
    signal = rng.normal(size=num)
    wrong = rng.random(num) < sigmoid(logits)
    table = pd.DataFrame({"doubt": doubt, "label": label, "direction": "missing", "signal_x": signal})
    return table.sort_values("doubt", ascending=False, ignore_index=True), wrong[
        np.argsort(-doubt, kind="stable")
    ]


def verdicts_of(position: np.ndarray, wrong: np.ndarray, blind: bool = False) -> pd.DataFrame:
    return pd.DataFrame({"position": position, "wrong": wrong[position], "blind": blind})


def test_without_verdicts_the_ranking_is_the_prior() -> None:
    table, wrong = table_of(50)
    np.testing.assert_array_equal(
        refit_doubt(table, verdicts_of(np.zeros(0, int), wrong)), table["doubt"].astype(np.float32)
    )


def test_few_verdicts_change_little_and_many_teach_which_label_pays_off() -> None:
    table, wrong = table_of(5000)
    sea = (table["label"] == "sea").to_numpy()
    few = refit_doubt(table, verdicts_of(np.flatnonzero(sea)[:3], wrong))
    assert np.abs(few - table["doubt"]).mean() < 0.15
    many = refit_doubt(table, verdicts_of(np.arange(0, 5000, 10), wrong))
    assert many[sea].sum() == pytest.approx(wrong[sea].sum(), rel=0.25)
    assert many[~sea].sum() == pytest.approx(wrong[~sea].sum(), rel=0.15)


def test_a_reviewer_finds_more_with_learning_than_in_the_prior_order() -> None:
    table, wrong = table_of(4000, seed=1)
    budget, told = 800, np.zeros(0, int)
    while len(told) < budget:
        doubt = refit_doubt(table, verdicts_of(told, wrong))
        doubt[told] = -1
        told = np.concatenate([told, np.argsort(-doubt, kind="stable")[:20]])
    assert wrong[told].sum() > 1.1 * wrong[:budget].sum()


def test_labels_nobody_has_judged_and_one_sided_verdicts_are_no_obstacle() -> None:
    table, _ = table_of(300)
    doubt = refit_doubt(table, pd.DataFrame({"position": [0, 1, 2], "wrong": [True] * 3}))
    assert np.isfinite(doubt).all()
    assert ((doubt >= 0) & (doubt <= 1)).all()


def test_every_cell_of_a_stratum_has_the_same_chance_to_be_audited() -> None:
    doubt = np.concatenate([np.full(60, 0.001), np.full(40, 0.3)])
    hits = np.zeros(100)
    for seed in range(400):
        hits[draw_audit_sample(doubt, np.random.default_rng(seed), size=20)] += 1
    for stratum in (slice(0, 60), slice(60, 100)):
        assert hits[stratum].std() < 3 * np.sqrt(hits[stratum].mean())
    assert hits[60:].mean() > hits[:60].mean()  # where errors are, more is checked


def test_strata_begin_at_their_edges() -> None:
    assert stratum_of(np.array([0.0, *STRATUM_EDGES])).tolist() == list(range(10))


def simulated(seed: int, *, scale: float) -> tuple[bool, bool]:
    """Whether the truth lies in the intervals, where the doubts are too low by ``scale`` in log-odds."""
    rng = np.random.default_rng(seed)
    num = 20_000
    doubt = np.exp(rng.normal(-6, 2, num)).clip(1e-5, 0.98)
    wrong = rng.random(num) < sigmoid(np.log(doubt / (1 - doubt)) + scale)
    order = np.argsort(-doubt, kind="stable")
    doubt, wrong = doubt[order], wrong[order]
    asked = draw_audit_sample(doubt, rng, size=120)
    listed = doubt >= 0.01
    extra = np.setdiff1d(asked, np.flatnonzero(listed))
    cells = np.concatenate([np.flatnonzero(listed), extra])
    stratum = stratum_of(doubt)
    table = pd.DataFrame(
        {
            "doubt": doubt[cells],
            "label": "sea",
            "direction": "missing",
            "audit": np.isin(cells, asked),
            "stratum": stratum[cells],
            "stratum_size": np.bincount(stratum, minlength=10)[stratum[cells]],
        }
    )
    total, wrong = int(wrong.sum()), wrong[cells]
    ranked = np.flatnonzero(~table["audit"].to_numpy())[:200]
    blind = np.flatnonzero(table["audit"].to_numpy())
    position = np.concatenate([ranked, blind])
    verdicts = pd.DataFrame(
        {"position": position, "wrong": wrong[position], "blind": np.isin(position, blind)}
    )
    now = refit_doubt(table, verdicts)
    left = np.setdiff1d(np.flatnonzero(table["doubt"] >= 0.01), position)
    queue = left[np.argsort(-now[left], kind="stable")]
    result = estimate_errors(table, now, verdicts, queue)
    truth_left = total - int(wrong[position].sum())
    soon = int(wrong[queue[:100]].sum())
    return result.errors_low <= truth_left <= result.errors_high, result.next_low <= soon <= result.next_high


@pytest.mark.parametrize("scale", [0.0, 1.0, -1.0])
def test_the_truth_is_inside_the_interval_about_as_often_as_promised(scale: float) -> None:
    inside = np.array([simulated(seed, scale=scale) for seed in range(40)])
    assert inside[:, 0].mean() >= 0.8
    assert inside[:, 1].mean() >= 0.8


def done_table(num: int = 400, doubt: float = 0.02) -> pd.DataFrame:
    audit = np.arange(num) % 4 == 0
    values = {"doubt": doubt, "label": "sea", "direction": "missing", "stratum": 5, "stratum_size": num}
    return pd.DataFrame({**values, "audit": audit}, index=range(num))


def test_it_says_when_one_may_stop_and_why() -> None:
    table = done_table()
    blind = np.flatnonzero(table["audit"])[:60]
    verdicts = pd.DataFrame({"position": blind, "wrong": False, "blind": True})
    queue = np.setdiff1d(np.arange(400), blind)
    result = estimate_errors(table, np.full(400, 0.004), verdicts, queue)
    assert result.may_stop
    assert "fewer than 5 in 100" in result.reason
    assert result.num_audited == 60
    early = estimate_errors(table, np.full(400, 0.004), verdicts[:5], queue)
    assert not early.may_stop
    assert "only 5 random cells have been checked" in early.reason
    busy = estimate_errors(table, np.full(400, 0.6), verdicts, queue)
    assert not busy.may_stop
    assert busy.next_hundred > 40


def test_an_empty_queue_is_a_reason_to_stop() -> None:
    table = done_table(40)
    verdicts = pd.DataFrame({"position": np.arange(40), "wrong": False, "blind": table["audit"]})
    result = estimate_errors(table, np.full(40, 0.02), verdicts, np.zeros(0, int))
    assert result.may_stop
    assert "No suspects are left" in result.reason
    assert result.next_hundred == 0


def test_newtons_step_is_that_of_the_whole_system():
    rng = np.random.default_rng(4)
    label_direction_V, dense_VF = rng.integers(6, size=40), rng.standard_normal((40, 3))
    precision = doubt_refit._Weights(rng.uniform(1, 3, 3), rng.uniform(1, 3, 6))
    weights = doubt_refit._Weights(rng.standard_normal(3), rng.standard_normal(6))
    prob_V, wrong_V = rng.random(40), rng.integers(2, size=40).astype(float)
    step, log_determinant = doubt_refit._newton_step(
        doubt_refit._DesignRows(dense_VF, label_direction_V), prob_V, wrong_V, precision, weights
    )
    whole_VG = np.hstack([dense_VF, np.eye(6)[label_direction_V]])
    precision_G, weights_G = np.concatenate(precision), np.concatenate(weights)
    curvature_GG = (whole_VG.T * (prob_V * (1 - prob_V))) @ whole_VG + np.diag(precision_G)
    gradient_G = whole_VG.T @ (prob_V - wrong_V) + precision_G * weights_G
    np.testing.assert_allclose(np.concatenate(step), np.linalg.solve(curvature_GG, gradient_G), rtol=1e-9)
    assert log_determinant == pytest.approx(np.linalg.slogdet(curvature_GG)[1])
