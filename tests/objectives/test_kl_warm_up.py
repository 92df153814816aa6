"""While the KL divergence warms up, the gradient has its weight, and the bounds have it whole."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from gmm_study.objectives import VariationalBound
from tests.estimators.integration import EVERY_X, an_autoencoder, log_joint, posterior
from tests.networks import some_streams
from tests.oracle import leaf_tensors

WARM_UP, SAMPLES = 4, 3
WEIGHTS = {1: 0.0, 2: 0.25, 3: 0.5, 4: 0.75, 5: 1.0, 6: 1.0, 100: 1.0}


def added(objective, epoch=None):
    """The gradient that an objective adds in an epoch, and the bound that it returns."""
    model = an_autoencoder()
    if epoch is not None:
        objective.begin_epoch(epoch)
    bound = objective.add_gradient(model, EVERY_X.unsqueeze(0), some_streams())
    return model.parameters.grad[0], bound


def weighted_gradient(weight, bound="elbo"):
    """Autograd's gradient of a bound with the weight at the divergence, from torch's densities."""
    leaves = leaf_tensors(an_autoencoder().parameters)
    tensors = {name: leaf[0] for name, leaf in leaves.items()}
    noise = some_streams().normal(len(EVERY_X), SAMPLES, 1)[0, :, :, 0]
    q, prior = posterior(tensors, EVERY_X), Normal(torch.zeros(()).double(), 1.0)
    z = q.mean.unsqueeze(1) + q.stddev.unsqueeze(1) * noise
    log_likelihood = log_joint(tensors, EVERY_X, z) - prior.log_prob(z)
    if bound == "iwae":
        ratio = prior.log_prob(z) - Normal(q.mean[:, None], q.stddev[:, None]).log_prob(z)
        ascended = torch.logsumexp(log_likelihood + weight * ratio, 1)
    else:
        ascended = log_likelihood.mean(1) - weight * kl_divergence(q, prior)
    gradients = torch.autograd.grad(ascended.mean(), list(leaves.values()))
    return torch.cat([each.flatten() for each in gradients])


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
@pytest.mark.parametrize(("epoch", "weight"), WEIGHTS.items())
def test_the_weight_rises_linearly_from_0_in_the_first_epoch_to_1(epoch, weight, bound):
    found, _ = added(VariationalBound(SAMPLES, bound, WARM_UP), epoch)
    torch.testing.assert_close(found, weighted_gradient(weight, bound))


def test_a_new_objective_is_in_its_first_epoch():
    found, _ = added(VariationalBound(SAMPLES, kl_warm_up_epochs=WARM_UP))
    torch.testing.assert_close(found, weighted_gradient(0.0))


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
@pytest.mark.parametrize("epoch", [1, 3, 9])
def test_training_and_validation_report_the_bound_with_the_whole_divergence(epoch, bound):
    plain, warming = VariationalBound(SAMPLES, bound), VariationalBound(SAMPLES, bound, WARM_UP)
    assert torch.equal(added(warming, epoch)[1], added(plain)[1])
    data = EVERY_X.unsqueeze(0)
    found = warming.estimates(an_autoencoder(), data, some_streams())
    for name, value in plain.estimates(an_autoencoder(), data, some_streams()).items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_after_the_warm_up_the_gradient_is_that_without_one_to_the_last_bit(bound):
    found, _ = added(VariationalBound(SAMPLES, bound, WARM_UP), WARM_UP + 1)
    assert torch.equal(found, added(VariationalBound(SAMPLES, bound))[0])
