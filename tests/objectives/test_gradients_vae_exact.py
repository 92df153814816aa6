"""The gradients of the vae's bounds have the integrals' gradients as their means."""

import pytest
import torch

from gmm_study.objectives import VariationalBound
from tests.estimators.integration import (
    EVERY_X,
    an_autoencoder,
    exact_bound,
    exact_log_p,
    tensors_of,
)
from tests.networks import some_streams
from tests.z_tests import assert_every_mean_within_standard_errors

SEEDS = 2000
SOME_X = EVERY_X[[0, 5, 6, 14]]


def gradients(bound, samples, data, seeds=SEEDS):
    """What the objective adds to the gradient, `[R, P]`, every replicate an independent draw."""
    model = an_autoencoder(seeds)
    objective = VariationalBound(samples, bound)
    objective.add_gradient(model, data.expand(seeds, -1, -1), some_streams(seeds))
    return model.parameters.grad


def gradient_of(integral, data):
    """Autograd's gradient `[P]` of the mean over the data of `integral(tensors, data)`."""
    tensors = {name: t.requires_grad_() for name, t in tensors_of(an_autoencoder()).items()}
    found = torch.autograd.grad(
        integral(tensors, data).mean(),
        list(tensors.values()),
        allow_unused=True,
        materialize_grads=True,
    )
    return torch.cat([gradient.flatten() for gradient in found])


@pytest.mark.parametrize("samples", [1, 3])
def test_the_gradient_of_the_elbo_is_unbiased_with_any_number_of_samples(samples):
    truth = gradient_of(lambda tensors, data: exact_bound(tensors, data, 1), SOME_X)
    assert_every_mean_within_standard_errors(gradients("elbo", samples, SOME_X), truth)


@pytest.mark.parametrize("samples", [1, 2])
def test_the_gradient_of_the_importance_weighted_bound_is_that_of_its_integral(samples):
    def integral(tensors, data):
        return exact_bound(tensors, data, samples, points=501)

    truth = gradient_of(integral, SOME_X)
    assert_every_mean_within_standard_errors(gradients("iwae", samples, SOME_X), truth)


def test_with_many_samples_the_importance_weighted_gradient_is_that_of_log_p():
    """One datapoint, 200 seeds and K = 4000: a bias of order v / K and an error of sqrt(v / 200 K).

    Their ratio is sqrt(200 v / K), a fifth of sqrt(v), the relative deviation of a weight.
    """
    found = gradients("iwae", 4000, SOME_X[:1], seeds=200)
    assert_every_mean_within_standard_errors(found, gradient_of(exact_log_p, SOME_X[:1]))
