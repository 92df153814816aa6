"""Exact log p(x), log ptilde(x), log Z and log p*(x), layer by layer from the top.

p and q are chains of layers, so a sum over all latent states of p(x, h)^a q(h | x)^b is computed
as sums over one layer at a time. The message m_l(h_l) = sum over h_{l+1} of p(h_l | h_{l+1})^a
q(h_{l+1} | h_l)^b m_{l+1}(h_{l+1}) starts with p(h_L)^a at the top and ends at the data, with
h_0 = x. The cost depends on the pairs of states of neighbouring layers, not on all joint states.

The conditionals are the model's own. The tests write them out again with `torch.distributions`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gmm_study.exact.limits import data_dims, enumerable, latent_sizes, refuse, why_no_exact_z
from gmm_study.exact.states import MOST_NUMBERS, binary_states, ranges, replicates_alone
from gmm_study.models import Model, SigmoidBeliefNetwork

Powers = tuple[float, float]
"""(a, b) of p(x, h)^a q(h | x)^b."""
LIKELIHOOD, GEOMETRIC_MEAN, SQUARED_WEIGHT = (1.0, 0.0), (0.5, 0.5), (2.0, -1.0)
MOST_PAIRS = MOST_NUMBERS // 4
"""Of states of two layers at a time: few enough to stay in a processor's cache."""


@torch.no_grad()
def exact_log_likelihoods(model: Model, data: Tensor) -> dict[str, Tensor]:
    """Exact values of every datapoint of `data` `[N, D]` of 0/1, in float64.

    `log_p` and `log_p_tilde` `[R, N]` in nats, the limits of the estimates as K grows
    (docs/spec.md#estimators); `ess` and `ess_star` `[R, N]`, (E_q w)^2 / E_q w^2 of
    w = p(x, h) / q(h | x) and of its square root;
    where they can be enumerated (`why_no_exact_z`), also `log_z2` `[R]` and `log_p_star` `[R, N]`.
    Raises `InputError` with the reason of `why_not_exact`, or if `data` does not have D columns.
    """
    network = enumerable(model, data)
    powers = (LIKELIHOOD, GEOMETRIC_MEAN, SQUARED_WEIGHT)
    parts = [log_sums(alone, data, powers) for alone in replicates_alone(network)]
    log_p, log_half, log_square = (torch.stack(rows) for rows in zip(*parts, strict=True))
    exact = {
        "log_p": log_p,
        "log_p_tilde": 2.0 * log_half,
        "ess": (2.0 * log_p - log_square).exp(),
        "ess_star": (2.0 * log_half - log_p).exp(),
    }
    if why_no_exact_z(model) is None:
        exact["log_z2"] = exact_log_z2(model)
        exact["log_p_star"] = exact["log_p_tilde"] - exact["log_z2"].unsqueeze(1)
    return exact


@torch.no_grad()
def exact_log_z2(model: Model) -> Tensor:
    """2 log Z = log sum_x ptilde(x) in nats, `[R]` in float64 (arXiv 1506.03877, section 2).

    Raises `InputError` with the reason of `why_no_exact_z`.
    """
    refuse(why_no_exact_z(model))
    return torch.stack([_log_z2(alone) for alone in replicates_alone(enumerable(model))])


def _log_z2(model: SigmoidBeliefNetwork) -> Tensor:
    device, dims = model.parameters.flat.device, data_dims(model)
    upper = _upper_messages(model, [GEOMETRIC_MEAN])
    total = torch.full((), -torch.inf, dtype=torch.float64, device=device)
    for start, stop in ranges(2**dims, MOST_PAIRS // dims):
        x = binary_states(dims, start, stop, device)
        (log_half,) = _messages_below(model, 0, x, [GEOMETRIC_MEAN], upper)
        total = torch.logaddexp(total, (2.0 * log_half).logsumexp(0))
    return total


def log_sums(model: SigmoidBeliefNetwork, data: Tensor, powers: Sequence[Powers]) -> list[Tensor]:
    """log sum_h p(x, h)^a q(h | x)^b of every datapoint and every pair of powers, each `[N]`."""
    upper = _upper_messages(model, powers)
    parts = [
        _messages_below(model, 0, rows.double(), powers, upper)
        for rows in data.split(max(1, MOST_PAIRS // data.shape[1]))
    ]
    return [torch.cat(part) for part in zip(*parts, strict=True)]


def _upper_messages(model: SigmoidBeliefNetwork, powers: Sequence[Powers]) -> list[Tensor]:
    """log m_1(h_1) of every state of the first latent layer, `[2^n_1]` for each pair of powers."""
    sizes, device = latent_sizes(model), model.parameters.flat.device
    top_prior = model.top_prior()
    tops = (binary_states(sizes[-1], *some, device) for some in _chunks(model, -1))
    prior = torch.cat([top_prior.log_prob(top[None, None])[0, 0] for top in tops])
    messages = [a * prior for a, _ in powers]
    for layer in range(len(sizes) - 1, 0, -1):
        parts = [
            _messages_below(
                model, layer, binary_states(sizes[layer - 1], *some, device), powers, messages
            )
            for some in _chunks(model, layer - 1)
        ]
        messages = [torch.cat(part) for part in zip(*parts, strict=True)]
    return messages


def _messages_below(
    model: SigmoidBeliefNetwork,
    layer: int,
    below: Tensor,
    powers: Sequence[Powers],
    messages: Sequence[Tensor],
) -> list[Tensor]:
    """log m_l of the states `below` `[N, n_l]` of layer l, from the messages of the layer above."""
    totals = [below.new_full((len(below),), -torch.inf) for _ in powers]
    units = latent_sizes(model)[layer]
    for start, stop in _chunks(model, layer):
        above = binary_states(units, start, stop, below.device)
        for first, last in ranges(len(below), MOST_PAIRS // (stop - start)):
            log_p, log_q = _log_pairs(model, layer, below[first:last], above)
            for total, (a, b), message in zip(totals, powers, messages, strict=True):
                log_sum = (a * log_p + b * log_q + message[start:stop]).logsumexp(1)
                total[first:last] = torch.logaddexp(total[first:last], log_sum)
    return totals


def _log_pairs(
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


def _chunks(model: SigmoidBeliefNetwork, layer: int) -> list[tuple[int, int]]:
    """The states of the layer's upper side, few enough for the widest conditional."""
    units = latent_sizes(model)[layer]
    widest = max(max(conditional.sizes) for conditional in [*model.generative, *model.inference])
    return list(ranges(2**units, MOST_PAIRS // widest))
