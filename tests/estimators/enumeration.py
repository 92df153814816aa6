"""Everything about a sigmoid belief network that is small enough to list all its states.

The sums over states are written here once, in float64, on the log-probabilities of the reference;
nothing is shared with the estimators under test, nor with the exact values of the package.
"""

from collections.abc import Callable
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


def a_network(
    repetitions=1,
    deterministic_layers=0,
    spread=0.4,
    seed=11,
    dtype=torch.float64,
    dims=DIMS,
    sizes=SIZES,
    **options,
):
    """A network far from its initial parameters, the same ones in every replicate.

    Equal replicates with streams of their own are independent repetitions of an estimate.
    """
    model = SigmoidBeliefNetwork(
        dims, sizes, repetitions, deterministic_layers, dtype=dtype, **options
    )
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
        """Of use only if every x is there; so is `log_p_star`."""
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
    tensors = {name: model.parameters[name].double() for name in model.parameters}
    return enumerate_tensors(model, tensors, data)


def enumerate_tensors(
    model: SigmoidBeliefNetwork, tensors: dict[str, Tensor], data: Tensor | None = None
) -> Enumeration:
    """The same with other tensors in the place of the model's, which autograd may follow."""
    sizes = [conditional.sizes[-1] for conditional in model.inference]
    data = all_states(model.inference[0].sizes[0]) if data is None else data.double()
    states = [data[:, None, :], *(layer[None, :, :] for layer in all_hidden_states(sizes))]
    layers_inside = len(model.generative[0].sizes) - 1
    return Enumeration(data, *log_p_and_q(tensors, states, 0, layers_inside))


@dataclass
class Draws:
    """Every K-tuple of hidden states that q can draw for every x, T of them."""

    states: Tensor
    """Numbers of the states, `[T, K]`."""
    log_weights: Tensor
    """log p(x, h_k) - log q(h_k | x), `[X, T, K]`."""
    probabilities: Tensor
    """q(h_1 | x) ... q(h_K | x), `[X, T]`."""

    def mean(self, statistic: Callable[[Tensor], Tensor]) -> Tensor:
        """The exact mean `[X]` of a statistic of the K log-weights, `[X, T, K]` to `[X, T]`."""
        return (self.probabilities * statistic(self.log_weights)).sum(1)

    def mean_weights(self, weigh: Callable[[Tensor], Tensor], hidden_states: int) -> Tensor:
        """The exact mean `[X, H]` of the total weight that each hidden state gets in a draw."""
        weights = self.probabilities.unsqueeze(2) * weigh(self.log_weights)
        totals = weights.new_zeros(len(weights), hidden_states)
        return totals.index_add_(1, self.states.flatten(), weights.flatten(1))


def every_draw(exact: Enumeration, samples: int) -> Draws:
    """All H^K draws of K hidden states: what a K-sample estimate is an average over."""
    numbers = torch.arange(exact.log_q.shape[1])
    states = torch.cartesian_prod(*[numbers] * samples).view(-1, samples)
    log_weights = (exact.log_joint - exact.log_q)[:, states]
    return Draws(states, log_weights, exact.log_q[:, states].sum(2).exp())


def assert_within_standard_errors(estimate, truth, standard_error, limit=4.0):
    """A z-test; the tolerance is the estimate's own standard error."""
    assert (standard_error > 0).all()
    scores = (estimate - truth) / standard_error
    assert (scores.abs() < limit).all(), f"z-scores {scores}"


def assert_mean_within_standard_errors(repetitions, truth, limit=4.0):
    """A z-test of the mean over the leading dimension, its error from the repetitions."""
    error = repetitions.std(0) / len(repetitions) ** 0.5
    assert_within_standard_errors(repetitions.mean(0), truth, error, limit)


def assert_every_mean_within_standard_errors(repetitions, truth, limit=4.0):
    """The same entry by entry, `[repetitions, entries]`; what never varies must be the truth.

    Each entry is held to 4 standard errors by itself. By chance one entry in 16,000 lies outside,
    so a test of a hundred entries fails for 6 in 1,000 choices of its seed; seeds are fixed, and
    the limit is not widened for the number of entries.
    """
    varies = repetitions.std(0) > 1e-12 * repetitions.abs().amax(0)
    torch.testing.assert_close(repetitions[0][~varies], truth[~varies], rtol=0.0, atol=1e-12)
    if varies.any():
        assert_mean_within_standard_errors(repetitions[:, varies], truth[varies], limit)
