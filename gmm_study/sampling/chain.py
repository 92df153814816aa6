"""Gibbs sampling from p*(x, h), exactly, with two latent stacks above every x.

No estimate of ptilde is needed: p*(x) is proportional to (sum_h sqrt(p(x, h) q(h | x)))^2, which is
the marginal over x of a distribution of x and two independent stacks of latent states. A layer is
resampled among candidates that include its current state, which leaves p* exactly invariant for any
number of candidates. A step may change only a part of the units; otherwise wide layers hardly move.
"""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling.resampling import resample

STACKS = 2
CANDIDATES = 10
"""States among which each update chooses, the current one included."""


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
    def sweep(self) -> Tensor:
        """Update every layer once.

        Returns the fraction of chains that moved, for each layer from the data up, `[R, L + 1]`.
        """
        moved = [torch.empty(0)] * len(self.states)
        for layer in [*range(1, len(self.states), 2), *range(0, len(self.states), 2)]:
            update = self._update_data() if layer == 0 else self._update_latent(layer)
            self.states[layer], changed = update
            moved[layer] = changed.double().mean(1)
        return torch.stack(moved, dim=1)

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

    def _update_data(self) -> tuple[Tensor, Tensor]:
        """Towards sqrt(p(x | h) p(x | h')) sqrt(q(h | x) q(h' | x))."""
        parameters, first_layer = self.model.parameters, self.states[1]
        one, other = self.model.generative[0](parameters, first_layer).logits.chunk(STACKS, dim=1)

        def log_rest(data: Tensor) -> Tensor:
            up = self.model.inference[0](parameters, data)
            first, second = first_layer.chunk(STACKS, dim=1)
            return 0.5 * (up.log_prob(first) + up.log_prob(second))

        current = self.states[0]
        return resample(current, (one, other), log_rest, self.candidates, self.streams, self.free)

    def _update_latent(self, layer: int) -> tuple[Tensor, Tensor]:
        """Towards sqrt(p(h_l | above) q(h_l | below)) sqrt(p(below | h_l) q(above | h_l)).

        The same for both stacks, which share x as the layer below the first.
        """
        model, parameters = self.model, self.model.parameters
        below = self.states[layer - 1]
        up = model.inference[layer - 1](parameters, below).logits
        if layer == 1:
            below, up = (tensor.repeat(1, STACKS, 1, 1) for tensor in (below, up))
        if layer == len(self.states) - 1:
            above, down = None, model.top_prior().logits
        else:
            above = self.states[layer + 1]
            down = model.generative[layer](parameters, above).logits

        def log_rest(states: Tensor) -> Tensor:
            rest = model.generative[layer - 1](parameters, states).log_prob(below)
            if above is not None:
                rest = rest + model.inference[layer](parameters, states).log_prob(above)
            return 0.5 * rest

        return resample(self.states[layer], (down, up), log_rest, self.candidates, self.streams)
