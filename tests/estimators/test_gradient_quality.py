"""The quality of gradient estimates is that of a distribution whose moments are known."""

import weakref
from math import inf, isnan, sqrt
from statistics import NormalDist

import pytest
import torch

from gmm_study.estimators.gradient_quality import (
    ERRORS,
    Target,
    draw_gradients,
    gradient_quality,
    root_of,
)
from gmm_study.exact import exact_log_p_tilde_gradient
from gmm_study.objectives import GeometricMeanMatching
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states
from tests.z_tests import assert_within_standard_errors

MEAN = torch.tensor([3.0, -4.0, 0.0, 0.0], dtype=torch.float64)
SPREAD = torch.tensor([1.0, 1.0, 2.0, 2.0], dtype=torch.float64)  # V = 10
AIM = torch.tensor([3.0, -4.0, 1.0, 0.0], dtype=torch.float64)  # 1 away from the mean
FIGURES = ("signal_square", "signal_to_noise", "cosine", "deviation", "bias")


def quality(draws, target):
    """The figures of all entries, with their standard errors."""
    everything = {"all": torch.arange(draws.shape[1])}
    return gradient_quality(iter(draws), len(draws), target, everything)["all"]


def values_of(found, name):
    """A figure of many qualities, and its standard errors."""
    pairs = [(getattr(each, name), getattr(each, f"{name}_se")) for each in found]
    return torch.tensor(pairs, dtype=torch.float64).T


def normal_draws(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return MEAN + SPREAD * torch.randn(count, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("count", [60, 5000])
def test_figures_are_within_their_standard_errors_of_the_truth(count):
    found = quality(normal_draws(count), Target.exact(AIM))
    many = torch.cosine_similarity(normal_draws(400_000, seed=1), AIM[None]).mean()
    truth = {
        "signal_square": 25.0 / 10.0,
        "signal_to_noise": 5.0 / sqrt(10.0),
        "cosine": float(many),
        "deviation": sqrt((10.0 + 1.0) / 26.0),
        "bias": sqrt(1.0 / 26.0),
    }
    for name, true in truth.items():
        value, error = values_of([found], name)
        assert_within_standard_errors(value, true, error)


def test_errors_are_those_that_repetitions_show():
    found = [quality(normal_draws(200, seed), Target.exact(AIM)) for seed in range(300)]
    for name in FIGURES:
        values, errors = values_of(found, name)
        apart = errors.square() - (values - values.mean()).square() * 300 / 299
        assert abs(apart.mean()) < 4.0 * apart.std() / 300**0.5, name


TRUE_SIGNALS = (0.0, 0.05, 0.5)


@pytest.mark.parametrize("truth", TRUE_SIGNALS)
def test_the_squared_signal_has_no_bias_and_its_upper_limit_holds_as_often_as_it_says(truth):
    count, size, repeats = 200, 30, 300
    rng = torch.Generator().manual_seed(0)
    mean = torch.full((size,), truth, dtype=torch.float64)  # V is the size, so the ratio is truth
    aim = Target.exact(torch.zeros(size))
    found = [
        quality(mean + torch.randn(count, size, generator=rng, dtype=torch.float64), aim)
        for _ in range(repeats)
    ]
    squares, _ = values_of(found, "signal_square")
    of_mean = float(squares.std()) / repeats**0.5
    assert abs(float(squares.mean()) - truth**2) < 4.0 * of_mean
    holds = sum(each.signal_to_noise_upper >= truth for each in found) / repeats
    nominal = NormalDist().cdf(ERRORS)
    assert holds > nominal - 4.0 * (nominal * (1.0 - nominal) / repeats) ** 0.5
    shown = sum(not isnan(each.signal_to_noise_se) for each in found) / repeats
    if truth == 0.0:  # a signal that is not there is shown as seldom as is said
        assert shown < 1.0 - nominal + 4.0 * (nominal * (1.0 - nominal) / repeats) ** 0.5
        assert all(each.signal_to_noise_upper > 0.0 for each in found)
    if truth == max(TRUE_SIGNALS):
        assert shown == 1.0


def test_a_square_below_its_lower_limit_has_an_upper_limit_and_no_error():
    root, error, upper = root_of(0.01, 0.006, 0.006)
    assert (root, upper) == pytest.approx((0.1, 0.022**0.5))
    assert isnan(error)
    assert root_of(-0.02, 0.005, 0.005)[::2] == pytest.approx((0.0, 0.1))
    over_models = root_of(0.01, 0.006, 0.001)  # a signal in each of them, of another size
    assert over_models == pytest.approx((0.1, 0.03, 0.022**0.5))


def test_errors_count_the_error_of_a_drawn_target():
    found = [
        quality(normal_draws(400, seed), Target.mean_of(iter(normal_draws(100, 5000 + seed)), 100))
        for seed in range(300)
    ]
    for name in ("cosine", "deviation"):
        values, errors = values_of(found, name)
        apart = errors.square() - (values - values.mean()).square() * 300 / 299
        assert abs(apart.mean()) < 4.0 * apart.std() / 300**0.5, name
    exact = quality(normal_draws(400, 0), Target.exact(MEAN))
    assert all(each.deviation_se > exact.deviation_se for each in found[:20])


def test_a_gradient_without_noise_has_an_infinite_signal():
    found = quality(torch.ones(40, 2, dtype=torch.float64), Target.exact(torch.ones(2)))
    assert (found.signal_to_noise, found.signal_to_noise_upper) == (inf, inf)


def test_a_bias_below_the_noise_of_the_mean_is_estimated_as_none():
    """More often than not, as the squared norm of a mean is a skewed variable."""
    exact = Target.exact(MEAN)
    none = [quality(normal_draws(100, seed), exact).bias == 0.0 for seed in range(200)]
    assert sum(none) / 200 > 0.5 - 4.0 * (0.25 / 200) ** 0.5


def test_the_error_of_a_target_that_was_drawn_is_not_taken_for_a_bias():
    target = Target.mean_of(iter(normal_draws(100, seed=7)), 100)
    found = quality(normal_draws(4000), target)
    assert found.bias < 4.0 * found.bias_se + sqrt(10.0 / 100) / 5.0
    noisy = quality(normal_draws(4000), Target.exact(target.gradient))
    assert noisy.bias > found.bias


def test_the_deviation_from_a_drawn_target_is_that_from_the_true_one():
    """The squared norm of the target is a tenth larger by its own error."""
    weak, inverses = 0.1 * MEAN, []
    for seed in range(300):
        target = Target.mean_of(iter(normal_draws(400, seed=1000 + seed) - MEAN + weak), 400)
        found = quality(normal_draws(200, seed) - MEAN + weak, target)
        inverses.append(found.deviation**-2)  # which is linear in the squared norm of the target
    inverse = torch.tensor(inverses)
    error = inverse.std() / len(inverse) ** 0.5
    assert_within_standard_errors(inverse.mean(), 0.25 / 10.0, error)
    assert abs(inverse.mean() - 1.1 * 0.25 / 10.0) > 4.0 * error


def test_parameters_without_gradient_have_neither_a_signal_nor_a_direction():
    still = torch.zeros(40, 4, dtype=torch.float64)
    found = quality(still, Target.exact(AIM))
    figures = found.signal_to_noise, found.signal_to_noise_upper, found.signal_square, found.cosine
    assert all(map(isnan, figures))
    assert (found.deviation, found.bias) == (1.0, 1.0)
    aimless = quality(still, Target.exact(0 * AIM))
    assert all(map(isnan, (aimless.cosine, aimless.deviation, aimless.bias)))


@pytest.mark.sampled
def test_the_gradient_of_gmm_gets_better_with_k():
    model, data = a_network(1, spread=0.8), all_states(DIMS)[[0, 5, 6, 14]]
    exact = Target.exact(exact_log_p_tilde_gradient(model, data)[0])
    groups = {"all": torch.arange(len(exact.gradient))}
    found = {}
    for samples in (2, 8):
        objective = GeometricMeanMatching(samples)
        draws = draw_gradients(objective, model, data, 4000, some_streams(1))
        found[samples] = gradient_quality(draws, 4000, exact, groups)["all"]
    for name, sign in {"bias": -1, "signal_to_noise": 1, "cosine": 1, "deviation": -1}.items():
        values, errors = values_of([found[2], found[8]], name)
        assert sign * (values[1] - values[0]) > 4.0 * errors.square().sum().sqrt(), name


def test_a_drawn_target_is_the_mean_of_its_draws_with_the_variance_of_a_mean():
    draws = normal_draws(50)
    target = Target.mean_of(iter(draws), 50)
    torch.testing.assert_close(target.gradient, draws.mean(0))
    torch.testing.assert_close(target.variance, draws.var(0) / 50)


def test_estimates_are_not_kept():
    """So that the memory of a large model does not grow with the number of draws."""
    alive = []

    def draws():
        for row in normal_draws(100):
            draw = row.clone()
            alive.append(weakref.ref(draw))
            yield draw
            assert sum(each() is not None for each in alive) <= 2

    gradient_quality(draws(), 100, Target.exact(AIM), {"all": torch.arange(4)})
    Target.mean_of(draws(), 100)
