"""The error of a mean over seeds and datapoints: by hand, and against what is simulated."""

import math

import numpy as np
import pytest

from analysis.statistics import mean_of, paired_difference, unpaired_difference
from analysis.two_way import parts_of, parts_of_difference
from tests.z_tests import LIMIT

BY_HAND = np.array([[1.0, 2.0, 6.0], [2.0, 5.0, 8.0]])


def test_the_parts_are_those_of_an_analysis_of_variance_by_hand():
    # rows 3 and 5, columns 1.5, 3.5 and 7, mean 4: MS_rows = 3 (1 + 1) / 1 = 6,
    # MS_columns = 2 (6.25 + 0.25 + 9) / 2 = 15.5, residuals 0.5, -0.5, 0, -0.5, 0.5, 0:
    # MS_error = 1 / 2; all by R N = 6
    parts = parts_of(BY_HAND)
    found = (parts.seeds, parts.data, parts.residual, parts.over_both)
    assert found == pytest.approx((1.0, 15.5 / 6, 0.5 / 6, 3.5))
    assert (parts.seeds_freedom, parts.data_freedom) == (1, 2)


def test_an_interval_adds_the_squares_of_two():
    # Student's t, 97.5%: 12.7062 with one and 4.302653 with two degrees of freedom
    low, high = mean_of(BY_HAND.mean(1), BY_HAND).interval()
    half_width = (12.7062**2 * 1.0 + 4.302653**2 * 15 / 6) ** 0.5
    assert (low, high) == pytest.approx((4 - half_width, 4 + half_width), abs=1e-3)


def values(random, repetitions, seeds, datapoints, of_seeds, of_data, of_residual):
    rows = of_seeds * random.standard_normal((repetitions, seeds, 1))
    columns = of_data * random.standard_normal((repetitions, 1, datapoints))
    residual = of_residual * random.standard_normal((repetitions, seeds, datapoints))
    return rows + columns + residual


@pytest.mark.parametrize("of_seeds", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("of_data", [0.0, 2.0])
def test_the_squared_error_over_both_is_the_variance_of_the_mean(of_seeds, of_data):
    drawn = values(np.random.default_rng(0), 2000, 3, 40, of_seeds, of_data, 0.5)
    each = [parts_of(own) for own in drawn]
    found = np.array([parts.seeds + parts.data - parts.residual for parts in each])
    truth = of_seeds**2 / 3 + of_data**2 / 40 + 0.5**2 / 120
    assert abs(found.mean() - truth) < LIMIT * found.std() / 2000**0.5
    means = drawn.mean((1, 2))
    assert abs(means.var() / truth - 1) < LIMIT * (2 / 2000) ** 0.5


def test_of_a_difference_with_other_seeds_data_are_paired_and_seeds_are_not():
    random = np.random.default_rng(1)
    shared = 5.0 * random.standard_normal((2000, 1, 40))
    first = shared + values(random, 2000, 3, 40, 0.3, 0.2, 0.5)
    second = shared + values(random, 2000, 4, 40, 0.6, 0.2, 0.5)
    each = [parts_of_difference(*both) for both in zip(first, second, strict=True)]
    found = np.array([parts.seeds + parts.data - parts.residual for parts in each])
    truth = 0.3**2 / 3 + 0.6**2 / 4 + 2 * 0.2**2 / 40 + 0.5**2 / 120 + 0.5**2 / 160
    assert abs(found.mean() - truth) < LIMIT * found.std() / 2000**0.5


def test_what_two_trials_share_cancels_and_a_swapped_pair_of_datapoints_is_noticed():
    hard = 10.0 * np.random.default_rng(2).standard_normal(500)
    first = np.stack([hard + 0.5, hard + 0.6, hard + 0.7])
    second = np.stack([hard, hard, hard])
    found = paired_difference(first.mean(1), second.mean(1), (first, second))
    assert found.over_data == pytest.approx(0.0, abs=1e-9)
    assert found.standard_error == pytest.approx(found.over_seeds)
    swapped = second.copy()
    swapped[:, [3, 4]] = swapped[:, [4, 3]]
    wrong = paired_difference(first.mean(1), swapped.mean(1), (first, swapped))
    assert wrong.over_data > 0.01
    assert wrong.mean == pytest.approx(found.mean)


def test_without_values_of_datapoints_errors_are_over_seeds_alone():
    found = mean_of(np.array([-22.0, -21.0, -20.0]), None)
    assert (found.over_seeds, found.standard_error) == pytest.approx((3**-0.5, 3**-0.5))
    assert math.isnan(found.over_data)
    assert not found.knows_data


def test_one_replicate_has_an_error_over_data_and_no_interval():
    found = mean_of(BY_HAND[:1].mean(1), BY_HAND[:1])
    assert found.over_data == pytest.approx(BY_HAND[0].std(ddof=1) / 3**0.5)
    assert math.isnan(found.over_seeds)
    assert math.isnan(found.standard_error)
    assert all(map(math.isnan, found.interval()))


def test_more_seeds_make_the_error_over_seeds_smaller_and_leave_that_over_data():
    random = np.random.default_rng(3)
    own = values(random, 1, 3, 200, 0.5, 2.0, 0.5)[0]
    three = mean_of(own.mean(1), own)
    twelve = three.with_seeds(12)
    assert twelve.over_seeds == pytest.approx(three.over_seeds / 2)
    assert twelve.parts.over_data_alone == pytest.approx(three.parts.over_data_alone)
    assert twelve.parts.seeds_freedom == 11
    assert three.with_seeds(3).interval() == pytest.approx(three.interval())


def test_a_difference_of_other_seeds_without_values_is_that_of_welch():
    first, second = np.array([-20.0, -21.0, -22.0]), np.array([-21.0, -22.5, -24.0])
    found = unpaired_difference(first, second, None)
    # variances 1 and 2.25 over 3 each, and Welch's degrees of freedom, by hand
    assert found.standard_error == pytest.approx((1 / 3 + 0.75) ** 0.5)
    freedom = (1 / 3 + 0.75) ** 2 / ((1 / 3) ** 2 / 2 + 0.75**2 / 2)
    assert found.parts.seeds_freedom == pytest.approx(freedom)
    assert not found.paired


def test_an_interval_is_never_below_that_of_the_error_over_data():
    # every row has the same mean: MS_rows = 0, so the residual takes more than seeds add
    values = np.array([[1.0, 2.0, 6.0, 3.0], [2.0, 1.0, 3.0, 6.0]])
    estimate = mean_of(values.mean(1), values)
    assert estimate.standard_error == estimate.over_data
    # Student's t, 97.5%, with three degrees of freedom: 3.182446
    assert estimate.half_width() == pytest.approx(3.182446 * estimate.over_data, rel=1e-5)
