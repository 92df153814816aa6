"""The interval of the bias from K covers the bias, where that is known exactly."""

from functools import cache
from math import inf, isinf, nan

import numpy as np
import pytest
from scipy.special import digamma

from gmm_study.estimators import estimate_log_p
from gmm_study.trials.bias import bias_interval
from tests.networks import a_network, some_streams
from tests.oracle import all_states, enumerate_states

SAMPLES = 100
REPETITIONS = 400


def log_mean(log_weights):
    return np.logaddexp.reduce(log_weights, axis=-1) - np.log(log_weights.shape[-1])


def estimates(log_weights):
    """L_K and its two gaps for each row of log-weights `[..., K]`."""
    whole = log_mean(log_weights)
    halves, quarters = (
        log_mean(log_weights.reshape(*whole.shape, parts, -1)).mean(-1) for parts in (2, 4)
    )
    return whole, whole - halves, halves - quarters


def covered(gap, before, bias):
    """The share of the repetitions whose interval has the bias in it, and all intervals.

    The gaps are `[repetitions, datapoints]`.
    """
    n = gap.shape[1]
    columns = (
        column for gaps in (gap, before) for column in (gaps.mean(1), gaps.std(1, ddof=1) / n**0.5)
    )
    intervals = [bias_interval(*row) for row in zip(*columns, strict=True)]
    inside = [each.lower <= bias <= each.upper for each in intervals]
    return float(np.mean(inside)), intervals


def assert_covers(share, nominal=0.95):
    error = (nominal * (1 - nominal) / REPETITIONS) ** 0.5
    assert share > nominal - 4.0 * error, share


def log_normal(random, variance, rows):
    log_weights = random.standard_normal((rows, SAMPLES), dtype=np.float32) * variance**0.5
    return log_weights - variance / 2


def gamma(random, shape, rows):
    """log w of a gamma variable of mean 1, as that of shape + 1 times u^(1/shape)."""
    boosted = np.log(random.standard_gamma(shape + 1, (rows, SAMPLES)))
    return boosted + np.log(random.random((rows, SAMPLES))) / shape - np.log(shape)


@cache
def log_normal_bias(variance):
    """-E L_K by simulation, with sum w - 1, whose mean is 0, as a control variate."""
    whole, *_ = estimates(log_normal(np.random.default_rng(99), variance, 100_000))
    control = np.exp(whole) - 1.0
    slope = np.cov(whole, control)[0, 1] / control.var()
    return -(whole - slope * control).mean()


@pytest.mark.sampled
@pytest.mark.parametrize("datapoints", [50, 300])
@pytest.mark.parametrize("variance", [0.5, 1.0, 2.0, 4.0, 6.0, 10.0])
def test_it_covers_the_bias_of_log_normal_weights(variance, datapoints):
    rows = log_normal(np.random.default_rng(1), variance, REPETITIONS * datapoints)
    _, gap, before = (each.reshape(REPETITIONS, -1) for each in estimates(rows))
    assert_covers(covered(gap, before, log_normal_bias(variance))[0])


@pytest.mark.sampled
@pytest.mark.parametrize("datapoints", [50, 300])
@pytest.mark.parametrize("shape", [0.02, 0.1, 1.0, 10.0])
def test_it_covers_the_bias_of_gamma_weights_which_is_known_in_closed_form(shape, datapoints):
    rows = gamma(np.random.default_rng(2), shape, REPETITIONS * datapoints)
    _, gap, before = (each.reshape(REPETITIONS, -1) for each in estimates(rows))
    total = shape * SAMPLES  # the sum of the weights is a gamma variable again
    assert_covers(covered(gap, before, np.log(total) - digamma(total))[0])


@pytest.mark.parametrize(("spread", "samples"), [(0.4, 8), (1.0, 8), (1.0, 40)])
def test_it_covers_the_bias_of_a_small_belief_network(spread, samples):
    """The bias of one datapoint is the mean over repetitions of log p, exact, less L_K."""
    model = a_network(REPETITIONS, spread=spread, dims=6, sizes=(4, 3))
    data = all_states(6)
    exact = enumerate_states(model.parameters, data).log_p
    found = estimate_log_p(model, data, samples, some_streams(REPETITIONS))
    bias = (exact - found["log_p"]).mean().item()
    gap, before = (found[name].numpy() for name in ("log_p_gap", "log_p_gap_before"))
    assert_covers(covered(gap, before, bias)[0])


def test_it_is_as_narrow_as_the_number_of_datapoints_allows_once_k_is_large_enough():
    rows = log_normal(np.random.default_rng(3), 0.5, 20 * 5000)
    _, gap, before = (each.reshape(20, -1) for each in estimates(rows))
    _, intervals = covered(gap, before, 0.0)
    assert max(each.upper / each.lower for each in intervals) < 1.5


def test_too_few_samples_of_heavy_tails_have_no_upper_limit():
    rows = np.random.default_rng(4).pareto(1.1, (300, SAMPLES)) + 1.0
    _, gap, before = estimates(np.log(rows))
    _, (interval,) = covered(gap[None], before[None], 0.0)
    assert isinf(interval.upper)
    assert not interval.converged
    assert interval.lower > 0.0


def test_a_known_rate_gives_the_sum_of_the_gaps_to_come():
    """Without errors: at a = 1/2, r is 0.7071 and r / (1 - r) is 2.4142; at a = 1 it is 1."""
    interval = bias_interval(0.1, 0.0, 0.1 * 2**0.5, 0.0)
    assert (interval.lower, interval.upper) == pytest.approx((0.1, 0.1 * (1 + 2**0.5)))
    interval = bias_interval(0.1, 0.0, 0.2, 0.0)
    assert (interval.lower, interval.upper) == pytest.approx((0.1, 0.1))
    falls_faster = bias_interval(0.1, 0.0, 0.3, 0.0)
    assert (falls_faster.lower, falls_faster.upper) == pytest.approx((0.05, 0.1))
    assert bias_interval(0.1, 0.0, 0.1, 0.0).upper == inf


def test_higher_levels_are_wider_and_no_gap_is_no_bias():
    figures = (0.1, 0.01, 0.2, 0.02)
    narrow, wide = (bias_interval(*figures, level) for level in (0.5, 0.99))
    assert wide.lower < narrow.lower < narrow.upper < wide.upper
    nothing = bias_interval(-1e-16, 1e-17, 1e-16, 1e-17)
    assert nothing.lower == 0.0
    assert nothing.upper < 1e-8
    assert nothing.converged


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [nan, inf])
def test_without_an_error_or_a_gap_nothing_is_known(place, value):
    figures = [0.1, 0.01, 0.2, 0.02]
    figures[place] = value
    interval = bias_interval(*figures)
    assert (interval.lower, interval.upper) == (0.0, inf)


def test_extreme_errors_do_not_overflow():
    assert bias_interval(1e-8, 1e3, 1e-8, 1e3).lower >= 0.0
