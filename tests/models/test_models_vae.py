"""The vae's networks in every variant, against a second computation datapoint by datapoint."""

from itertools import product

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from gmm_study.models import RandomStreams, VariationalAutoencoder
from gmm_study.models import vae as module
from gmm_study.objectives import VariationalBound
from tests.networks import some_streams
from tests.oracle import all_states, leaf_tensors

DIMS, SIZES, SAMPLES = 4, (5, 3, 2), 3
EVERY_X = all_states(DIMS)
FUNCTIONS = {
    "relu": lambda state: state.clamp(min=0.0),
    "tanh": lambda state: 1.0 - 2.0 / ((2.0 * state).exp() + 1.0),
    "logistic": lambda state: 1.0 / (1.0 + (-state).exp()),
}
VARIANTS = list(product(FUNCTIONS, ("mirrored", "same"), ("log_variance", "log_sigma")))


def an_autoencoder(activation="relu", decoder_order="mirrored", encoder_output="log_variance"):
    """One far from its initial parameters."""
    options = {
        "activation": activation,
        "decoder_order": decoder_order,
        "encoder_output": encoder_output,
    }
    model = VariationalAutoencoder(DIMS, SIZES, 1, dtype=torch.float64, **options)
    noise = RandomStreams(5, [0], "perturbation", dtype=torch.float64)
    model.parameters.flat += 0.4 * noise.normal(model.parameters.flat.shape[1])
    return model


def network(tensors, name, state, activation):
    """The output for one input vector."""
    for layer in range(len(SIZES)):
        weight, bias = tensors[f"{name}.{layer}.weight"][0], tensors[f"{name}.{layer}.bias"][0]
        state = weight.T @ state + bias
        if layer < len(SIZES) - 1:
            state = FUNCTIONS[activation](state)
    return state


def posterior(tensors, x, activation, encoder_output):
    mean, scale = network(tensors, "encoder", x, activation).chunk(2)
    return Normal(mean, scale.exp() if encoder_output == "log_sigma" else scale.exp().sqrt())


def log_weights(tensors, noise, activation="relu", encoder_output="log_variance"):
    """log p(x, z_k) - log q(z_k | x) of every x with its noise `[X, K, Z]`: `[X, K]`."""
    found = []
    for x, draws in zip(EVERY_X, noise, strict=True):
        q = posterior(tensors, x, activation, encoder_output)
        for draw in draws:
            z = q.mean + q.stddev * draw
            logits = network(tensors, "decoder", z, activation)
            log_p = Bernoulli(logits=logits).log_prob(x).sum() + Normal(0, 1).log_prob(z).sum()
            found.append(log_p - q.log_prob(z).sum())
    return torch.stack(found).view(noise.shape[:2])


def noise_of(samples):
    """The noise that the model draws from the streams of a test."""
    return some_streams().normal(len(EVERY_X), samples, SIZES[-1])[0]


@pytest.mark.parametrize(("activation", "order", "output"), VARIANTS)
def test_log_weights_of_every_variant_are_those_of_plain_networks(activation, order, output):
    model = an_autoencoder(activation, order, output)
    found = model.log_weights(EVERY_X.unsqueeze(0), SAMPLES, some_streams())
    expected = log_weights(model.parameters, noise_of(SAMPLES), activation, output)
    torch.testing.assert_close(found[0], expected)


@pytest.mark.parametrize(("activation", "order", "output"), VARIANTS)
def test_the_kl_divergence_of_every_variant_is_that_of_torchs_distributions(
    activation, order, output
):
    model = an_autoencoder(activation, order, output)
    found = module.kl_divergence(model.encode(EVERY_X.unsqueeze(0), 1, some_streams()))
    prior = Normal(torch.zeros(SIZES[-1]).double(), torch.ones(SIZES[-1]).double())
    expected = [
        kl_divergence(posterior(model.parameters, x, activation, output), prior).sum()
        for x in EVERY_X
    ]
    torch.testing.assert_close(found[0], torch.stack(expected))


@pytest.mark.parametrize(("activation", "order", "output"), VARIANTS)
def test_means_of_samples_of_the_prior_are_those_of_the_plain_decoder(activation, order, output):
    model = an_autoencoder(activation, order, output)
    found = model.generate_means(7, some_streams())
    draws = some_streams().normal(7, 1, SIZES[-1])[0, :, 0]
    expected = [network(model.parameters, "decoder", z, activation).sigmoid() for z in draws]
    torch.testing.assert_close(found[0], torch.stack(expected))


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 10, 50])
def test_the_importance_weighted_bound_and_its_gradient_are_those_of_its_paper_at_every_k(samples):
    """The gradient is that of sum_k w_k log w_k with constant normalised weights, equation 14."""
    model, data = an_autoencoder(), EVERY_X.unsqueeze(0)
    bound = VariationalBound(samples, "iwae").add_gradient(model, data, some_streams())
    tensors = leaf_tensors(model.parameters)
    expected = log_weights(tensors, noise_of(samples))
    mean_weight = expected.detach().exp().mean(1)
    torch.testing.assert_close(bound[0], mean_weight.log())
    weights = expected.detach().exp() / (samples * mean_weight.unsqueeze(1))
    torch.autograd.backward((weights * expected).sum(1).mean())
    for name, tensor in tensors.items():
        torch.testing.assert_close(model.parameters.gradient(name), tensor.grad, msg=name)
