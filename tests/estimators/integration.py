"""A variational autoencoder with one latent dimension, by integration over a grid.

Written on plain tensors that autograd may follow, and with the noise as the variable of
integration: z = mean + noise * deviation, whose gradient is the reparametrised one.
"""

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from gmm_study.models import RandomStreams, VariationalAutoencoder
from tests.oracle import all_states

DIMS, SIZES = 4, (5, 1)
EVERY_X = all_states(DIMS)


def an_autoencoder(repetitions=1):
    """One far from its initial parameters, the same ones in every replicate."""
    model = VariationalAutoencoder(DIMS, SIZES, repetitions, dtype=torch.float64)
    noise = RandomStreams(21, [0] * repetitions, "perturbation", dtype=torch.float64)
    model.parameters.flat += 0.3 * noise.normal(model.parameters.flat.shape[1])
    return model


def tensors_of(model) -> dict[str, Tensor]:
    """The first replicate's parameters."""
    return {name: model.parameters[name][0].clone() for name in model.parameters}


def posterior(tensors, data) -> Normal:
    """q(z | x) of every row."""
    mean, log_variance = _network(tensors, "encoder", data).T
    return Normal(mean, (0.5 * log_variance).exp())


def log_joint(tensors, data, z) -> Tensor:
    """log p(x, z) of every row with its own z, `[X, N]`."""
    logits = _network(tensors, "decoder", z.unsqueeze(2))
    log_likelihood = Bernoulli(logits=logits).log_prob(data[:, None, :]).sum(2)
    return log_likelihood + Normal(0.0, 1.0).log_prob(z)


def exact_log_p(tensors, data) -> Tensor:
    """log of the integral of p(x, z) over z, `[X]`."""
    grid = torch.linspace(-14.0, 14.0, 8001, dtype=torch.float64)
    return torch.trapezoid(log_joint(tensors, data, grid.expand(len(data), -1)).exp(), grid).log()


def exact_bound(tensors, data, samples, points=8001) -> Tensor:
    """Mean over noise of log (1 / K) sum_k p(x, z_k) / q(z_k | x), `[X]`, for K = 1 or 2.

    K = 1 is the evidence lower bound. The relu's kinks leave an error of the order of the squared
    distance of the grid's points.
    """
    noise = torch.linspace(-8.0, 8.0, points, dtype=torch.float64)
    density = Normal(0.0, 1.0).log_prob(noise).exp() * (noise[1] - noise[0])
    q = posterior(tensors, data)
    z = q.mean.unsqueeze(1) + q.stddev.unsqueeze(1) * noise
    log_q = Normal(q.mean.unsqueeze(1), q.stddev.unsqueeze(1)).log_prob(z)
    log_weights = log_joint(tensors, data, z) - log_q
    if samples == 1:
        return log_weights @ density
    pairs = torch.logaddexp(log_weights.unsqueeze(2), log_weights.unsqueeze(1))
    return (pairs @ density) @ density - torch.log(torch.tensor(2.0, dtype=torch.float64))


def _network(tensors, name, state) -> Tensor:
    """Two affine maps with a relu between."""
    hidden = torch.relu(state @ tensors[f"{name}.0.weight"] + tensors[f"{name}.0.bias"])
    return hidden @ tensors[f"{name}.1.weight"] + tensors[f"{name}.1.bias"]
