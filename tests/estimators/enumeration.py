"""Everything about a sigmoid belief network that is small enough to list all its states.

The sums over states are written here once, in float64, on the log-probabilities of the reference;
nothing is shared with the estimators under test.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from tests.reference import log_p_and_q

DIMS, SIZES = 4, (3, 2)


def all_states(units: int) -> Tensor:
    """Every binary vector of `units` entries, `[2^units, units]` in float64."""
    numbers = torch.arange(2**units).unsqueeze(1)
    return (numbers >> torch.arange(units) & 1).double()


def all_hidden_states(sizes=SIZES) -> list[Tensor]:
    """Every state of all latent layers, one `[H, n_l]` a layer."""
    return list(all_states(sum(sizes)).split(list(sizes), dim=1))


def a_network(repetitions=1, deterministic_layers=0, spread=0.4, seed=11, dtype=torch.float64):
    """A network far from its initial parameters, the same ones in every replicate.

    Equal replicates with streams of their own are independent repetitions of an estimate.
    """
    model = SigmoidBeliefNetwork(DIMS, SIZES, repetitions, deterministic_layers, dtype=dtype)
    model.initialise(RandomStreams(seed, [0] * repetitions, "initialisation"))
    noise = RandomStreams(seed, [0] * repetitions, "perturbation", dtype=dtype)
    model.parameters.flat += spread * noise.normal(model.parameters.flat.shape[1])
    return model


def some_streams(repetitions=1, seed=0, dtype=torch.float64) -> RandomStreams:
    return RandomStreams(seed, range(repetitions), "estimation", dtype=dtype)


@dataclass
class Enumeration:
    """log p(x, h) and log q(h | x) of every x `[X]` and every h `[H]`, and what follows."""

    data: Tensor
    log_joint: Tensor
    log_q: Tensor

    @property
    def log_p(self) -> Tensor:
        return self.log_joint.logsumexp(1)

    @property
    def log_p_tilde(self) -> Tensor:
        return 2.0 * (0.5 * (self.log_joint + self.log_q)).logsumexp(1)

    @property
    def log_z2(self) -> Tensor:
        return self.log_p_tilde.logsumexp(0)

    @property
    def log_p_star(self) -> Tensor:
        return self.log_p_tilde - self.log_z2

    @property
    def ess(self) -> Tensor:
        """(E_q w)^2 / E_q w^2 with w = p(x, h) / q(h | x)."""
        return (2.0 * self.log_p - (2.0 * self.log_joint - self.log_q).logsumexp(1)).exp()

    @property
    def ess_star(self) -> Tensor:
        """The same with sqrt(w): E_q w is p(x), (E_q sqrt w)^2 is ptilde(x)."""
        return (self.log_p_tilde - self.log_p).exp()


def enumerate_states(model: SigmoidBeliefNetwork, data: Tensor | None = None) -> Enumeration:
    """All hidden states under `data` `[X, D]`, or under every x, of the first replicate."""
    data = all_states(DIMS) if data is None else data.double()
    tensors = {name: model.parameters[name].double() for name in model.parameters}
    states = [data[:, None, :], *(layer[None, :, :] for layer in all_hidden_states())]
    layers_inside = len(model.generative[0].sizes) - 1
    return Enumeration(data, *log_p_and_q(tensors, states, 0, layers_inside))


def assert_within_standard_errors(estimate, truth, standard_error, limit=4.0):
    """A z-test; the tolerance is the estimate's own standard error."""
    assert (standard_error > 0).all()
    scores = (estimate - truth) / standard_error
    assert (scores.abs() < limit).all(), f"z-scores {scores}"


def assert_mean_within_standard_errors(repetitions, truth, limit=4.0):
    """A z-test of the mean over the leading dimension, its error from the repetitions."""
    error = repetitions.std(0) / len(repetitions) ** 0.5
    assert_within_standard_errors(repetitions.mean(0), truth, error, limit)
