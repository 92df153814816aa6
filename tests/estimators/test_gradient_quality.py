"""The quality of gradient estimates is that of a distribution whose moments are known."""

import weakref
from math import nan, sqrt

import pytest
import torch

from gmm_study.estimators.gradient_quality import (
    Target,
    draw_gradients,
    gradient_quality,
)
from gmm_study.exact import exact_log_p_tilde_gradient
from gmm_study.objectives import GeometricMeanMatching
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states
from tests.z_tests import assert_within_standard_errors

MEAN = torch.tensor([3.0, -4.0, 0.0, 0.0], dtype=torch.float64)
SPREAD = torch.tensor([1.0, 1.0, 2.0, 2.0], dtype=torch.float64)  # V = 10
AIM = torch.tensor([3.0, -4.0, 1.0, 0.0], dtype=torch.float64)  # 1 away from the mean
EVERYTHING = {"all": torch.arange(4)}


def quality(draws, target):
    """The figures of all entries, and their standard errors."""
    return gradient_quality(iter(draws), len(draws), target, EVERYTHING)["all"]


def normal_draws(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return MEAN + SPREAD * torch.randn(count, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("count", [60, 5000])
def test_figures_are_within_their_standard_errors_of_the_truth(count):
    (found, errors) = quality(normal_draws(count), Target.exact(AIM))
    many = torch.cosine_similarity(normal_draws(400_000, seed=1), AIM[None]).mean()
    truth = {
        "signal_to_noise": 5.0 / sqrt(10.0),
        "cosine": float(many),
        "deviation": sqrt((10.0 + 1.0) / 26.0),
        "bias": sqrt(1.0 / 26.0),
    }
    for name, true in truth.items():
        found_here, error = (torch.tensor(getattr(each, name)) for each in (found, errors))
        assert_within_standard_errors(found_here, true, error)


def test_errors_are_those_that_repetitions_show():
    repetitions = [quality(normal_draws(200, seed), Target.exact(AIM)) for seed in range(300)]
    for name in ("signal_to_noise", "cosine", "deviation", "bias"):
        shown = torch.tensor([getattr(found, name) for found, _ in repetitions]).std()
        claimed = torch.tensor([getattr(errors, name) for _, errors in repetitions]).mean()
        assert claimed == pytest.approx(float(shown), rel=0.2), name


def test_a_bias_below_the_noise_of_the_mean_is_estimated_as_none():
    exact = Target.exact(MEAN)
    squares = [quality(normal_draws(100, seed), exact)[0].bias ** 2 for seed in range(200)]
    plain = 10.0 / 100 / 25.0  # what the squared norm of a mean of a hundred draws is too large by
    assert sum(squares) / len(squares) < 0.5 * plain


def test_the_error_of_a_target_that_was_drawn_is_not_taken_for_a_bias():
    target = Target.mean_of(iter(normal_draws(100, seed=7)))
    found, errors = quality(normal_draws(4000), target)
    assert found.bias < 4.0 * max(errors.bias, 1e-9) + sqrt(10.0 / 100) / 5.0
    noisy, _ = quality(normal_draws(4000), Target.exact(target.gradient))
    assert noisy.bias > found.bias


def test_the_deviation_from_a_drawn_target_is_that_from_the_true_one():
    """The squared norm of the target is a tenth larger by its own error."""
    weak, inverses = 0.1 * MEAN, []
    for seed in range(300):
        target = Target.mean_of(iter(normal_draws(400, seed=1000 + seed) - MEAN + weak))
        found, _ = quality(normal_draws(200, seed) - MEAN + weak, target)
        inverses.append(found.deviation**-2)  # which is linear in the squared norm of the target
    inverse = torch.tensor(inverses)
    error = inverse.std() / len(inverse) ** 0.5
    assert_within_standard_errors(inverse.mean(), 0.25 / 10.0, error)
    assert abs(inverse.mean() - 1.1 * 0.25 / 10.0) > 4.0 * error


def test_parameters_without_gradient_have_no_figures():
    still = torch.zeros(40, 4, dtype=torch.float64)
    found, _ = quality(still, Target.exact(0 * AIM))
    assert [found.signal_to_noise, found.deviation, found.bias] == pytest.approx(
        [nan] * 3, nan_ok=True
    )


@pytest.mark.sampled
def test_the_gradient_of_gmm_gets_better_with_k():
    model, data = a_network(1, spread=0.8), all_states(DIMS)[[0, 5, 6, 14]]
    exact = Target.exact(exact_log_p_tilde_gradient(model, data)[0])
    groups = {"all": torch.arange(len(exact.gradient))}
    found = {}
    for samples in (2, 8):
        objective = GeometricMeanMatching(samples)
        draws = draw_gradients(objective, model, data, 4000, some_streams(1))
        found[samples], _ = gradient_quality(draws, 4000, exact, groups)["all"]
    assert found[8].bias < found[2].bias / 3
    assert found[8].signal_to_noise > found[2].signal_to_noise
    assert found[8].cosine > found[2].cosine
    assert found[8].deviation < found[2].deviation


def test_a_drawn_target_is_the_mean_of_its_draws_with_the_variance_of_a_mean():
    draws = normal_draws(50)
    target = Target.mean_of(iter(draws))
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

    gradient_quality(draws(), 100, Target.exact(AIM), EVERYTHING)
    Target.mean_of(draws())
