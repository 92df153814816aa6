"""Limits from weights: by hand, and how often those of random weights are on the wrong side."""

from math import exp, log
from statistics import NormalDist

import pytest
import torch

from gmm_study.estimators import gaps, log_means, lower_limit, upper_by_samples, upper_limit
from tests.z_tests import LIMIT

REPETITIONS, ERROR = 4000, 0.1


def log_normal(shape, variance, seed=0):
    """Logarithms of weights of mean 1."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    return variance**0.5 * normal - 0.5 * variance


def assert_seldom(wrong):
    """No more often than the error that was allowed, but for the error of the count."""
    most = ERROR + LIMIT * (ERROR * (1.0 - ERROR) / len(wrong)) ** 0.5
    assert wrong.double().mean() <= most


def test_a_lower_limit_is_the_best_of_all_numbers_of_groups():
    weights = torch.tensor([[[1.0, 3.0], [2.0, 2.0]]]).double().log()
    together = log(2.0) - log(2 / 0.1) / 2
    apart = (log(3.0) / 2 + log(2.0)) / 2 - log(2 / 0.1) / 4
    assert lower_limit(weights, 0.1).item() == pytest.approx(max(together, apart))
    assert apart > together
    unequal = torch.tensor([[[1e-9, 4.0], [2.0, 2.0]]]).double().log()
    assert lower_limit(unequal, 0.1).item() == pytest.approx(together)


def test_limits_of_equal_weights_miss_by_the_margin_alone():
    weights = torch.full((2, 50, 8), log(3.0), dtype=torch.float64)
    margin = log(4 / ERROR) / 50 / 8
    torch.testing.assert_close(lower_limit(weights, ERROR), weights[:, 0, 0] - margin)
    torch.testing.assert_close(upper_limit(-weights, ERROR), weights[:, 0, 0] + log(1 / ERROR) / 50)


@pytest.mark.parametrize("variance", [0.1, 1.0, 4.0, 16.0])
@pytest.mark.parametrize(("datapoints", "chains"), [(1, 64), (5, 8), (40, 6)])
def test_a_lower_limit_is_above_the_truth_no_more_often_than_its_error(
    variance, datapoints, chains
):
    weights = log_normal((REPETITIONS, datapoints, chains), variance)
    found = lower_limit(weights, ERROR)
    assert_seldom(found > 0.0)


@pytest.mark.parametrize("variance", [0.1, 4.0])
def test_an_upper_limit_holds_although_all_weights_of_a_datapoint_have_the_same_start(variance):
    shared = log_normal((REPETITIONS, 20, 1), variance)
    own = log_normal((REPETITIONS, 20, 4), variance, seed=1)
    assert_seldom(upper_limit(shared + own, ERROR) < 0.0)


def test_the_error_is_used_where_few_weights_decide():
    """A weight that is 1 / e with the probability e, and else 0, is the worst that there can be."""
    generator = torch.Generator().manual_seed(0)
    rare = torch.rand(REPETITIONS, 1, 1, generator=generator, dtype=torch.float64) < ERROR
    weights = torch.where(rare, 1.0 / ERROR, 0.0).log()
    wrong = (lower_limit(weights, ERROR * (1.0 + 1e-9)) >= -1e-6).double().mean()
    assert wrong > ERROR - LIMIT * (ERROR * (1.0 - ERROR) / REPETITIONS) ** 0.5


def test_the_limit_by_samples_holds_for_data_that_are_like_samples():
    """Both bounds of a datapoint are off by gamma variables, the same for data and samples."""
    torch.manual_seed(0)
    off = torch.distributions.Gamma(torch.tensor(2.0), torch.tensor(4.0))
    data = -off.sample((REPETITIONS, 100, 1)).double()
    forwards = -off.sample((REPETITIONS, 50, 1)).double()
    backwards = -off.sample((REPETITIONS, 50, 1)).double()
    found = upper_by_samples(data, gaps(forwards, backwards), ERROR)
    assert_seldom(found < 0.0)


def test_the_limit_by_samples_adds_the_mean_gap_and_the_margin_of_both_means():
    """In standard errors of a difference, whose two means have the spread of the gaps."""
    data = torch.tensor([[[0.0], [1.0], [-1.0], [4.0]]], dtype=torch.float64)
    apart = torch.tensor([[0.5, 1.5]], dtype=torch.float64)
    margin = NormalDist().inv_cdf(1.0 - ERROR) * (0.5 * (1 / 4 + 1 / 2)) ** 0.5
    assert upper_by_samples(data, apart, ERROR).item() == pytest.approx(1.0 + 1.0 + margin)


def test_gaps_are_those_of_the_logarithms_of_the_means():
    forwards, backwards = torch.tensor([[[1.0, 3.0]]]).log(), torch.tensor([[[0.5, 0.1]]]).log()
    assert log_means(forwards).item() == pytest.approx(log(2.0))
    assert gaps(forwards, backwards).item() == pytest.approx(-log(0.3) - log(2.0))
    assert exp(gaps(forwards, -forwards).item()) < 1.0
