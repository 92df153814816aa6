"""The truth about small belief networks: sums over all states, and gradients by autograd.

docs/spec.md#objectives and docs/spec.md#estimators are written down literally, in float64, with
`torch.distributions`. Nothing is shared with the code under test but the names and shapes of the
parameters. Where `parameters` are tensors that autograd follows, so are the results.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Bernoulli


class Named(Protocol):
    """Tensors `[R, *shape]` by name: a model's parameters, or a mapping of tensors."""

    def __getitem__(self, name: str) -> Tensor: ...

    def __iter__(self) -> Iterable[str]: ...


def all_states(units: int) -> Tensor:
    """Every binary vector, `[2^units, units]` in float64; unit i is bit i of the row's number."""
    return (torch.arange(2**units).unsqueeze(1) >> torch.arange(units) & 1).double()


def numbers_of(states: Tensor) -> Tensor:
    """The row of each state `[..., n]` in `all_states`."""
    return (states.long() << torch.arange(states.shape[-1])).sum(-1)


def leaf_tensors(parameters: Named) -> dict[str, Tensor]:
    """Copies of the parameters that autograd follows."""
    return {name: parameters[name].clone().requires_grad_() for name in parameters}


def log_p_and_q(
    parameters: Named, states: list[Tensor], replicate: int = 0, probability_clip: float = 0.0
) -> tuple[Tensor, Tensor]:
    """log p(x, h) and log q(h | x) of one replicate, of states `[..., n]` from data to top."""
    tensors = {name: parameters[name][replicate].double() for name in parameters}

    def log_prob(logits: Tensor, state: Tensor) -> Tensor:
        if probability_clip:
            probabilities = logits.sigmoid().clamp(probability_clip, 1.0 - probability_clip)
            return Bernoulli(probabilities).log_prob(state).sum(-1)
        return Bernoulli(logits=logits).log_prob(state).sum(-1)

    log_p, log_q = log_prob(tensors["generative.top.logits"], states[-1]), torch.zeros(())
    for layer, (below, above) in enumerate(pairwise(states)):
        log_p = log_p + log_prob(_logits(tensors, f"generative.{layer}", above), below)
        log_q = log_q + log_prob(_logits(tensors, f"inference.{layer}", below), above)
    return log_p, log_q


def _logits(tensors: Mapping[str, Tensor], conditional: str, state: Tensor) -> Tensor:
    """Affine maps with tanh between them."""
    last = sum(name.startswith(f"{conditional}.") for name in tensors) // 2 - 1
    for layer in range(last + 1):
        weight = tensors[f"{conditional}.{layer}.weight"]
        state = state @ weight + tensors[f"{conditional}.{layer}.bias"]
        state = state.tanh() if layer < last else state
    return state


@dataclass
class Enumeration:
    """log p(x, h) and log q(h | x) of every x `[X]` and every h `[H]`, and what follows."""

    data: Tensor
    hidden: list[Tensor]
    """Every state of the latent layers, one `[H, n_l]` per layer."""
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
        """Right only if every x is there, and so are `log_p_star` and `joint_star`."""
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
        """(E_q sqrt w)^2 / E_q w."""
        return (self.log_p_tilde - self.log_p).exp()

    @property
    def posterior(self) -> Tensor:
        """p(h | x), `[X, H]`."""
        return self.log_joint.softmax(1)

    @property
    def geometric_mean(self) -> Tensor:
        """p*(h | x), proportional to sqrt(p(x, h) q(h | x)), `[X, H]`."""
        return (0.5 * (self.log_joint + self.log_q)).softmax(1)

    @property
    def joint_star(self) -> Tensor:
        """p*(x, h), `[X, H]`."""
        return self.log_p_star.exp().unsqueeze(1) * self.geometric_mean


def enumerate_states(
    parameters: Named,
    data: Tensor | None = None,
    replicate: int = 0,
    probability_clip: float = 0.0,
) -> Enumeration:
    """All latent states of one replicate under `data` `[X, D]`, or under every x."""
    downwards = [name for name in parameters if re.fullmatch(r"generative\.\d+\.0\.weight", name)]
    sizes = [parameters[name].shape[-2] for name in downwards]
    data = all_states(parameters["inference.0.0.weight"].shape[-2]) if data is None else data
    hidden = list(all_states(sum(sizes)).split(sizes, dim=1))
    states = [data.double()[:, None, :], *(layer[None, :, :] for layer in hidden)]
    return Enumeration(
        data.double(), hidden, *log_p_and_q(parameters, states, replicate, probability_clip)
    )


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


def gmm_surrogate(parameters: Named, states: list[Tensor], beta: float) -> Tensor:
    """What autograd ascends for gmm, given sampled states `[R, B, K, n]`: a sum over replicates."""
    total = torch.zeros(())
    for replicate in range(len(states[0])):
        log_p, log_q = log_p_and_q(parameters, [state[replicate] for state in states], replicate)
        weights = ((log_p - log_q) / 2).softmax(1).detach()
        total = total + (weights * log_p + (weights - beta) * log_q).sum(1).mean()
    return total


def rws_surrogate(
    parameters: Named, states: list[Tensor], dream: list[Tensor], beta: float
) -> Tensor:
    """What autograd ascends for rws: wake update of p, half wake and half sleep update of q."""
    total = torch.zeros(())
    for replicate in range(len(states[0])):
        log_p, log_q = log_p_and_q(parameters, [state[replicate] for state in states], replicate)
        weights = (log_p - log_q).softmax(1).detach()
        total = total + (weights * log_p + 0.5 * (weights - beta) * log_q).sum(1).mean()
        _, log_q = log_p_and_q(parameters, [state[replicate] for state in dream], replicate)
        total = total + 0.5 * log_q.mean()
    return total
