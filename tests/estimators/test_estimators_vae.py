"""A variational autoencoder with one latent dimension, against integration over a grid."""

import pytest
import torch
from torch.distributions import Normal

from gmm_study.estimators import estimate_bound, estimate_log_p
from gmm_study.objectives import VariationalBound
from tests.estimators.integration import (
    EVERY_X,
    an_autoencoder,
    exact_bound,
    exact_log_p,
    log_joint,
    posterior,
    tensors_of,
)
from tests.networks import some_streams
from tests.z_tests import assert_mean_within_standard_errors, assert_within_standard_errors

SOME_X = EVERY_X[[0, 5, 6, 14]]


def test_log_weights_are_the_log_ratio_of_the_joint_and_the_posterior_density():
    model = an_autoencoder()
    found = model.log_weights(EVERY_X.unsqueeze(0), 3, some_streams())
    noise = some_streams().normal(len(EVERY_X), 3, 1)[0, :, :, 0]
    q = posterior(tensors_of(model), EVERY_X)
    mean, deviation = q.mean.unsqueeze(1), q.stddev.unsqueeze(1)
    z = mean + deviation * noise
    expected = log_joint(tensors_of(model), EVERY_X, z) - Normal(mean, deviation).log_prob(z)
    torch.testing.assert_close(found[0], expected)


def test_many_samples_give_the_integrated_log_likelihood():
    model, samples = an_autoencoder(), 20_000
    found = estimate_log_p(model, EVERY_X, samples, some_streams(), 9999)
    error = ((1.0 / found["ess"] - 1.0) / samples).sqrt()
    assert_within_standard_errors(
        found["log_p"][0], exact_log_p(tensors_of(model), EVERY_X), error[0]
    )


def test_the_mean_of_a_few_weights_is_unbiased_for_the_likelihood():
    model = an_autoencoder(2000)
    found = estimate_log_p(model, EVERY_X, 5, some_streams(2000))
    assert_mean_within_standard_errors(
        found["log_p"].exp(), exact_log_p(tensors_of(model), EVERY_X).exp()
    )


@pytest.mark.parametrize("samples", [1, 7])
def test_the_elbo_with_its_analytic_kl_is_unbiased_and_below_the_log_likelihood(samples):
    model = an_autoencoder(600)
    exact = exact_bound(tensors_of(model), EVERY_X, 1)
    bound = estimate_bound(VariationalBound(samples), model, EVERY_X, some_streams(600))["bound"]
    assert_mean_within_standard_errors(bound, exact)
    assert (exact < exact_log_p(tensors_of(model), EVERY_X)).all()


def test_the_importance_weighted_bound_rises_from_the_elbo_to_the_log_likelihood():
    model = an_autoencoder(600)
    tensors = tensors_of(model)
    elbo, log_p = exact_bound(tensors, EVERY_X, 1), exact_log_p(tensors, EVERY_X)
    means = []
    for samples in (1, 5, 50):
        objective = VariationalBound(samples, "iwae")
        bound = estimate_bound(objective, model, EVERY_X, some_streams(600))["bound"]
        error = bound.std(0) / 600**0.5
        assert (bound.mean(0) > elbo - 4.0 * error).all()
        assert (bound.mean(0) < log_p + 4.0 * error).all()
        means.append(bound.mean())
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize("samples", [1, 2])
def test_the_importance_weighted_bound_has_the_mean_of_the_integral_over_k_samples(samples):
    """The integral's error, some 1e-4, is far below the standard errors."""
    model = an_autoencoder(2000)
    objective = VariationalBound(samples, "iwae")
    bound = estimate_bound(objective, model, SOME_X, some_streams(2000))["bound"]
    expected = exact_bound(tensors_of(model), SOME_X, samples, points=801)
    assert_mean_within_standard_errors(bound, expected)
