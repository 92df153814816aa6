"""With few samples an estimate is biased; its mean is known, by listing every draw of K states."""

import pytest
import torch

from gmm_study.estimators import INNER_SAMPLES, estimate_bound, estimate_log_p, estimate_log_z2
from gmm_study.objectives import GeometricMeanMatching, ReweightedWakeSleep
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states, enumerate_states, every_draw
from tests.z_tests import (
    assert_every_mean_within_standard_errors,
    assert_mean_within_standard_errors,
    assert_within_standard_errors,
)

SEEDS = 1500
SOME_NUMBERS = [0, 5, 6, 14]
SOME_X = all_states(DIMS)[SOME_NUMBERS]

few_samples = pytest.mark.parametrize("samples", [1, 3])


def log_mean(log_weights):
    """log p's estimate from K log-weights, `[X, T, K]` to `[X, T]`."""
    return log_weights.exp().mean(2).log()


def twice_log_mean_root(log_weights):
    """log ptilde's."""
    return 2.0 * log_weights.exp().sqrt().mean(2).log()


def share_of(weights):
    """(mean w)^2 / mean w^2."""
    return weights.mean(2).square() / weights.square().mean(2)


@few_samples
def test_estimates_with_k_samples_have_the_means_of_all_draws_of_k_states(samples):
    model = a_network(SEEDS, deterministic_layers=1, spread=0.8)
    draws = every_draw(enumerate_states(model.parameters, SOME_X), samples)
    found = estimate_log_p(model, SOME_X, samples, some_streams(SEEDS))
    expected = {
        "log_p": draws.mean(log_mean),
        "log_p_tilde": draws.mean(twice_log_mean_root),
        "ess": draws.mean(lambda log_weights: share_of(log_weights.exp())),
        "ess_star": draws.mean(lambda log_weights: share_of(log_weights.exp().sqrt())),
    }
    assert found.keys() == expected.keys()
    for name, truth in expected.items():
        assert_every_mean_within_standard_errors(found[name], truth)


@few_samples
@pytest.mark.parametrize(
    ("objective", "bound"),
    [(GeometricMeanMatching, twice_log_mean_root), (ReweightedWakeSleep, log_mean)],
)
def test_the_bound_of_training_has_the_mean_of_all_draws_of_k_states(samples, objective, bound):
    model = a_network(SEEDS, spread=0.8)
    draws = every_draw(enumerate_states(model.parameters, SOME_X), samples)
    found = estimate_bound(objective(samples), model, SOME_X, some_streams(SEEDS))
    expected = {
        "bound": draws.mean(bound),
        "log_p": draws.mean(log_mean),
        "ess": draws.mean(lambda log_weights: share_of(log_weights.exp())),
    }
    assert found.keys() == expected.keys()
    for name, truth in expected.items():
        assert_every_mean_within_standard_errors(found[name], truth)


def test_the_mean_of_any_number_of_root_weights_is_unbiased_for_the_root_of_p_tilde():
    model = a_network(SEEDS, spread=0.8)
    exact = enumerate_states(model.parameters, SOME_X)
    found = estimate_log_p(model, SOME_X, 7, some_streams(SEEDS))
    assert_mean_within_standard_errors(found["log_p"].exp(), exact.log_p.exp())
    assert_mean_within_standard_errors(
        (0.5 * found["log_p_tilde"]).exp(), (0.5 * exact.log_p_tilde).exp()
    )


def a_term_of_z2(exact):
    """The exact mean and variance of one term of the estimate of Z^2.

    A term is sqrt(ptilde_M(x) q(h|x) / p(x,h)) with (x, h) ~ p. Given x its two factors are
    independent: sum_h sqrt(p q) is sqrt(ptilde(x)), and so is the mean of sqrt(ptilde_M(x)), M's
    average of sqrt(w). So the mean is sum_x ptilde(x) = Z^2. The square's mean is sum_x of
    E ptilde_M(x) = p(x) / M + (1 - 1 / M) ptilde(x), as E w is p(x).
    """
    z2 = exact.log_z2.exp()
    return z2, 1.0 / INNER_SAMPLES + (1.0 - 1.0 / INNER_SAMPLES) * z2 - z2.square()


@pytest.mark.sampled
@pytest.mark.parametrize(("deterministic_layers", "spread"), [(0, 1.0), (1, 0.4)])
def test_the_estimate_of_z2_is_unbiased_with_any_number_of_samples(deterministic_layers, spread):
    model = a_network(SEEDS, deterministic_layers, spread)
    mean, _ = a_term_of_z2(enumerate_states(model.parameters))
    for samples in (2, 20):
        log_z2, _ = estimate_log_z2(model, samples, some_streams(SEEDS))
        assert_mean_within_standard_errors(log_z2.exp(), mean)


@pytest.mark.sampled
@pytest.mark.parametrize("samples", [8, 60])
def test_the_claimed_and_the_true_variance_of_z2_are_both_unbiased_for_the_exact_one(samples):
    """The claim on log Z^2 times the estimate of Z^2, squared, is a sample variance: no bias.

    1500 seeds of 60 terms pin the claim to about 2%, and the true spread to 4%. A claim 10% off is
    21% off in the square; with 8 terms, n in the place of n - 1 is 12% off.
    """
    model = a_network(SEEDS, spread=0.3)
    mean, variance = a_term_of_z2(enumerate_states(model.parameters))
    log_z2, claimed = estimate_log_z2(model, samples, some_streams(SEEDS))
    assert_mean_within_standard_errors((claimed * log_z2.exp()).square(), variance / samples)
    assert_mean_within_standard_errors((log_z2.exp() - mean).square(), variance / samples)


@pytest.mark.slow
def test_the_spread_of_log_z2_over_seeds_is_its_claimed_standard_error():
    """A chi-square test that a claim 10% too wide or too narrow does not pass.

    The squares of S z-scores have mean 1 and standard deviation sqrt(2), so a claim c times too
    wide shows as 1 / c^2: at S = 2500, 1.1 is 6.1 standard errors away and 1.13 is 7.7. Terms of
    skewness g widen n terms' z-scores by about (2 + 7/4 g^2) / n in the square; the parameters are
    so near their initial ones that g is 0.6 and this is 1.3%, half a standard error.
    """
    seeds, samples = 2500, 200
    model = a_network(seeds, spread=0.05)
    log_z2, claimed = estimate_log_z2(model, samples, some_streams(seeds))
    squares = ((log_z2 - enumerate_states(model.parameters).log_z2) / claimed).square()
    assert_within_standard_errors(squares.mean(), 1.0, torch.tensor((2.0 / seeds) ** 0.5))
    assert_mean_within_standard_errors(squares, torch.tensor(1.0))


def test_log_p_star_of_independent_parts_has_the_exact_value_as_its_mean():
    """A logarithm's bias is half its squared standard error, of one seed.

    That is the bias's share 14 / 2 * error of the standard error of the mean over 200 seeds: with
    0.04 a seed less than a third, and the biases of the two logarithms have opposite effects.
    """
    seeds, samples = 200, 600
    model = a_network(seeds, spread=0.2)
    log_p_tilde = estimate_log_p(model, SOME_X, samples, some_streams(seeds))["log_p_tilde"]
    log_z2, _ = estimate_log_z2(model, samples, some_streams(seeds, seed=1))
    assert log_p_tilde.std(0).max() < 0.04
    assert log_z2.std() < 0.04
    exact = enumerate_states(model.parameters).log_p_star[SOME_NUMBERS]
    assert_mean_within_standard_errors(log_p_tilde - log_z2.unsqueeze(1), exact)
