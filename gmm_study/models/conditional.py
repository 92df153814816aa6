"""A Bernoulli layer given another layer, and the gradient of its log-probability by hand.

Samples are constants to the gradient, so the gradient of a conditional is the delta rule. The
forward pass overwrites the logits with residuals (state minus probability); two matrix products
with them then give the gradient. `tests/oracle.py` computes the same gradients by autograd, and
tests compare the two. The vae uses autograd throughout.
"""

from itertools import pairwise
from math import inf, log, sqrt

import torch
from torch import Tensor

from gmm_study.models.bernoulli import Bernoulli, Scored
from gmm_study.models.parameters import Parameters
from gmm_study.models.streams import RandomStreams


class BernoulliConditional:
    """`Bernoulli(sigmoid(f(state)))`, where f is an affine map, after tanh layers if there are any.

    The gradient of a parameter is the delta rule: input times (target - probability), weighted for
    each sample. Probabilities are kept in [probability_clip, 1 - probability_clip].
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
        self.limit = logit_limit(probability_clip)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters by name, without the replicate dimension."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (fan_in, fan_out) in enumerate(self._fans()):
            shapes[f"{self.name}.{layer}.weight"] = (fan_in, fan_out)
            shapes[f"{self.name}.{layer}.bias"] = (fan_out,)
        return shapes

    def initialise(
        self, parameters: Parameters, streams: RandomStreams, rule: str, bias: float
    ) -> None:
        """Weights uniform in +- sqrt(6 / (fan_in + fan_out)), or that over fan_in for `authors`."""
        for layer, (fan_in, fan_out) in enumerate(self._fans()):
            glorot = sqrt(6.0 / (fan_in + fan_out))
            scale = {"authors": glorot / fan_in, "glorot": glorot}[rule]
            weight = parameters[f"{self.name}.{layer}.weight"]
            draws = streams.uniform(fan_in, fan_out).to(weight.device)
            weight.copy_((2.0 * draws - 1.0) * scale)
            parameters[f"{self.name}.{layer}.bias"].fill_(bias)

    def __call__(self, parameters: Parameters, state: Tensor) -> Bernoulli:
        """The units `[R, B, S, n_out]` given a state `[R, B, S, n_in]`."""
        return self._forward(parameters, state)[1]

    def sample(
        self, parameters: Parameters, state: Tensor, samples: int, streams: RandomStreams
    ) -> tuple[Tensor, Scored]:
        """States `[R, B, samples, n_out]` given `state`, and the result of `score` for them."""
        inputs, units = self._forward(parameters, state)
        states, scored = units.sample(samples, streams)
        scored.inputs = inputs
        return states, scored

    def score(self, parameters: Parameters, state: Tensor, target: Tensor) -> Scored:
        """log p(target | state) in nats, `[R, B, K]`; S = 1 of either serves all K samples."""
        inputs, units = self._forward(parameters, state)
        scored = units.score(target)
        scored.inputs = inputs
        return scored

    def add_gradient(self, parameters: Parameters, scored: Scored, weights: Tensor) -> None:
        """Add the gradient of `sum_bk weights_bk log p(target_bk | state_bk)`, weights `[R, B, K]`.

        The residual is the gradient in the logits, so this is the delta rule. The residuals are
        overwritten.
        """
        last = len(self.sizes) - 2
        state, bias = scored.inputs[last], parameters.gradient(f"{self.name}.{last}.bias")
        if state.shape[2] < weights.shape[2]:
            # All samples of a datapoint have the same input, so their weighted residuals are added
            # first: the products below then have B rows instead of B * K.
            delta = weights.unsqueeze(2) @ scored.residual
            bias.add_(delta.sum((1, 2)))
        else:
            delta = scored.weigh(weights, bias)
        self._add_products(parameters, last, state, delta)
        for layer in range(last, 0, -1):  # backwards through the tanh layers: tanh' = 1 - tanh^2
            weight = parameters[f"{self.name}.{layer}.weight"]
            hidden = scored.inputs[layer]
            delta = _rows(delta) @ weight.transpose(1, 2)
            delta = (delta * (1.0 - _rows(hidden).square())).view_as(hidden)
            parameters.gradient(f"{self.name}.{layer - 1}.bias").add_(delta.sum((1, 2)))
            self._add_products(parameters, layer - 1, scored.inputs[layer - 1], delta)

    def _forward(self, parameters: Parameters, state: Tensor) -> tuple[list[Tensor], Bernoulli]:
        inputs = [state]
        for layer in range(len(self.sizes) - 2):
            inputs.append(self._affine(parameters, layer, inputs[-1]).tanh_())
        logits = self._affine(parameters, len(self.sizes) - 2, inputs[-1])
        return inputs, Bernoulli(logits, self.limit)

    def _fans(self) -> list[tuple[int, int]]:
        return list(pairwise(self.sizes))

    def _affine(self, parameters: Parameters, layer: int, state: Tensor) -> Tensor:
        weight = parameters[f"{self.name}.{layer}.weight"]
        bias = parameters[f"{self.name}.{layer}.bias"]
        return affine(state, weight, bias)

    def _add_products(
        self, parameters: Parameters, layer: int, state: Tensor, delta: Tensor
    ) -> None:
        weight = parameters.gradient(f"{self.name}.{layer}.weight")
        weight.baddbmm_(_rows(state).transpose(1, 2), _rows(delta))


def affine(state: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`state @ weight + bias`, replicate by replicate: `[R, B, S, n_in]` to `[R, B, S, n_out]`."""
    output = torch.baddbmm(bias.unsqueeze(1), _rows(state), weight)
    return output.view(*state.shape[:3], -1)


def logit_limit(probability_clip: float) -> float:
    """The largest logit, in absolute value, of a probability in [clip, 1 - clip]."""
    return log((1.0 - probability_clip) / probability_clip) if probability_clip else inf


def _rows(state: Tensor) -> Tensor:
    return state.flatten(1, 2)
