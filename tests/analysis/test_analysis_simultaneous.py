"""Intervals for many comparisons at once, against scipy and tables."""

import numpy as np
import pytest
from scipy import stats

from analysis.pooling import pool_of
from analysis.simultaneous import ONE, Family


@pytest.mark.parametrize(("seeds", "variations"), [(3, 2), (3, 8), (5, 4)])
def test_the_critical_value_with_a_reference_is_that_of_scipys_dunnett(seeds, variations):
    random = np.random.default_rng(0)
    arms = random.standard_normal((variations + 1, seeds))
    found = stats.dunnett(*arms[1:], control=arms[0], rng=np.random.default_rng(1))
    interval = found.confidence_interval(0.95)
    error = (2 * arms.var(1, ddof=1).mean() / seeds) ** 0.5
    freedom = (variations + 1) * (seeds - 1)
    critical = Family("reference", variations).critical(freedom, 0.95)
    # scipy integrates with random points
    assert critical == pytest.approx((interval.high - interval.low)[0] / 2 / error, rel=0.01)


@pytest.mark.parametrize(("arms", "freedom"), [(3, 4), (4, 6), (5, 20)])
def test_the_critical_value_of_all_pairs_is_that_of_the_studentised_range(arms, freedom):
    ranges = stats.studentized_range.ppf(0.95, arms, freedom)
    assert Family("pairs", arms).critical(freedom, 0.95) == pytest.approx(ranges / 2**0.5, rel=1e-4)


@pytest.mark.parametrize("family", [ONE, Family("reference", 1), Family("pairs", 2)])
def test_one_comparison_has_students_t(family):
    for freedom in (1, 2, 17.5):
        expected = stats.t.ppf(0.975, freedom)
        assert family.critical(freedom, 0.95) == pytest.approx(expected, rel=1e-6)


def test_dunnetts_table_is_met():
    # Dunnett (1964), two-sided, 5%, k = 8 and 3: infinite and 20 degrees of freedom
    assert Family("reference", 8).critical(np.inf, 0.95) == pytest.approx(2.65, abs=0.005)
    assert Family("reference", 3).critical(20, 0.95) == pytest.approx(2.54, abs=0.005)


def trials(*rows):
    return {str(index): np.array(row) for index, row in enumerate(rows)}


def test_what_a_seed_adds_to_all_trials_is_not_in_the_pooled_variance():
    noise = np.random.default_rng(4).standard_normal((4, 3))
    pool = pool_of(trials(*noise))
    moved = pool_of(trials(*(noise + np.array([0.0, 50.0, -20.0]))))
    assert moved.variances == pytest.approx(pool.variances)
    assert pool.freedom == 6


def test_the_variance_is_the_pooled_one_or_a_trials_own_if_that_is_larger():
    noise = np.random.default_rng(5).standard_normal((4, 3))
    residual = noise - noise.mean(1, keepdims=True) - noise.mean(0) + noise.mean()
    pooled = (residual**2).sum() / 6
    variances = pool_of(trials(*noise)).variances
    assert min(variances.values()) == pytest.approx(pooled)
    random = np.random.default_rng(6)
    spreads = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    own = np.zeros(5)
    for _ in range(4000):
        drawn = spreads[:, None] * random.standard_normal((5, 3))
        left = drawn - drawn.mean(1, keepdims=True) - drawn.mean(0) + drawn.mean()
        squares = (left**2).sum(1)
        own += (5 * squares / 2 - squares.sum() / 8) / 3 / 4000
    # the estimate of a trial's own variance is unbiased; that of a variance has error 1 at R = 3
    assert own == pytest.approx(spreads**2, rel=0.1)


def test_a_trial_that_stands_out_has_its_own_variance_and_leaves_the_others_theirs():
    noise = 0.05 * np.random.default_rng(7).standard_normal((5, 3))
    collapsed = np.array([-7.0, 0.0, -7.0])
    means = trials(*noise, collapsed)
    pool = pool_of(means)
    assert set(pool.variances) == {"0", "1", "2", "3", "4"}
    assert pool.variances == pytest.approx(pool_of(trials(*noise)).variances)
    family = Family("reference", 5)
    found = pool.difference(("0", "5"), means, None, family)
    assert found.over_seeds == pytest.approx((noise[0] - collapsed).std(ddof=1) / 3**0.5)
    assert found.half_width() == pytest.approx(family.critical(2, 0.95) * found.over_seeds)


def test_trials_that_do_not_vary_have_differences_without_an_error():
    means = trials([1.0, 1.0], [2.0, 2.0], [2.0, 2.0])
    found = pool_of(means).difference(("1", "0"), means, None, Family("reference", 2))
    assert found.interval() == (1.0, 1.0)


def test_one_replicate_has_no_variance_to_pool():
    means = trials([1.0], [2.0], [3.0])
    found = pool_of(means).difference(("1", "0"), means, None, Family("reference", 2))
    assert found.mean == 1.0
    assert np.isnan(found.half_width())
