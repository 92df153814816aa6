"""A deep sigmoid belief network, twice: a generative model p and an inference model q."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gmm_study.models.bernoulli import Bernoulli, Scored
from gmm_study.models.conditional import BernoulliConditional, logit_limit
from gmm_study.models.parameters import Parameters
from gmm_study.models.streams import RandomStreams

TOP_PRIOR = "generative.top.logits"


@dataclass
class Pass:
    """States of every layer, from the data (index 0) to the top, scored by p or by q."""

    states: list[Tensor]
    """`states[0]` is the data `[R, B, 1, D]`, `states[l]` the layer h_l `[R, B, K, n_l]`."""
    layers: list[Scored]
    """One for each conditional, lowest layer first. For p, the top prior is last."""

    @property
    def log_prob(self) -> Tensor:
        """`[R, B, K]` in nats: log p(x, h), or log q(h | x)."""
        return torch.stack([layer.log_prob for layer in self.layers]).sum(0)


class SigmoidBeliefNetwork:
    """R replicates of p(x, h) and q(h | x) with binary latent layers, docs/spec.md#model.

    The generative model goes down, p(h_L) prod_l p(h_{l-1} | h_l); the inference model goes up,
    prod_l q(h_l | h_{l-1}). Gradients are computed by hand: samples are constants, so nothing
    flows between the layers. See Bornschein et al., arXiv 1506.03877, section 2.

    `sizes` are the latent layers' units from the data up; `deterministic_layers` puts that many
    tanh layers of (n_in + n_out) // 2 units inside each conditional. A reproduction depends on the
    other options: the rule of the initial weights (`authors` or `glorot`), the initial bias of
    every unit, whether the top prior is learned or fixed at 1/2 for each unit, and the interval
    [probability_clip, 1 - probability_clip] in which every conditional's probabilities are kept.
    """

    def __init__(
        self,
        data_dims: int,
        sizes: Sequence[int],
        replicates: int,
        deterministic_layers: int = 0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        initialisation: str = "authors",
        initial_bias: float = -1.0,
        top_prior: str = "learned",
        probability_clip: float = 0.0,
    ) -> None:
        self.initialisation, self.initial_bias = initialisation, initial_bias
        self.learns_top_prior = top_prior == "learned"
        self.limit = logit_limit(probability_clip)
        self.data_dims, self.latent_units = data_dims, sum(sizes)
        widths = [data_dims, *sizes]
        pairs = list(enumerate(pairwise(widths)))
        options = (deterministic_layers, probability_clip)
        self.generative = [
            BernoulliConditional(f"generative.{layer}", above, below, *options)
            for layer, (below, above) in pairs
        ]
        self.inference = [
            BernoulliConditional(f"inference.{layer}", below, above, *options)
            for layer, (below, above) in pairs
        ]
        shapes: dict[str, tuple[int, ...]] = {TOP_PRIOR: (widths[-1],)}
        for conditional in [*self.generative, *self.inference]:
            shapes |= conditional.shapes()
        self.parameters = Parameters(shapes | self.own_shapes(), replicates, device, dtype)

    def own_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters that a subclass has beside those of p and q."""
        return {}

    def parts(self) -> dict[str, Tensor]:
        """The numbers of the parameters of p, q and each conditional, from the data up."""
        names = ["x", *(f"h{layer}" for layer in range(1, len(self.generative) + 1))]
        prefixes = {"p": "generative.", "q": "inference."}
        for layer, (below, above) in enumerate(pairwise(names)):
            prefixes[f"p({below} | {above})"] = f"generative.{layer}."
        prefixes[f"p({names[-1]})"] = TOP_PRIOR
        for layer, (below, above) in enumerate(pairwise(names)):
            prefixes[f"q({above} | {below})"] = f"inference.{layer}."
        return {part: self.parameters.entries(prefix) for part, prefix in prefixes.items()}

    def initialise(self, streams: RandomStreams) -> None:
        """Draw the initial parameters, by the rule `initialisation` (docs/spec.md#model)."""
        bias, rule = self.initial_bias, self.initialisation
        self.parameters[TOP_PRIOR].fill_(bias if self.learns_top_prior else 0.0)
        for conditional in [*self.generative, *self.inference]:
            conditional.initialise(self.parameters, streams, rule, bias)

    def top_prior(self, datapoints: int = 1) -> Bernoulli:
        """p(h_L), the same for every datapoint: `[R, datapoints, 1, n_L]`."""
        logits = self.parameters[TOP_PRIOR][:, None, None, :].expand(-1, datapoints, -1, -1)
        return Bernoulli(logits.clone(memory_format=torch.contiguous_format), self.limit)

    def infer(self, data: Tensor, samples: int, streams: RandomStreams) -> Pass:
        """Sample h ~ q(h | x), `samples` for each datapoint of `data` `[R, B, D]` of 0/1."""
        streams.reserve(data.shape[1] * samples * self.latent_units)
        states, layers = [data.unsqueeze(2)], list[Scored]()
        for conditional in self.inference:
            above, layer = conditional.sample(self.parameters, states[-1], samples, streams)
            states.append(above)
            layers.append(layer)
        return Pass(states, layers)

    def generate(self, datapoints: int, streams: RandomStreams) -> Pass:
        """Sample (x, h) ~ p ancestrally, one h per datapoint; states are `[R, B, 1, n]`."""
        streams.reserve(datapoints * (self.latent_units + self.data_dims))
        top, prior = self.top_prior(datapoints).sample(1, streams)
        states, layers = [top], [prior]
        for conditional in reversed(self.generative):
            below, layer = conditional.sample(self.parameters, states[0], 1, streams)
            states.insert(0, below)
            layers.insert(0, layer)
        return Pass(states, layers)

    def generate_means(self, datapoints: int, streams: RandomStreams) -> Tensor:
        """E[x | h_1] of ancestral samples of p, `[R, B, D]`."""
        first = self.generate(datapoints, streams).states[1]
        return self.generative[0](self.parameters, first).probabilities.squeeze(2)

    def score_generative(self, states: list[Tensor]) -> Pass:
        """log p(x, h) `[R, B, K]` of given states, the top prior included."""
        layers = [
            conditional.score(self.parameters, above, below)
            for conditional, below, above in zip(
                self.generative, states[:-1], states[1:], strict=True
            )
        ]
        top = states[-1]
        return Pass(states, [*layers, self.top_prior(top.shape[1]).score(top)])

    def score_inference(self, states: list[Tensor]) -> Pass:
        """log q(h | x) `[R, B, K]` of given states."""
        layers = [
            conditional.score(self.parameters, below, above)
            for conditional, below, above in zip(
                self.inference, states[:-1], states[1:], strict=True
            )
        ]
        return Pass(states, layers)

    def log_weights(self, data: Tensor, samples: int, streams: RandomStreams) -> Tensor:
        """log p(x, h_k) - log q(h_k | x) with h_k ~ q(h | x): `[R, B, D]` to `[R, B, K]`, nats."""
        inferred = self.infer(data, samples, streams)
        return self.score_generative(inferred.states).log_prob - inferred.log_prob

    def add_generative_gradient(self, scored: Pass, weights: Tensor) -> None:
        """Add the gradient of sum_bk weights_bk log p(x_b, h_bk); `weights` is `[R, B, K]`."""
        *layers, prior = scored.layers
        if self.learns_top_prior:
            prior.weigh(weights, self.parameters.gradient(TOP_PRIOR))
        for conditional, layer in zip(self.generative, layers, strict=True):
            conditional.add_gradient(self.parameters, layer, weights)

    def add_inference_gradient(self, scored: Pass, weights: Tensor) -> None:
        """Add the gradient of sum_bk weights_bk log q(h_bk | x_b); `weights` is `[R, B, K]`."""
        for conditional, layer in zip(self.inference, scored.layers, strict=True):
            conditional.add_gradient(self.parameters, layer, weights)
