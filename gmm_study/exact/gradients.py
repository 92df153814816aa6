"""Exact gradients, and the directions that gmm and rws ascend with infinitely many samples.

A gradient of a logarithm of a sum over h is the mean of the terms' gradients under the terms'
weights: every latent state is scored and weighted, and its gradient is the model's own.
"""

import torch
from torch import Tensor

from gmm_study.exact.likelihoods import GEOMETRIC_MEAN, LIKELIHOOD, log_sums
from gmm_study.exact.limits import data_dims, enumerable, refuse, why_no_exact_dreams
from gmm_study.exact.states import binary_states, pieces, ranges, replicates_alone
from gmm_study.models import Model, SigmoidBeliefNetwork

DREAMS = 2**12
"""States of the data that are listed at a time, in the sum over all of them."""


@torch.no_grad()
def exact_log_p_gradient(model: Model, data: Tensor) -> Tensor:
    """Gradient of the mean over `data` `[N, D]` of log p(x), `[R, P]` in float64.

    It is the mean over x and p(h | x) of d log p(x, h); laid out as `Parameters.grad`, zero for q.
    Raises `InputError` with the reason of `why_not_exact`, or if `data` does not have D columns.
    """
    gradients = []
    for alone in replicates_alone(enumerable(model, data)):
        _add_wake_gradient(alone, data, q_share=0.0)
        gradients.append(alone.parameters.grad)
    return torch.cat(gradients)


@torch.no_grad()
def exact_log_p_tilde_gradient(model: Model, data: Tensor) -> Tensor:
    """Gradient of the mean over `data` `[N, D]` of log ptilde(x), `[R, P]` in float64.

    It is the mean over x and pi(h | x) of d log p(x, h) + d log q(h | x). This is also the
    direction that gmm ascends as K grows, with any baseline, as the mean of d log q(h | x) under q
    is zero (docs/spec.md#objectives). Raises `InputError` as `exact_log_p_gradient` does.
    """
    gradients = []
    for alone in replicates_alone(enumerable(model, data)):
        (log_half,) = log_sums(alone, data, [GEOMETRIC_MEAN])
        for piece in pieces(alone, data):
            log_mean = 0.5 * (piece.generative.log_prob + piece.inference.log_prob)
            weights = (log_mean - log_half[piece.rows, None]).exp() / len(data)
            alone.add_generative_gradient(piece.generative, weights)
            alone.add_inference_gradient(piece.inference, weights)
        gradients.append(alone.parameters.grad)
    return torch.cat(gradients)


@torch.no_grad()
def exact_rws_direction(model: Model, data: Tensor) -> Tensor:
    """The direction that rws ascends on `data` `[N, D]` as K grows, `[R, P]` in float64.

    It does not depend on the baseline. p: the mean over x and p(h | x) of d log p(x, h). q: half
    the same mean of d log q(h | x), and half its mean over (x, h) ~ p, the sleep update
    (docs/spec.md#objectives; arXiv 1406.2751). Raises `InputError` as `exact_log_p_gradient` does,
    and if the sleep update's sum over all states of data and latents is too large.
    """
    network = enumerable(model, data)
    refuse(why_no_exact_dreams(network))
    gradients = []
    for alone in replicates_alone(network):
        _add_wake_gradient(alone, data, q_share=0.5)
        _add_sleep_gradient(alone, q_share=0.5)
        gradients.append(alone.parameters.grad)
    return torch.cat(gradients)


def _add_wake_gradient(model: SigmoidBeliefNetwork, data: Tensor, q_share: float) -> None:
    """Mean over the data and p(h | x) of d log p(x, h), and of a share of d log q(h | x)."""
    (log_p,) = log_sums(model, data, [LIKELIHOOD])
    for piece in pieces(model, data):
        weights = (piece.generative.log_prob - log_p[piece.rows, None]).exp() / len(data)
        model.add_generative_gradient(piece.generative, weights)
        if q_share:
            model.add_inference_gradient(piece.inference, q_share * weights)


def _add_sleep_gradient(model: SigmoidBeliefNetwork, q_share: float) -> None:
    """A share of the mean of d log q(h | x) over all (x, h) under p."""
    dims, device = data_dims(model), model.parameters.flat.device
    for start, stop in ranges(2**dims, DREAMS):
        for piece in pieces(model, binary_states(dims, start, stop, device)):
            joint = piece.generative.log_prob.exp()
            model.add_inference_gradient(piece.inference, q_share * joint)
