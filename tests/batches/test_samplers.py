"""Samplers: what all keep to, what each promises of its epoch, and slow loops that count the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tagger.batches.samplers import samplers
from tagger.batches.samplers.base import positive_shares
from tagger.batches.samplers.inverse_frequency import systematic_sample
from tagger.errors import TaggerError

every_sampler = pytest.mark.parametrize("name", samplers.names())
tables = hnp.arrays(np.int8, st.tuples(st.integers(1, 30), st.integers(0, 5)), elements=st.integers(-1, 1))
OFF = {
    "none": {},
    "inverse-frequency": {"power": 0.0},
    "repeat-factor": {"threshold": 0.0},
    "undersampling": {"drop": 0.0},
}


def long_tail(num=2000, seed=0):
    """Labels of about 50, 10 and 2 %, drawn independently; every tenth cell unknown."""
    rng = np.random.default_rng(seed)
    labels_NK = (rng.random((num, 3)) < [0.5, 0.1, 0.02]).astype(np.int8)
    labels_NK[rng.random((num, 3)) < 0.1] = -1
    return labels_NK


def counts(name, labels_NK, epochs=1, seed=0, **options):
    sampler, rng = samplers.build(name, labels_NK, **options), np.random.default_rng(seed)
    orders = [sampler.draw_epoch(rng) for _ in range(epochs)]
    return np.bincount(np.concatenate(orders), minlength=len(labels_NK)) / epochs


# --- contract
# ---------------------------------------------------------------------------------------------------------


@every_sampler
@settings(max_examples=40, deadline=None)
@given(labels_NK=tables)
def test_any_table_gives_an_epoch_of_existing_rows(name, labels_NK):
    order = samplers.build(name, labels_NK).draw_epoch(np.random.default_rng(0))
    assert order.dtype == np.int64
    assert order.ndim == 1
    assert len(order) > 0
    assert set(order.tolist()) <= set(range(len(labels_NK)))


@every_sampler
def test_the_same_random_state_gives_the_same_epoch_and_the_next_epoch_differs(name):
    sampler = samplers.build(name, long_tail())
    rng = np.random.default_rng(5)
    first, second = sampler.draw_epoch(rng), sampler.draw_epoch(rng)
    assert np.array_equal(first, sampler.draw_epoch(np.random.default_rng(5)))
    assert not np.array_equal(first, second)


@every_sampler
def test_an_epoch_is_shuffled(name):
    order = samplers.build(name, long_tail()).draw_epoch(np.random.default_rng(0))
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.1


@every_sampler
def test_the_table_is_left_as_it_is(name):
    labels_NK = long_tail()
    before = labels_NK.copy()
    samplers.build(name, labels_NK).draw_epoch(np.random.default_rng(0))
    assert np.array_equal(labels_NK, before)


@every_sampler
@pytest.mark.parametrize("value", [-1, 0])
def test_without_any_label_all_images_are_alike(name, value):
    assert (counts(name, np.full((20, 3), value, dtype=np.int8)) == 1).all()


@every_sampler
def test_one_image_and_no_image_are_no_trouble(name):
    assert counts(name, np.array([[1, 0, -1]], dtype=np.int8)).tolist() == [1]
    assert counts(name, np.zeros((0, 3), dtype=np.int8)).tolist() == []


@pytest.mark.parametrize(("name", "off"), OFF.items())
def test_with_its_options_off_a_sampler_takes_every_image_once(name, off):
    assert (counts(name, long_tail(), **off) == 1).all()


@every_sampler
def test_a_label_without_a_yes_changes_nothing(name):
    labels_NK = long_tail()
    wider_NK = np.column_stack([labels_NK, np.zeros(len(labels_NK), dtype=np.int8)])
    assert np.array_equal(counts(name, labels_NK), counts(name, wider_NK))


# --- each one's promise
# -----------------------------------------------------------------------------------------------


def test_inverse_frequency_draws_in_proportion_to_the_rarest_label():
    labels_NK = long_tail()
    share_K = positive_shares(labels_NK)
    expected = []
    for row in labels_NK:
        rarities = [1 / share_K[k] for k in range(3) if row[k] == 1]
        expected.append(max(rarities) if rarities else 1 / np.mean((labels_NK != 1).all(axis=1)))
    expected_N = np.array(expected) / np.sum(expected) * len(labels_NK)
    drawn_N = counts("inverse-frequency", labels_NK)
    assert drawn_N.sum() == len(labels_NK)
    assert (np.floor(expected_N - 1e-9) <= drawn_N).all()
    assert (drawn_N <= np.ceil(expected_N + 1e-9)).all()
    assert (
        np.abs(counts("inverse-frequency", labels_NK, epochs=400) - expected_N).max() < 0.15
    )  # 0.5 / sqrt(400) = 0.025


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.integers(0, 50), st.integers(0, 1000))
def test_systematic_draws_differ_from_their_expectation_by_less_than_one(weights, num, seed):
    rows = systematic_sample(np.array(weights), num, np.random.default_rng(seed))
    drawn = np.bincount(rows, minlength=len(weights))
    assert len(rows) == num
    assert np.abs(drawn - np.array(weights) / np.sum(weights) * num).max() < 1 + 1e-6


def test_class_aware_gives_every_label_and_the_unlabelled_the_same_number_of_turns():
    labels_NK = np.zeros((40, 3), dtype=np.int8)  # images of one label at most: turns can be counted
    labels_NK[:20, 0], labels_NK[20:22, 1], labels_NK[22, 2] = 1, 1, 1
    drawn_N = counts("class-aware", labels_NK)
    assert [drawn_N[:20].sum(), drawn_N[20:22].sum(), drawn_N[22], drawn_N[23:].sum()] == [10, 10, 10, 10]
    assert drawn_N[20:22].tolist() == [5, 5]  # both before either again
    assert drawn_N[:20].max() == 1
    without_N = counts("class-aware", labels_NK, unlabelled=False)
    assert without_N[23:].sum() == 0
    assert without_N.sum() == 40


def test_repeat_factor_repeats_as_in_the_lvis_paper():
    labels_NK = long_tail()
    share_K = positive_shares(labels_NK)
    factors = []
    for row in labels_NK:
        factors.append(
            max([max(1.0, np.sqrt(0.3 / share_K[k])) for k in range(3) if row[k] == 1], default=1.0)
        )
    one = counts("repeat-factor", labels_NK, threshold=0.3)
    assert (np.floor(factors) <= one).all()
    assert (one <= np.ceil(factors)).all()
    mean_N = counts("repeat-factor", labels_NK, epochs=400, threshold=0.3)
    assert np.abs(mean_N - factors).max() < 0.15
    assert mean_N.sum() == pytest.approx(np.sum(factors), rel=0.01)


def test_undersampling_drops_only_images_whose_labels_are_all_frequent():
    labels_NK = long_tail()
    yes_NK = labels_NK == 1
    only_frequent_N = yes_NK[:, 0] & ~yes_NK[:, 1] & ~yes_NK[:, 2]
    bare_N = ~yes_NK.any(axis=1)
    drawn_N = counts("undersampling", labels_NK, drop=0.4, frequent=0.2)
    assert drawn_N.max() == 1
    assert (drawn_N[~only_frequent_N] == 1).all()
    assert (drawn_N[only_frequent_N] == 0).sum() == round(0.4 * only_frequent_N.sum())
    drawn_N = counts("undersampling", labels_NK, drop=0.0, drop_unlabelled=0.25)
    assert (drawn_N[~bare_N] == 1).all()
    assert (drawn_N[bare_N] == 0).sum() == round(0.25 * bare_N.sum())


def test_undersampling_drops_other_images_each_epoch_and_never_all():
    mean_N = counts("undersampling", np.ones((20, 1), dtype=np.int8), epochs=200, drop=0.5)
    assert ((mean_N > 0.2) & (mean_N < 0.8)).all()  # 0.5 with a standard error of 0.035
    assert counts("undersampling", np.ones((20, 1), dtype=np.int8), drop=1.0).sum() == 1


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("inverse-frequency", "power", -1.0),
        ("repeat-factor", "threshold", 2.0),
        ("undersampling", "drop", 1.5),
        ("undersampling", "frequent", float("nan")),
        ("undersampling", "drop_unlabelled", -0.1),
    ],
)
def test_an_impossible_option_is_named_with_what_it_may_be(name, option, value):
    with pytest.raises(TaggerError, match=rf"Sampler '{name}': {option} is .*; it must be"):
        samplers.build(name, np.zeros((3, 2), dtype=np.int8), **{option: value})


def test_undersampling_in_two_stages_uses_every_image_in_the_second():
    sampler = samplers.build("undersampling", long_tail(), drop=1.0, drop_unlabelled=1.0, until=0.5)
    first, second = (
        sampler.at_progress(progress).draw_epoch(np.random.default_rng(0)) for progress in (0.49, 0.5)
    )
    assert len(first) < 2000
    assert sorted(second) == list(range(2000))
    with pytest.raises(TaggerError, match="until"):
        samplers.build("undersampling", long_tail(), until=1.5)


@every_sampler
def test_most_samplers_are_the_same_at_any_time(name):
    sampler = samplers.build(name, long_tail())
    assert sampler.at_progress(0.0) is sampler.at_progress(0.9)
