"""Exact distributions over all latent states: the posterior of p, and the target of gmm."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gmm_study.errors import InputError
from gmm_study.exact.limits import MOST_ENTRIES, enumerable, latent_sizes
from gmm_study.exact.states import binary_states, pieces, replicates_alone
from gmm_study.models import Model


@dataclass
class Posteriors:
    """Probabilities of all H latent states given each of N datapoints."""

    states: list[Tensor]
    """One for each latent layer, lowest first: `[H, n_l]` of 0/1, float64."""
    posterior: Tensor
    """p(h | x), `[R, N, H]`."""
    geometric_mean: Tensor
    """pi(h | x), proportional to sqrt(p(x, h) q(h | x)), `[R, N, H]`: p*(h | x)."""


@torch.no_grad()
def exact_posteriors(model: Model, data: Tensor) -> Posteriors:
    """p(h | x) and pi(h | x) of every datapoint of `data` `[N, D]` and every latent state.

    The weights of reweighted wake-sleep tend to the first as K grows, those of gmm to the second
    (docs/spec.md#objectives). Raises `InputError` with the reason of `why_not_exact`, if `data`
    does not have D columns, and if the answer would have more than 2^26 entries.
    """
    network = enumerable(model, data)
    sizes, replicates = latent_sizes(network), network.parameters.replicates
    shape = (replicates, len(data), 2 ** sum(sizes))
    if shape[0] * shape[1] * shape[2] > MOST_ENTRIES:
        raise InputError(
            f"posteriors: {shape[0]} replicates x {shape[1]} datapoints x 2^{sum(sizes)} latent "
            "states; at most 2^26 entries can be listed, take fewer datapoints"
        )
    posterior = torch.empty(shape, dtype=torch.float64, device=data.device)
    geometric_mean = torch.empty_like(posterior)
    for replicate, alone in enumerate(replicates_alone(network)):
        for piece in pieces(alone, data):
            log_p, log_q = piece.generative.log_prob[0], piece.inference.log_prob[0]
            posterior[replicate, piece.rows, piece.latents] = log_p
            geometric_mean[replicate, piece.rows, piece.latents] = 0.5 * (log_p + log_q)
    states = binary_states(sum(sizes), device=data.device).split(sizes, dim=1)
    return Posteriors(list(states), posterior.softmax(2), geometric_mean.softmax(2))
