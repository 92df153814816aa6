"""A variational autoencoder with one latent dimension, against integration over a grid."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from gmm_study.estimators import estimate_bound, estimate_log_p
from gmm_study.models import RandomStreams, VariationalAutoencoder
from gmm_study.objectives import VariationalBound
from tests.estimators.enumeration import (
    all_states,
    assert_mean_within_standard_errors,
    assert_within_standard_errors,
)

DIMS, SIZES = 4, (5, 1)
EVERY_X = all_states(DIMS)
GRID = torch.linspace(-14.0, 14.0, 8001, dtype=torch.float64)


def an_autoencoder(repetitions=1):
    model = VariationalAutoencoder(DIMS, SIZES, repetitions, dtype=torch.float64)
    noise = RandomStreams(21, [0] * repetitions, "perturbation", dtype=torch.float64)
    model.parameters.flat += 0.3 * noise.normal(model.parameters.flat.shape[1])
    return model


def some_streams(repetitions=1, seed=0):
    return RandomStreams(seed, range(repetitions), "estimation", dtype=torch.float64)


def network(model, name, state):
    """Two affine maps with a relu between, of the first replicate."""
    tensors = {key: model.parameters[key][0] for key in model.parameters}
    hidden = torch.relu(state @ tensors[f"{name}.0.weight"] + tensors[f"{name}.0.bias"])
    return hidden @ tensors[f"{name}.1.weight"] + tensors[f"{name}.1.bias"]


def posterior(model) -> Normal:
    mean, log_variance = network(model, "encoder", EVERY_X).T
    return Normal(mean, (0.5 * log_variance).exp())


def log_likelihood(model, z: Tensor) -> Tensor:
    """log p(x | z) of every x and every z of `[N]`, `[X, N]`."""
    logits = network(model, "decoder", z.unsqueeze(1))
    return Bernoulli(logits=logits).log_prob(EVERY_X[:, None, :]).sum(2)


def exact_log_p(model) -> Tensor:
    log_joint = log_likelihood(model, GRID) + Normal(0.0, 1.0).log_prob(GRID)
    return torch.trapezoid(log_joint.exp(), GRID).log()


def exact_elbo(model) -> Tensor:
    q = posterior(model)
    log_q = torch.stack([q.log_prob(z) for z in GRID], dim=1)
    log_joint = log_likelihood(model, GRID) + Normal(0.0, 1.0).log_prob(GRID)
    return torch.trapezoid(log_q.exp() * (log_joint - log_q), GRID)


def test_log_weights_are_the_log_ratio_of_the_joint_and_the_posterior_density():
    model = an_autoencoder()
    found = model.log_weights(EVERY_X.unsqueeze(0), 3, some_streams())
    noise = some_streams().normal(len(EVERY_X), 3, 1)[0, :, :, 0]
    q = posterior(model)
    for k in range(3):
        z = q.mean + q.stddev * noise[:, k]
        log_joint = log_likelihood(model, z).diagonal() + Normal(0.0, 1.0).log_prob(z)
        torch.testing.assert_close(found[0, :, k], log_joint - q.log_prob(z))


def test_many_samples_give_the_integrated_log_likelihood():
    model, samples = an_autoencoder(), 20_000
    found = estimate_log_p(model, EVERY_X, samples, some_streams(), 9999)
    error = ((1.0 / found["ess"] - 1.0) / samples).sqrt()
    assert_within_standard_errors(found["log_p"][0], exact_log_p(model), error[0])


def test_the_mean_of_a_few_weights_is_unbiased_for_the_likelihood():
    model = an_autoencoder(2000)
    found = estimate_log_p(model, EVERY_X, 5, some_streams(2000))
    assert_mean_within_standard_errors(found["log_p"].exp(), exact_log_p(model).exp())


@pytest.mark.parametrize("samples", [1, 7])
def test_the_elbo_with_its_analytic_kl_is_unbiased_and_below_the_log_likelihood(samples):
    model = an_autoencoder(600)
    exact = exact_elbo(model)
    bound = estimate_bound(VariationalBound(samples), model, EVERY_X, some_streams(600))["bound"]
    assert_mean_within_standard_errors(bound, exact)
    assert (exact < exact_log_p(model)).all()


def test_the_importance_weighted_bound_rises_from_the_elbo_to_the_log_likelihood():
    model = an_autoencoder(600)
    elbo, log_p = exact_elbo(model), exact_log_p(model)
    means = []
    for samples in (1, 5, 50):
        objective = VariationalBound(samples, "iwae")
        bound = estimate_bound(objective, model, EVERY_X, some_streams(600))["bound"]
        error = bound.std(0) / 600**0.5
        assert (bound.mean(0) > elbo - 4.0 * error).all()
        assert (bound.mean(0) < log_p + 4.0 * error).all()
        means.append(bound.mean())
    assert means[0] < means[1] < means[2]


def test_one_sample_of_the_importance_weighted_bound_has_the_elbo_as_its_mean():
    model = an_autoencoder(600)
    objective = VariationalBound(1, "iwae")
    bound = estimate_bound(objective, model, EVERY_X, some_streams(600))["bound"]
    assert_mean_within_standard_errors(bound, exact_elbo(model))
