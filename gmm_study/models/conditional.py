"""A Bernoulli layer given another layer: logits, log-probability, and the gradient by hand.

A binary state is `[R, B, S, n]`: R replicates, B datapoints, S samples a datapoint. S is 1 for the
data themselves, so that what depends on the data alone is computed on B rows and not on B * K.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt

import torch
from torch import Tensor

from gmm_study.models.parameters import Parameters
from gmm_study.models.streams import RandomStreams

MOST_FACTORS = 100
"""Factors in [1/2, 1] whose product is surely a normal number in single precision."""


@dataclass
class Activations:
    """One pass through a conditional, and what its gradient needs: all `[R, B, S, n]`."""

    inputs: list[Tensor]
    """The input of every layer of the network: the state itself, then tanh layers."""
    logits: Tensor
    probabilities: Tensor
    unclipped: Tensor | None = None
    """Where the logits are inside their limits, if there are any: no gradient flows elsewhere."""

    @classmethod
    def of(
        cls, logits: Tensor, inputs: Sequence[Tensor] = (), probability_clip: float = 0.0
    ) -> "Activations":
        """From logits; probabilities are kept in [clip, 1 - clip]."""
        unclipped = None
        if probability_clip:
            limit = log((1.0 - probability_clip) / probability_clip)
            unclipped = logits.abs() < limit
            logits = logits.clamp(-limit, limit)
        return cls(list(inputs), logits, logits.sigmoid(), unclipped)

    def log_prob(self, target: Tensor) -> Tensor:
        """log p(target | state) in nats, `[R, B, K]`; one row of either serves all samples."""
        likelier = torch.maximum(self.probabilities, 1.0 - self.probabilities)
        agreement = _row_products(target, self.logits)
        return agreement - self.logits.relu().sum(3) + log_product(likelier)

    def sample(self, samples: int, streams: RandomStreams) -> Tensor:
        """Binary states `[R, B, S, n]`; one row a datapoint serves `samples` of them."""
        _, datapoints, rows, units = self.logits.shape
        return streams.uniform(datapoints, max(rows, samples), units).lt_(self.probabilities)

    def stop_clipped(self, delta: Tensor) -> Tensor:
        """The gradient with respect to the logits before they were clipped."""
        return delta if self.unclipped is None else delta * self.unclipped


class BernoulliConditional:
    """`Bernoulli(sigmoid(f(state)))`, f an affine map with tanh hidden layers before it if asked.

    The states are constants to the gradient, so each conditional's gradient is the delta rule:
    input times (target - probability), weighted a sample. Probabilities are kept in
    [probability_clip, 1 - probability_clip].
    """

    def __init__(
        self,
        name: str,
        inputs: int,
        outputs: int,
        deterministic_layers: int = 0,
        probability_clip: float = 0.0,
    ) -> None:
        hidden = [(inputs + outputs) // 2] * deterministic_layers
        self.name = name
        self.sizes = [inputs, *hidden, outputs]
        self.probability_clip = probability_clip

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its parameters, without the replicate dimension."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (fan_in, fan_out) in enumerate(self._fans()):
            shapes[f"{self.name}.{layer}.weight"] = (fan_in, fan_out)
            shapes[f"{self.name}.{layer}.bias"] = (fan_out,)
        return shapes

    def initialise(
        self, parameters: Parameters, streams: RandomStreams, rule: str, bias: float
    ) -> None:
        """Weights uniform in +- sqrt(6 / (fan_in + fan_out)), `authors` divides that by fan_in."""
        for layer, (fan_in, fan_out) in enumerate(self._fans()):
            glorot = sqrt(6.0 / (fan_in + fan_out))
            scale = {"authors": glorot / fan_in, "glorot": glorot}[rule]
            weight = parameters[f"{self.name}.{layer}.weight"]
            draws = streams.uniform(fan_in, fan_out).to(weight.device)
            weight.copy_((2.0 * draws - 1.0) * scale)
            parameters[f"{self.name}.{layer}.bias"].fill_(bias)

    def __call__(self, parameters: Parameters, state: Tensor) -> Activations:
        """Logits and probabilities `[R, B, S, n_out]` given a state `[R, B, S, n_in]`."""
        inputs = [state]
        for layer in range(len(self.sizes) - 2):
            inputs.append(self._affine(parameters, layer, inputs[-1]).tanh_())
        logits = self._affine(parameters, len(self.sizes) - 2, inputs[-1])
        return Activations.of(logits, inputs, self.probability_clip)

    def add_gradient(
        self, parameters: Parameters, activations: Activations, target: Tensor, weights: Tensor
    ) -> None:
        """Add the gradient of `sum_bk weights_bk log p(target_bk | state_bk)`.

        `target` is `[R, B, S, n_out]`, `weights` `[R, B, K]`.
        """
        probabilities = activations.probabilities
        last = len(self.sizes) - 2
        state = activations.inputs[last]
        if state.shape[2] < weights.shape[2]:  # one row a datapoint serves all its samples
            expected = weights.unsqueeze(2) @ target
            delta = expected - weights.sum(2)[..., None, None] * probabilities
            delta = activations.stop_clipped(delta)
            self._add_affine(parameters, last, state, delta)
        elif last > 0 or self.sizes[last] > self.sizes[last + 1]:
            delta = activations.stop_clipped(target - probabilities).mul_(weights.unsqueeze(3))
            self._add_affine(parameters, last, state, delta)
        else:  # weight the narrower side of the outer product
            residual = activations.stop_clipped(target - probabilities)
            self._add_affine(parameters, last, state * weights.unsqueeze(3), residual, weights)
        for layer in range(last, 0, -1):
            weight = parameters[f"{self.name}.{layer}.weight"]
            hidden = activations.inputs[layer]
            delta = _rows(delta) @ weight.transpose(1, 2)
            delta = (delta * (1.0 - _rows(hidden).square())).view_as(hidden)
            self._add_affine(parameters, layer - 1, activations.inputs[layer - 1], delta)

    def _fans(self) -> list[tuple[int, int]]:
        return list(pairwise(self.sizes))

    def _affine(self, parameters: Parameters, layer: int, state: Tensor) -> Tensor:
        weight = parameters[f"{self.name}.{layer}.weight"]
        bias = parameters[f"{self.name}.{layer}.bias"]
        return affine(state, weight, bias)

    def _add_affine(
        self,
        parameters: Parameters,
        layer: int,
        state: Tensor,
        delta: Tensor,
        bias_weights: Tensor | None = None,
    ) -> None:
        rows, deltas = _rows(state), _rows(delta)
        parameters.gradient(f"{self.name}.{layer}.weight").baddbmm_(rows.transpose(1, 2), deltas)
        bias = parameters.gradient(f"{self.name}.{layer}.bias")
        if bias_weights is None:
            bias.add_(deltas.sum(1))
        else:
            bias.add_((bias_weights.flatten(1).unsqueeze(1) @ deltas).squeeze(1))


def affine(state: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`state @ weight + bias`, replicate by replicate: `[R, B, S, n_in]` to `[R, B, S, n_out]`."""
    return torch.baddbmm(bias.unsqueeze(1), _rows(state), weight).unflatten(1, state.shape[1:3])


def log_product(factors: Tensor) -> Tensor:
    """Logarithm of the product over the last dimension, of factors in [1/2, 1].

    One logarithm for as many factors as cannot underflow, instead of one for each.
    """
    parts = factors.split(MOST_FACTORS, dim=-1)
    return torch.stack([part.prod(-1) for part in parts]).log_().sum(0)


def _row_products(target: Tensor, logits: Tensor) -> Tensor:
    if target.shape[2] < logits.shape[2]:
        return (logits @ target.transpose(2, 3)).squeeze(3)
    if target.shape[2] > logits.shape[2]:
        return (target @ logits.transpose(2, 3)).squeeze(3)
    return (target * logits).sum(3)


def _rows(state: Tensor) -> Tensor:
    return state.flatten(1, 2)
