"""Gibbs sampling from p*(x, h), exactly, with two latent stacks above every x.

No estimate of ptilde is needed: p*(x) is proportional to (sum_h sqrt(p(x, h) q(h | x)))^2, which is
the marginal over x of a distribution of x and two independent stacks of latent states. A layer is
resampled among candidates that include its current state, which leaves p* exactly invariant for any
number of candidates. A step may change only a part of the units; otherwise wide layers hardly move.
"""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling.latents import CANDIDATES, odd_then_even, resample_layer
from gmm_study.sampling.resampling import resample

STACKS = 2
HALF = 0.5


class GibbsChain:
    """C independent chains per replicate, whose invariant law is p*(x, h).

    p*(x) = (sum_h s(x, h))^2 / Z^2 with s(x, h) = sqrt(p(x, h) q(h | x)) cannot be computed. But
    the square of a sum is a double sum, so p*(x) is the marginal of s(x, h) s(x, h') / Z^2 over two
    latent stacks h and h', and the marginal of (x, h) is p*(x, h). The chain runs on (x, h, h'), so
    nothing is estimated inside.

    A sweep updates the odd layers of both stacks, then the even ones, with x as layer 0. Given the
    layers of the other parity, those of one parity are independent, so their order does not matter.
    Each update is one step of `resample` towards the layer's conditional, with proposals from the
    conditionals of p and q (docs/spec.md#sampling). The model is that of Bornschein et al., arXiv
    1506.03877. A sweep costs about as much as scoring 2 C `candidates` rows under p and q.
    """

    def __init__(
        self,
        model: SigmoidBeliefNetwork,
        states: list[Tensor],
        streams: RandomStreams,
        candidates: int = CANDIDATES,
        free: Tensor | None = None,
    ) -> None:
        """Start at `states`: x `[R, C, 1, D]`, then the layers `[R, 2 C, 1, n]`.

        The first C rows of a layer belong to h, the others to h'. Dimensions of x that are not
        `free`, `[R, C, 1, D]` or broadcast to it, never change.
        """
        self.model = model
        self.states = list(states)
        self.streams = streams
        self.candidates = candidates
        self.free = free

    @classmethod
    @torch.no_grad()
    def from_generated(
        cls,
        model: SigmoidBeliefNetwork,
        chains: int,
        streams: RandomStreams,
        candidates: int = CANDIDATES,
    ) -> "GibbsChain":
        """Chains that start at ancestral samples (x, h) of p; h' is drawn from q(h' | x)."""
        generated = model.generate(chains, streams).states
        inferred = model.infer(generated[0].squeeze(2), 1, streams).states
        stacks = zip(generated[1:], inferred[1:], strict=True)
        layers = [torch.cat(pair, dim=1) for pair in stacks]
        return cls(model, [generated[0], *layers], streams, candidates)

    @classmethod
    @torch.no_grad()
    def from_data(
        cls,
        model: SigmoidBeliefNetwork,
        data: Tensor,
        streams: RandomStreams,
        candidates: int = CANDIDATES,
        free: Tensor | None = None,
    ) -> "GibbsChain":
        """Chains that start at `data` `[R, C, D]` and latent stacks from q(h | x)."""
        inferred = model.infer(data.repeat(1, STACKS, 1), 1, streams).states
        return cls(model, [data.unsqueeze(2), *inferred[1:]], streams, candidates, free)

    @torch.no_grad()
    def sweep(self, power: float = HALF) -> Tensor:
        """Update every layer once towards the law of p*, or with b, the `power`, an earlier one.

        The law with b is [p(x, h)^(1-b) q(h | x)^b] [p(x, h')^b q(h' | x)^(1-b)]: with b = 0,
        p(x, h) q(h' | x), and with 1/2, that of p*.
        Returns the fraction of chains that moved, for each layer from the data up, `[R, L + 1]`.
        """
        moved = [torch.empty(0)] * len(self.states)
        for layer in odd_then_even(range(len(self.states))):
            data = layer == 0
            update = self._update_data(power) if data else self._update_latent(layer, power)
            self.states[layer], changed = update
            moved[layer] = changed.double().mean(1)
        return torch.stack(moved, dim=1)

    @torch.no_grad()
    def log_ratio(self) -> Tensor:
        """The slope in b of the logarithm of the law of `sweep`, in nats, `[R, C]`.

        log p(x, h') - log q(h' | x) less log p(x, h) - log q(h | x).
        """
        states = [self.states[0].repeat(1, STACKS, 1, 1), *self.states[1:]]
        log_p = self.model.score_generative(states).log_prob
        ratio = (log_p - self.model.score_inference(states).log_prob).squeeze(2).double()
        first, second = ratio.chunk(STACKS, dim=1)
        return second - first

    @property
    def data(self) -> Tensor:
        """The chains' x, `[R, C, D]` of 0/1."""
        return self.states[0].squeeze(2)

    @torch.no_grad()
    def means(self) -> Tensor:
        """E[x | h_1] under p of the first stack, `[R, C, D]`; x itself in fixed dimensions."""
        first, _ = self.states[1].chunk(STACKS, dim=1)
        means = self.model.generative[0](self.model.parameters, first).probabilities
        if self.free is not None:
            means = torch.where(self.free, means, self.states[0])
        return means.squeeze(2)

    def _update_data(self, power: float) -> tuple[Tensor, Tensor]:
        """Towards p(x | h)^(1-b) p(x | h')^b q(h | x)^b q(h' | x)^(1-b)."""
        parameters, first_layer = self.model.parameters, self.states[1]
        one, other = self.model.generative[0](parameters, first_layer).logits.chunk(STACKS, dim=1)

        def log_rest(data: Tensor) -> Tensor:
            up = self.model.inference[0](parameters, data)
            first, second = first_layer.chunk(STACKS, dim=1)
            return power * up.log_prob(first) + (1.0 - power) * up.log_prob(second)

        current, candidates, share = self.states[0], self.candidates, 1.0 - power
        logits = one, other
        return resample(current, logits, log_rest, candidates, self.streams, self.free, share)

    def _update_latent(self, layer: int, power: float) -> tuple[Tensor, Tensor]:
        """The same for both stacks, which share x as the layer below the first."""
        below, current, *above = self.states[layer - 1 : layer + 2]
        if layer == 1:
            below = below.repeat(1, STACKS, 1, 1)
        neighbours = below, current, above[0] if above else None
        powers = self._powers(power)
        return resample_layer(self.model, layer, neighbours, powers, self.candidates, self.streams)

    def _powers(self, power: float) -> Tensor | float:
        """The power of p in the law of each row of a layer, `[2 C, 1, 1]`, or of all."""
        if power == HALF:
            return HALF
        first = torch.full_like(self.states[0][0, :, :, :1], 1.0 - power)
        return torch.cat([first, 1.0 - first])
