"""Votes weighed by reliability: known people and known truth come back, and few votes stay the majority."""

import numpy as np
import pytest

from tagger.scoring.votes import MIN_SHARED, weigh_votes

RNG_SEED = 7


def drawn(num_cells: int, rates, *, share: float = 0.3, seed: int = RNG_SEED):
    """(truth_C, votes_PC, probs_C): people with given (sensitivity, specificity), and a model that is right at .8."""
    rng = np.random.default_rng(seed)
    truth_C = rng.random(num_cells) < share
    votes_PC = np.stack(
        [
            np.where(truth_C, rng.random(num_cells) < sens, rng.random(num_cells) >= spec)
            for sens, spec in rates
        ]
    ).astype(np.int8)
    right_C = rng.random(num_cells) < 0.8
    probs_C = np.where(right_C == truth_C, 0.8, 0.2)
    return truth_C, votes_PC, probs_C


def test_rates_of_known_people_come_back():
    rates = [(0.95, 0.9), (0.6, 0.98), (0.8, 0.7), (0.9, 0.95)]
    _, votes_PC, _ = drawn(6000, rates)
    found = weigh_votes(votes_PC, np.zeros(6000, int), 1)
    assert found.sensitivity_PK[:, 0] == pytest.approx([sens for sens, _ in rates], abs=0.04)
    assert found.specificity_PK[:, 0] == pytest.approx([spec for _, spec in rates], abs=0.04)


def test_known_rates_give_the_posterior_of_bayes():
    """One round more from the estimates is the estimate: a double loop over cells and people says the same."""
    _, votes_PC, _ = drawn(400, [(0.9, 0.8), (0.7, 0.9), (0.8, 0.8)])
    votes_PC[0, ::3] = -1
    found = weigh_votes(votes_PC, np.zeros(400, int), 1)
    share = found.probs_C.mean()
    for c in range(0, 400, 17):
        yes, no = share, 1 - share
        for p in range(3):
            sens, spec = found.sensitivity_PK[p, 0], found.specificity_PK[p, 0]
            if votes_PC[p, c] >= 0:
                yes *= sens if votes_PC[p, c] else 1 - sens
                no *= 1 - spec if votes_PC[p, c] else spec
        assert found.probs_C[c] == pytest.approx(yes / (yes + no), abs=0.005)


@pytest.mark.parametrize("with_model", [False, True])
def test_a_careful_person_outweighs_two_careless_ones(with_model: bool):
    truth_C, votes_PC, probs_C = drawn(4000, [(0.97, 0.97), (0.65, 0.65), (0.65, 0.65)], share=0.5)
    majority_C = votes_PC.sum(axis=0) >= 2
    found = weigh_votes(votes_PC, np.zeros(4000, int), 1, probs_C if with_model else None)
    right = np.mean((found.probs_C > 0.5) == truth_C)
    assert right > np.mean(majority_C == truth_C) + 0.05


def test_the_model_helps_where_it_knows_a_cell_and_is_no_need_elsewhere():
    truth_C, votes_PC, probs_C = drawn(6000, [(0.75, 0.75)] * 3, share=0.5)
    alone = weigh_votes(votes_PC, np.zeros(6000, int), 1)
    probs_C[::2] = np.nan
    both = weigh_votes(votes_PC, np.zeros(6000, int), 1, probs_C)
    right = [(found.probs_C > 0.5) == truth_C for found in (alone, both)]
    assert right[1][1::2].mean() > right[0][1::2].mean() + 0.01
    assert right[1][::2].mean() > right[0][::2].mean() - 0.01


def test_too_few_votes_on_a_label_are_counted_not_weighed():
    _, votes_PC, _ = drawn(200, [(0.9, 0.9), (0.6, 0.9), (0.6, 0.9)])
    label_C = np.where(np.arange(200) < MIN_SHARED - 1, 0, 1)
    found = weigh_votes(votes_PC, label_C, 2)
    assert found.enough_K.tolist() == [False, True]
    assert found.probs_C[label_C == 0] == pytest.approx(votes_PC[:, label_C == 0].mean(axis=0))


def test_the_order_of_people_and_cells_does_not_matter():
    _, votes_PC, probs_C = drawn(500, [(0.9, 0.8), (0.7, 0.9), (0.8, 0.8)])
    label_C = np.arange(500) % 3
    found = weigh_votes(votes_PC, label_C, 3, probs_C)
    order = np.random.default_rng(1).permutation(500)
    other = weigh_votes(votes_PC[::-1][:, order], label_C[order], 3, probs_C[order])
    assert other.probs_C == pytest.approx(found.probs_C[order])
    assert other.sensitivity_PK[::-1] == pytest.approx(found.sensitivity_PK)


def test_nothing_is_a_number_however_odd_the_votes():
    for votes in (np.ones((2, 50), np.int8), np.zeros((2, 50), np.int8), np.full((2, 50), -1, np.int8)):
        for probs in (None, np.full(50, 1.0), np.full(50, np.nan)):
            found = weigh_votes(votes, np.zeros(50, int), 2, probs)
            assert np.isfinite(found.probs_C).all()
            assert np.isfinite(found.sensitivity_PK).all()
    assert len(weigh_votes(np.zeros((0, 0), np.int8), np.zeros(0, int), 0).probs_C) == 0
