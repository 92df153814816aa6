"""Sums over all latent states of a chain of layers, layer by layer from the top.

p and q are chains of layers, so a sum over all latent states of p(x, h)^a q(h | x)^b is computed
as sums over one layer at a time. The message m_l(h_l) = sum over h_{l+1} of p(h_l | h_{l+1})^a
q(h_{l+1} | h_l)^b m_{l+1}(h_{l+1}) starts with p(h_L)^a at the top and ends at the data, with
h_0 = x. The cost depends on the pairs of states of neighbouring layers, not on all joint states.

The conditionals are the model's own. The tests write them out again with `torch.distributions`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gmm_study.exact.limits import latent_sizes
from gmm_study.exact.states import MOST_NUMBERS, binary_states, ranges
from gmm_study.models import SigmoidBeliefNetwork

Powers = tuple[float, float]
"""(a, b) of p(x, h)^a q(h | x)^b."""
LIKELIHOOD, GEOMETRIC_MEAN, SQUARED_WEIGHT = (1.0, 0.0), (0.5, 0.5), (2.0, -1.0)
MOST_PAIRS = MOST_NUMBERS // 4
"""Of states of two layers at a time: few enough to stay in a processor's cache."""


def log_sums(model: SigmoidBeliefNetwork, data: Tensor, powers: Sequence[Powers]) -> list[Tensor]:
    """log sum_h p(x, h)^a q(h | x)^b of every datapoint and every pair of powers, each `[N]`."""
    upper = messages(model, powers)[0]
    parts = [
        messages_below(model, 0, rows.double(), powers, upper)
        for rows in data.split(max(1, MOST_PAIRS // data.shape[1]))
    ]
    return [torch.cat(part) for part in zip(*parts, strict=True)]


def messages(model: SigmoidBeliefNetwork, powers: Sequence[Powers]) -> list[list[Tensor]]:
    """log m_l(h_l) of every state of the latent layers l = 1 .. L.

    By layer, `[2^n_l]` for each pair of powers.
    """
    sizes = latent_sizes(model)
    top_prior = model.top_prior()
    tops = (_states(model, sizes[-1], *some) for some in chunks(model, -1))
    prior = torch.cat([top_prior.log_prob(top[None, None])[0, 0] for top in tops])
    found = [[a * prior for a, _ in powers]]
    for layer in range(len(sizes) - 1, 0, -1):
        parts = [
            messages_below(model, layer, _states(model, sizes[layer - 1], *some), powers, found[0])
            for some in chunks(model, layer - 1)
        ]
        found.insert(0, [torch.cat(part) for part in zip(*parts, strict=True)])
    return found


def messages_below(
    model: SigmoidBeliefNetwork,
    layer: int,
    below: Tensor,
    powers: Sequence[Powers],
    above_messages: Sequence[Tensor],
) -> list[Tensor]:
    """log m_l of the states `below` `[N, n_l]` of layer l, from the messages of the layer above."""
    totals = [below.new_full((len(below),), -torch.inf) for _ in powers]
    units = latent_sizes(model)[layer]
    for start, stop in chunks(model, layer):
        above = binary_states(units, start, stop, below.device)
        for first, last in ranges(len(below), MOST_PAIRS // (stop - start)):
            log_p, log_q = log_pairs(model, layer, below[first:last], above)
            for total, (a, b), message in zip(totals, powers, above_messages, strict=True):
                log_sum = (a * log_p + b * log_q + message[start:stop]).logsumexp(1)
                total[first:last] = torch.logaddexp(total[first:last], log_sum)
    return totals


def log_pairs(
    model: SigmoidBeliefNetwork, layer: int, below: Tensor, above: Tensor
) -> tuple[Tensor, Tensor]:
    """log p(below | above) and log q(above | below) of every pair, each `[below, above]`.

    A Bernoulli layer's log-probability is linear in the target: that of the zero vector, and the
    logits of the units that are 1.
    """
    down = model.generative[layer](model.parameters, above[None, None])
    up = model.inference[layer](model.parameters, below[None, None])
    log_p = down.log_prob(torch.zeros_like(below[None, None, :1]))[0, 0]
    log_q = up.log_prob(torch.zeros_like(above[None, None, :1]))[0, 0].unsqueeze(1)
    return (
        torch.addmm(log_p, below, down.logits[0, 0].T),
        torch.addmm(log_q, up.logits[0, 0], above.T),
    )


def chunks(model: SigmoidBeliefNetwork, layer: int) -> list[tuple[int, int]]:
    """The states of the layer's upper side, few enough for the widest conditional."""
    units = latent_sizes(model)[layer]
    widest = max(max(conditional.sizes) for conditional in [*model.generative, *model.inference])
    return list(ranges(2**units, MOST_PAIRS // widest))


def _states(model: SigmoidBeliefNetwork, units: int, start: int, stop: int) -> Tensor:
    return binary_states(units, start, stop, model.parameters.flat.device)
