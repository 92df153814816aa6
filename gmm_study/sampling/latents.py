"""Chains of the latent layers above fixed data, towards p(x, h)^b q(h | x)^(1 - b).

With b = 0 the target is q(h | x), with 1/2 it is p*(h | x), and with 1 the posterior p(h | x).
"""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling.resampling import resample

CANDIDATES = 10
"""States among which each update chooses, the current one included."""


class LatentChain:
    """C independent chains of h per replicate, each above an x of its own that never changes.

    A sweep updates the odd layers, then the even ones, each by one step of `resample`. The layers
    of one parity are independent given the others, so their order does not matter.
    """

    def __init__(
        self,
        model: SigmoidBeliefNetwork,
        states: list[Tensor],
        streams: RandomStreams,
        candidates: int = CANDIDATES,
    ) -> None:
        """Start at `states`: x `[R, C, 1, D]`, then the layers `[R, C, 1, n]`."""
        self.model = model
        self.states = list(states)
        self.streams = streams
        self.candidates = candidates

    @torch.no_grad()
    def sweep(self, power: float) -> None:
        """Update every layer once towards p(x, h)^b q(h | x)^(1 - b), with b the `power`."""
        for layer in odd_then_even(range(1, len(self.states))):
            below, current, *above = self.states[layer - 1 : layer + 2]
            self.states[layer], _ = resample_layer(
                self.model,
                layer,
                (below, current, above[0] if above else None),
                power,
                self.candidates,
                self.streams,
            )

    @torch.no_grad()
    def log_ratio(self) -> Tensor:
        """log p(x, h) - log q(h | x) in nats, the slope of the log target in b: `[R, C]`."""
        log_p = self.model.score_generative(self.states).log_prob
        return (log_p - self.model.score_inference(self.states).log_prob).squeeze(2).double()


def odd_then_even(layers: range) -> list[int]:
    """The odd layers, then the even ones."""
    return [layer for odd in (1, 0) for layer in layers if layer % 2 == odd]


def resample_layer(
    model: SigmoidBeliefNetwork,
    layer: int,
    neighbours: tuple[Tensor, Tensor, Tensor | None],
    power: Tensor | float,
    candidates: int,
    streams: RandomStreams,
) -> tuple[Tensor, Tensor]:
    """One step of layer l towards its conditional under p(x, h)^b q(h | x)^(1 - b).

    `neighbours` are h_{l-1}, h_l and h_{l+1}, each `[R, B, 1, n]`; the top layer has none above.
    The target is p(h_l | above)^b q(h_l | below)^(1-b) p(below | h_l)^b q(above | h_l)^(1-b); b,
    the `power`, is a number or broadcast to `[R, B, 1, 1]`. Proposals come from the first two
    factors. Returns the state and whether it changed, as `resample` does.
    """
    parameters, (below, current, above) = model.parameters, neighbours
    up = model.inference[layer - 1](parameters, below).logits
    if above is None:
        down = model.top_prior().logits
    else:
        down = model.generative[layer](parameters, above).logits
    share = power if isinstance(power, float) else power.squeeze(-1)

    def log_rest(states: Tensor) -> Tensor:
        rest = share * model.generative[layer - 1](parameters, states).log_prob(below)
        if above is not None:
            log_q = model.inference[layer](parameters, states).log_prob(above)
            rest = rest + (1.0 - share) * log_q
        return rest

    return resample(current, (down, up), log_rest, candidates, streams, share=power)
