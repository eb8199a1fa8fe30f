"""Each signal is what a slow loop says, looks at no cell's own value, and tells its reason."""

from dataclasses import replace

import numpy as np
import pytest
from drawn import NAMES, draw
from sklearn.linear_model import LogisticRegression

from tagger.data import Rule, stats
from tagger.suspects import Evidence, nearest_images, signals
from tagger.suspects.logistic_regression import INVERSE_PENALTY, cross_fit_logistic, top_k_indices
from tagger.suspects.signals.neighbours import PRIOR_STRENGTH


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return draw(300).evidence


@pytest.mark.parametrize("name", signals.names())
def test_a_signal_never_looks_at_the_cells_own_value(name: str, evidence: Evidence) -> None:
    row, k = 7, 2
    turned_NK = evidence.labels_NK.copy()
    turned_NK[row, k] = 1 - turned_NK[row, k]
    twins_N = evidence.duplicate_group_N.copy()
    twins_N[[7, 8]] = 7
    dynamics_NK = evidence.probs_NK**2
    before = replace(evidence, duplicate_group_N=twins_N, dynamics_NK=dynamics_NK)
    after = replace(before, labels_NK=turned_NK)
    now = signals.build(name, before).for_yes_NK[row, k]
    # only the label's overall share, which everything is measured against, may have moved
    assert signals.build(name, after).for_yes_NK[row, k] == pytest.approx(now, abs=0.15)


@pytest.mark.parametrize("name", signals.names())
def test_a_signal_is_finite_speaks_and_does_not_depend_on_the_order_of_images(
    name: str, evidence: Evidence
) -> None:
    twins_N = evidence.duplicate_group_N.copy()
    twins_N[[7, 8]] = 7
    evidence = replace(evidence, duplicate_group_N=twins_N, dynamics_NK=evidence.probs_NK)
    built = signals.build(name, evidence)
    assert np.isfinite(built.for_yes_NK).all()
    order = np.random.default_rng(1).permutation(len(evidence.labels_NK))
    back = np.argsort(order)
    moved = Evidence(
        labels_NK=evidence.labels_NK[order],
        probs_NK=evidence.probs_NK[order],
        names=NAMES,
        fold_N=evidence.fold_N[order],
        duplicate_group_N=evidence.duplicate_group_N[order],
        nearest_NM=back[evidence.nearest_NM[order]],
        dynamics_NK=evidence.dynamics_NK[order],
    )
    np.testing.assert_allclose(signals.build(name, moved).for_yes_NK, built.for_yes_NK[order], atol=1e-3)
    for k in range(len(NAMES)):
        assert len(built.reason(7, k)) > 10


def test_neighbours_are_counted_as_a_loop_counts_them(evidence: Evidence) -> None:
    built = signals.build("neighbours", evidence)
    for row in (0, 5, 299):
        for k in range(4):
            near = [evidence.labels_NK[n, k] for n in evidence.nearest_NM[row]]
            share = (sum(near) + PRIOR_STRENGTH * evidence.priors_K[k]) / (len(near) + PRIOR_STRENGTH)
            assert built.for_yes_NK[row, k] == pytest.approx(np.log(share / (1 - share)), abs=1e-4)
            assert built.yes_NK[row, k] == sum(near)
    assert "of its 15 most similar photos" in built.reason(0, 0)


def test_an_unknown_neighbour_has_no_vote_and_a_missing_one_neither(evidence: Evidence) -> None:
    labels_NK, nearest_NM = evidence.labels_NK.copy(), evidence.nearest_NM.copy()
    labels_NK[nearest_NM[0, 0], 0] = -1
    nearest_NM[0, 1:3] = -1
    built = signals.build("neighbours", replace(evidence, labels_NK=labels_NK, nearest_NM=nearest_NM))
    assert built.known_NK[0, 0] == 12


def test_nearest_images_are_those_of_the_slow_search_without_near_duplicates() -> None:
    rng = np.random.default_rng(0)
    features_ND = rng.normal(size=(60, 5))
    features_ND[1] = features_ND[0]
    group_N = np.arange(60)
    group_N[1] = 0
    rows_NM, cosine_NM = nearest_images(features_ND, group_N, num=5)
    unit_ND = (features_ND - features_ND.mean(0)) / (features_ND.std(0) + 1e-6)
    unit_ND -= unit_ND.mean(0)
    unit_ND /= np.linalg.norm(unit_ND, axis=1, keepdims=True)
    for row in range(60):
        cosines = unit_ND @ unit_ND[row]
        others = [n for n in np.argsort(-cosines) if group_N[n] != group_N[row]][:5]
        if not {0, 1} & set(others):  # the two copies are equally near
            assert rows_NM[row].tolist() == others
        assert not (group_N[rows_NM[row]] == group_N[row]).any()
        np.testing.assert_allclose(cosine_NM[row], cosines[others], atol=1e-4)


def test_only_features_of_the_same_network_are_compared() -> None:
    features_ND = np.random.default_rng(0).normal(size=(40, 4))
    feature_source_N = np.arange(40) % 3
    rows_NM, _ = nearest_images(features_ND, np.arange(40), feature_source_N, num=5)
    assert (feature_source_N[rows_NM] == feature_source_N[:, None]).all()


def test_fewer_images_than_neighbours_leave_empty_places() -> None:
    rows_NM, cosine_NM = nearest_images(np.eye(3), np.arange(3), num=5)
    assert (rows_NM[:, 2:] == -1).all()
    assert (cosine_NM[:, 2:] == 0).all()


def test_cross_fitting_learns_nothing_from_the_part_it_judges() -> None:
    rng = np.random.default_rng(0)
    columns_NF, fold_N = rng.normal(size=(200, 3)), np.arange(200) % 4
    target_N = columns_NF[:, 0] + rng.normal(size=200) > 0
    logits_N, _ = cross_fit_logistic(columns_NF, target_N, np.ones(200, bool), fold_N)
    scaled_NF = (columns_NF - columns_NF.mean(0)) / columns_NF.std(0)
    for part in range(4):
        learn, told = fold_N != part, fold_N == part
        fit = LogisticRegression(C=INVERSE_PENALTY, tol=1e-8).fit(scaled_NF[learn], target_N[learn])
        np.testing.assert_allclose(logits_N[told], fit.decision_function(scaled_NF[told]), atol=1e-3)
    turned_N = target_N.copy()
    turned_N[fold_N == 2] = ~turned_N[fold_N == 2]
    again_N, _ = cross_fit_logistic(columns_NF, turned_N, np.ones(200, bool), fold_N)
    np.testing.assert_array_equal(again_N[fold_N == 2], logits_N[fold_N == 2])


def test_few_of_many_columns_judge_as_if_the_others_were_not_there() -> None:
    rng = np.random.default_rng(1)
    columns_NF, fold_N, only_columns = (
        rng.normal(size=(500, 90)).astype(np.float32),
        np.arange(500) % 3,
        np.array([4, 7, 60]),
    )
    target_N, known_N = columns_NF[:, 7] + rng.normal(size=500) > 0, rng.random(500) < 0.9
    logits_N, weights_F = cross_fit_logistic(columns_NF, target_N, known_N, fold_N, only_columns=only_columns)
    alone_N, alone_F = cross_fit_logistic(columns_NF[:, only_columns], target_N, known_N, fold_N)
    np.testing.assert_allclose(logits_N, alone_N, atol=1e-5)
    np.testing.assert_allclose(weights_F[only_columns], alone_F)
    assert np.count_nonzero(weights_F) == 3


def test_the_most_relevant_come_in_order_of_place_and_of_equal_ones_the_first() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        scores, most = rng.integers(0, 4, rng.integers(0, 9)), int(rng.integers(0, 10))
        best = sorted(
            sorted(range(len(scores)), key=lambda place: -scores[place])[:most]
        )  # sorted() keeps ties
        assert top_k_indices(scores, most).tolist() == best


def test_labels_taken_a_few_at_a_time_are_asked_about_the_same_others(evidence, monkeypatch) -> None:
    whole = signals.build("label_context", evidence)
    monkeypatch.setattr(stats, "MAX_PAIRS_PER_BLOCK", 2 * len(NAMES))
    some = signals.build("label_context", evidence)
    np.testing.assert_array_equal(some.for_yes_NK, whole.for_yes_NK)
    assert all((some.weight_K(k) == whole.weight_K(k)).all() for k in range(len(NAMES)))


def test_increasing_columns_never_speak_against_themselves() -> None:
    rng = np.random.default_rng(0)
    columns_NF = rng.normal(size=(300, 2))
    target_N = columns_NF[:, 0] - columns_NF[:, 1] + rng.normal(size=300) > 0
    _, weights_F = cross_fit_logistic(
        columns_NF, target_N, np.ones(300, bool), np.arange(300) % 3, increasing=True
    )
    assert weights_F[0] > 0
    assert weights_F[1] == 0


def test_rules_speak_for_what_they_imply_and_against_a_premise_without_it(evidence: Evidence) -> None:
    rule = Rule("car", "sea")
    built = signals.build("rules", replace(evidence, rules=(rule,)), min_confidence=0.99)
    has, lacks = evidence.labels_NK[:, 3] == 1, evidence.labels_NK[:, 2] == 0
    assert (built.for_yes_NK[has, 2] > 0).all()
    assert (built.for_yes_NK[~has, 2] == 0).all()
    assert (built.for_yes_NK[lacks, 3] < 0).all()
    row = int(np.flatnonzero(has & lacks)[0])
    assert (
        built.reason(row, 2) == "This photo has `car`, and by your rule every photo with `car` also has `sea`"
    )
    assert built.reason(row, 3) == "This photo lacks `sea`, and by your rule every photo with `car` has it"
    alone, whole = int(np.flatnonzero(~has & ~lacks)[0]), int(np.flatnonzero(has & ~lacks)[0])
    assert (
        built.reason(alone, 2)
        == "This photo has none of the labels that usually come with `sea`, such as `car`"
    )
    assert built.reason(whole, 3) == "This photo has what photos with `car` usually have: `sea`"


def test_twins_speak_by_their_labels(evidence: Evidence) -> None:
    labels_NK, group_N = evidence.labels_NK.copy(), evidence.duplicate_group_N.copy()
    group_N[[3, 4, 5]] = 3
    labels_NK[[3, 4, 5], 0] = [0, 1, 1]
    built = signals.build("duplicates", replace(evidence, labels_NK=labels_NK, duplicate_group_N=group_N))
    assert built.for_yes_NK[3, 0] > built.for_yes_NK[4, 0] > 0 or built.for_yes_NK[4, 0] <= 0
    assert built.reason(3, 0) == "2 of its 2 near-duplicates have `people`"
    assert (built.for_yes_NK[6:] == 0).all()


def test_label_context_learns_that_a_baby_is_people(evidence: Evidence) -> None:
    built = signals.build("label_context", evidence)
    baby = evidence.labels_NK[:, 1] == 1
    assert built.for_yes_NK[baby, 0].mean() > built.for_yes_NK[~baby, 0].mean() + 0.5
    row = int(np.flatnonzero(baby & (evidence.labels_NK[:, 2:] == 0).all(axis=1))[0])
    assert built.reason(row, 0) == "The other label `baby` makes `people` more likely"


def test_dynamics_that_were_not_kept_for_an_image_are_its_probability(evidence: Evidence) -> None:
    dynamics_NK = np.full(evidence.probs_NK.shape, 0.25)
    dynamics_NK[3] = np.nan
    built = signals.build("dynamics", replace(evidence, dynamics_NK=dynamics_NK))
    np.testing.assert_allclose(
        built.for_yes_NK[3], signals.build("self_confidence", evidence).for_yes_NK[3], rtol=1e-5
    )
    assert "25 % on average" in built.reason(2, 0)
    assert "nan" not in built.reason(3, 0)
