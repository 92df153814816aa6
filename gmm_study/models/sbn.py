"""A deep sigmoid belief network, twice: a generative model p and an inference model q."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gmm_study.models.conditional import Activations, BernoulliConditional
from gmm_study.models.parameters import Parameters
from gmm_study.models.streams import RandomStreams

TOP_PRIOR = "generative.top.logits"


@dataclass
class Pass:
    """States of every layer, from data (index 0) to the top, and one model's view of them."""

    states: list[Tensor]
    """`states[0]` is the data `[R, B, 1, D]`, `states[l]` the layer h_l `[R, B, K, n_l]`."""
    activations: list[Activations]
    """One a conditional, lowest layer first."""
    log_prob: Tensor
    """`[R, B, K]` in nats: log p(x, h), or log q(h | x)."""


class SigmoidBeliefNetwork:
    """R replicates of p(x, h) and q(h | x) with binary latent layers, SPEC section 1.

    The generative model goes down, p(h_L) prod_l p(h_{l-1} | h_l); the inference model goes up,
    prod_l q(h_l | h_{l-1}). Gradients are computed by hand: samples are constants, so nothing
    flows between the layers. See Bornschein et al., arXiv 1506.03877, section 2.

    `sizes` are the latent layers' units from the data up; `deterministic_layers` puts that many
    tanh layers of (n_in + n_out) // 2 units inside each conditional. The other options are the
    details on which a reproduction hangs: the rule of the initial weights (`authors` or `glorot`),
    the initial bias of every unit, whether the top prior is learned or fixed at 1/2 a unit, and
    [probability_clip, 1 - probability_clip], in which every conditional's probabilities are kept.
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
        self.probability_clip = probability_clip
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
        self.parameters = Parameters(shapes, replicates, device, dtype)

    def initialise(self, streams: RandomStreams) -> None:
        """Draw the initial parameters; the authors' rule is that of SPEC section 1."""
        bias, rule = self.initial_bias, self.initialisation
        self.parameters[TOP_PRIOR].fill_(bias if self.learns_top_prior else 0.0)
        for conditional in [*self.generative, *self.inference]:
            conditional.initialise(self.parameters, streams, rule, bias)

    def top_prior(self, datapoints: int = 1) -> Activations:
        """p(h_L), which hangs on nothing: `[R, datapoints, 1, n_L]`."""
        logits = self.parameters[TOP_PRIOR][:, None, None, :].expand(-1, datapoints, -1, -1)
        return Activations.of(logits, probability_clip=self.probability_clip)

    def infer(self, data: Tensor, samples: int, streams: RandomStreams) -> Pass:
        """Sample h ~ q(h | x) bottom-up, `samples` a datapoint; `data` is `[R, B, D]` of 0/1."""
        states, activations = [data.unsqueeze(2)], list[Activations]()
        log_q = data.new_zeros(())
        for conditional in self.inference:
            layer = conditional(self.parameters, states[-1])
            states.append(layer.sample(samples, streams))
            activations.append(layer)
            log_q = log_q + layer.log_prob(states[-1])
        return Pass(states, activations, log_q)

    def generate(self, datapoints: int, streams: RandomStreams) -> Pass:
        """Sample (x, h) ~ p ancestrally, one h a datapoint; states are `[R, B, 1, n]`."""
        prior = self.top_prior(datapoints)
        states, activations = [prior.sample(1, streams)], list[Activations]()
        log_p = prior.log_prob(states[0])
        for conditional in reversed(self.generative):
            layer = conditional(self.parameters, states[0])
            states.insert(0, layer.sample(1, streams))
            activations.insert(0, layer)
            log_p = log_p + layer.log_prob(states[0])
        return Pass(states, activations, log_p)

    def generate_means(self, datapoints: int, streams: RandomStreams) -> Tensor:
        """E[x | h_1] of ancestral samples of p, `[R, B, D]`."""
        return self.generate(datapoints, streams).activations[0].probabilities.squeeze(2)

    def score_generative(self, states: list[Tensor]) -> Pass:
        """log p(x, h) `[R, B, K]` of given states, the top prior included."""
        log_p = self.top_prior().log_prob(states[-1])
        activations = []
        for conditional, below, above in zip(self.generative, states[:-1], states[1:], strict=True):
            activations.append(conditional(self.parameters, above))
            log_p = log_p + activations[-1].log_prob(below)
        return Pass(states, activations, log_p)

    def score_inference(self, states: list[Tensor]) -> Pass:
        """log q(h | x) `[R, B, K]` of given states."""
        activations = []
        log_q = states[0].new_zeros(())
        for conditional, below, above in zip(self.inference, states[:-1], states[1:], strict=True):
            activations.append(conditional(self.parameters, below))
            log_q = log_q + activations[-1].log_prob(above)
        return Pass(states, activations, log_q)

    def log_weights(self, data: Tensor, samples: int, streams: RandomStreams) -> Tensor:
        """log p(x, h_k) - log q(h_k | x) with h_k ~ q(h | x): `[R, B, D]` to `[R, B, K]`, nats."""
        inferred = self.infer(data, samples, streams)
        return self.score_generative(inferred.states).log_prob - inferred.log_prob

    def add_generative_gradient(self, scored: Pass, weights: Tensor) -> None:
        """Add the gradient of sum_bk weights_bk log p(x_b, h_bk); `weights` is `[R, B, K]`."""
        if self.learns_top_prior:
            self._add_top_prior_gradient(scored.states[-1], weights)
        for conditional, activations, below in zip(
            self.generative, scored.activations, scored.states[:-1], strict=True
        ):
            conditional.add_gradient(self.parameters, activations, below, weights)

    def add_inference_gradient(self, scored: Pass, weights: Tensor) -> None:
        """Add the gradient of sum_bk weights_bk log q(h_bk | x_b); `weights` is `[R, B, K]`."""
        for conditional, activations, above in zip(
            self.inference, scored.activations, scored.states[1:], strict=True
        ):
            conditional.add_gradient(self.parameters, activations, above, weights)

    def _add_top_prior_gradient(self, top: Tensor, weights: Tensor) -> None:
        prior = self.top_prior()
        expected = (weights.unsqueeze(2) @ top).sum(1, keepdim=True)
        total = weights.sum((1, 2))[:, None, None, None]
        delta = prior.stop_clipped(expected - total * prior.probabilities)
        self.parameters.gradient(TOP_PRIOR).add_(delta.flatten(1))
