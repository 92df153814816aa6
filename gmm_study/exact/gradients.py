"""Exact gradients, and the directions that gmm and rws ascend with infinitely many samples.

A gradient of a logarithm of a sum over h is the mean of the terms' gradients under the terms'
weights. p and q are chains of layers, so a conditional needs only the weights of the pairs of
states of its two layers, summed over the data and over all other layers. They follow from the
messages (`messages.py`), layer by layer. The gradients of the conditionals are the model's own.
"""

import torch
from torch import Tensor

from gmm_study.exact.limits import (
    data_dims,
    enumerable,
    latent_sizes,
    refuse,
    why_no_exact_dreams,
)
from gmm_study.exact.messages import (
    GEOMETRIC_MEAN,
    LIKELIHOOD,
    MOST_PAIRS,
    Powers,
    chunks,
    log_pairs,
    log_sums,
    messages,
)
from gmm_study.exact.states import binary_states, ranges, replicates_alone
from gmm_study.models import Model, SigmoidBeliefNetwork
from gmm_study.models.conditional import BernoulliConditional
from gmm_study.models.sbn import TOP_PRIOR


@torch.no_grad()
def exact_log_p_gradient(model: Model, data: Tensor) -> Tensor:
    """Gradient of the mean over `data` `[N, D]` of log p(x), `[R, P]` in float64.

    It is the mean over x and p(h | x) of d log p(x, h); laid out as `Parameters.grad`, zero for q.
    Raises `InputError` with the reason of `why_not_exact`, or if `data` does not have D columns.
    """
    return _gradients(model, data, LIKELIHOOD, q_share=0.0)


@torch.no_grad()
def exact_log_p_tilde_gradient(model: Model, data: Tensor) -> Tensor:
    """Gradient of the mean over `data` `[N, D]` of log ptilde(x), `[R, P]` in float64.

    It is the mean over x and pi(h | x) of d log p(x, h) + d log q(h | x). This is also the
    direction that gmm ascends as K grows, with any baseline, as the mean of d log q(h | x) under q
    is zero (docs/spec.md#objectives). Raises `InputError` as `exact_log_p_gradient` does.
    """
    return _gradients(model, data, GEOMETRIC_MEAN, q_share=1.0)


@torch.no_grad()
def exact_wake_wake_direction(model: Model, data: Tensor) -> Tensor:
    """The direction that wake-wake ascends on `data` `[N, D]` as K grows, `[R, P]` in float64.

    The mean over x and p(h | x) of d log p(x, h) + d log q(h | x) (docs/spec.md#objectives).
    Raises `InputError` as `exact_log_p_gradient` does.
    """
    return _gradients(model, data, LIKELIHOOD, q_share=1.0)


@torch.no_grad()
def exact_rws_direction(model: Model, data: Tensor) -> Tensor:
    """The direction that rws ascends on `data` `[N, D]` as K grows, `[R, P]` in float64.

    It does not depend on the baseline. p: the mean over x and p(h | x) of d log p(x, h). q: half
    the same mean of d log q(h | x), and half its mean over (x, h) ~ p, the sleep update
    (docs/spec.md#objectives; arXiv 1406.2751). Raises `InputError` as `exact_log_p_gradient` does,
    and if the sleep update's sum over all states of the data is too large.
    """
    return _gradients(model, data, LIKELIHOOD, q_share=0.5, sleep_share=0.5)


def _gradients(
    model: Model, data: Tensor, powers: Powers, q_share: float, sleep_share: float = 0.0
) -> Tensor:
    """The direction of each replicate, `[R, P]`; the shares are those of d log q."""
    network, gradients = enumerable(model, data), []
    if sleep_share:
        refuse(why_no_exact_dreams(network))
    for alone in replicates_alone(network):
        _add_gradient(alone, data, powers, q_share)
        if sleep_share:
            _add_sleep_gradient(alone, sleep_share)
        gradients.append(alone.parameters.grad)
    return torch.cat(gradients)


def _add_gradient(
    model: SigmoidBeliefNetwork, data: Tensor, powers: Powers, q_share: float
) -> None:
    """Mean of d log p(x, h), and of a share of d log q(h | x).

    Over the data and over h in proportion to p(x, h)^a q(h | x)^b.
    """
    (a, b), device = powers, data.device
    (below_message,), below_weight = log_sums(model, data, [powers]), _equal_weights(data)
    for layer, (message,) in enumerate(messages(model, [powers])):
        units = latent_sizes(model)[layer]
        weight = torch.zeros(2**units, dtype=torch.float64, device=device)
        for start, stop in chunks(model, layer):
            above = binary_states(units, start, stop, device)
            for first, last in ranges(len(below_weight), MOST_PAIRS // (stop - start)):
                below = _states_below(model, layer, first, last, data)
                log_p, log_q = log_pairs(model, layer, below, above)
                # The distribution of the states above, given each of the states below.
                pairs = a * log_p + b * log_q + message[start:stop]
                pairs = (pairs - below_message[first:last, None]).exp_()
                pairs *= below_weight[first:last, None]
                weight[start:stop] += pairs.sum(0)
                _add(model, model.generative[layer], above, below, pairs.T)
                if q_share:
                    _add(model, model.inference[layer], below, above, q_share * pairs)
        below_message, below_weight = message, weight
    if model.learns_top_prior:
        tops = binary_states(latent_sizes(model)[-1], device=device)
        scored = model.top_prior().score(tops[None, None])
        scored.weigh(below_weight[None, None], model.parameters.gradient(TOP_PRIOR))


def _add_sleep_gradient(model: SigmoidBeliefNetwork, q_share: float) -> None:
    """A share of the mean of d log q(h | x) over all (x, h) under p."""
    sizes, device = [data_dims(model), *latent_sizes(model)], model.parameters.flat.device
    tops = binary_states(sizes[-1], device=device)
    weight = model.top_prior().log_prob(tops[None, None])[0, 0].exp()
    for layer in range(len(sizes) - 2, -1, -1):
        below_weight = torch.zeros(2 ** sizes[layer], dtype=torch.float64, device=device)
        for start, stop in chunks(model, layer):
            above = binary_states(sizes[layer + 1], start, stop, device)
            for first, last in ranges(len(below_weight), MOST_PAIRS // (stop - start)):
                below = binary_states(sizes[layer], first, last, device)
                log_p, _ = log_pairs(model, layer, below, above)
                pairs = log_p.exp_().mul_(weight[start:stop])
                below_weight[first:last] += pairs.sum(1)
                _add(model, model.inference[layer], below, above, q_share * pairs)
        weight = below_weight


def _equal_weights(data: Tensor) -> Tensor:
    return torch.full((len(data),), 1.0 / len(data), dtype=torch.float64, device=data.device)


def _states_below(
    model: SigmoidBeliefNetwork, layer: int, first: int, last: int, data: Tensor
) -> Tensor:
    """The datapoints below the first latent layer; below others, states of the layer."""
    if layer == 0:
        return data[first:last].double()
    return binary_states(latent_sizes(model)[layer - 1], first, last, data.device)


def _add(
    model: SigmoidBeliefNetwork,
    conditional: BernoulliConditional,
    states: Tensor,
    targets: Tensor,
    pairs: Tensor,
) -> None:
    """The gradient of sum_st pairs_st log p(target_t | state_s).

    It is linear in the target, so all targets of a state are one, their weighted mean.
    """
    weights = pairs.sum(1)
    means = (pairs @ targets / weights[:, None]).nan_to_num_()  # 0 / 0 has no weight
    scored = conditional.score(model.parameters, states[None, :, None], means[None, :, None])
    conditional.add_gradient(model.parameters, scored, weights[None, :, None])
