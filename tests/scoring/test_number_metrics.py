"""Metrics of numbers against scikit-learn, SciPy and an analysis of variance written out."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, mean_squared_error

from tagger.scoring.number_metrics import icc_3_1, number_metrics


def slow_icc(ratings):
    """(BMS - EMS) / (BMS + (R - 1) EMS) of the sums of squares, cell by cell."""
    num, raters = len(ratings), len(ratings[0])
    mean = sum(sum(row) for row in ratings) / (num * raters)
    total = sum((x - mean) ** 2 for row in ratings for x in row)
    between = sum(raters * (sum(row) / raters - mean) ** 2 for row in ratings)
    columns = [[row[r] for row in ratings] for r in range(raters)]
    of_raters = sum(num * (sum(column) / num - mean) ** 2 for column in columns)
    ems = (total - between - of_raters) / ((num - 1) * (raters - 1))
    bms = between / (num - 1)
    return (bms - ems) / (bms + (raters - 1) * ems)


@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0])
@pytest.mark.parametrize("raters", [2, 4])
def test_icc_equals_the_analysis_of_variance(noise, raters):
    rng = np.random.default_rng(raters)
    ratings = rng.normal(size=(30, 1)) + noise * rng.normal(size=(30, raters)) + np.arange(raters)
    assert icc_3_1(ratings) == pytest.approx(slow_icc(ratings.tolist()))


def test_icc_is_1_for_a_model_that_is_off_by_a_constant_and_below_it_on_another_scale():
    truth = np.arange(10.0)
    assert icc_3_1(np.stack([truth, truth + 5], 1)) == pytest.approx(1)
    assert icc_3_1(np.stack([truth, 3 * truth], 1)) < 0.7
    assert icc_3_1(np.zeros((4, 2))) is None


def test_errors_and_correlation_equal_the_libraries_and_unknown_numbers_do_not_count():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=50)
    predicted = truth + rng.normal(size=50)
    found = number_metrics(np.append(truth, np.nan), np.append(predicted, 7.0))
    assert found["num_images"] == 50
    assert found["mae"] == pytest.approx(mean_absolute_error(truth, predicted))
    assert found["mse"] == pytest.approx(mean_squared_error(truth, predicted))
    assert found["pcc"] == pytest.approx(pearsonr(truth, predicted)[0])


def test_without_numbers_or_variance_there_is_no_score():
    assert number_metrics(np.array([np.nan]), np.array([1.0]))["mae"] is None
    assert number_metrics(np.array([1.0, 1.0]), np.array([1.0, 2.0]))["pcc"] is None
