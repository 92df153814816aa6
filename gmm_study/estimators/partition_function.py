"""2 log Z of geometric mean matching, by sampling from the generative model."""

from collections.abc import Callable
from math import log

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives.log_weights import log_p_tilde

INNER_SAMPLES = 10


@torch.no_grad()
def estimate_log_z2(
    model: SigmoidBeliefNetwork,
    z_samples: int,
    streams: RandomStreams,
    chunk_rows: int = 4000,
    watch: Callable[[int], object] = lambda rows: None,
) -> tuple[Tensor, Tensor]:
    """2 log Z in nats and its standard error by the delta method, each `[R]` in float64.

    The log mean over `z_samples` draws (x, h) ~ p of sqrt(ptilde_M(x) q(h | x) / p(x, h)), with
    ptilde_M(x) from M = 10 further samples of q(. | x); arXiv 1506.03877, section 2.4. `watch` is
    called with the number of rows (draws times M) of each finished chunk. The error of a single
    draw is NaN.
    """
    log_terms, left = [], z_samples
    while left > 0:
        count = min(left, max(1, chunk_rows // INNER_SAMPLES))
        joint = model.generate(count, streams)
        log_q = model.score_inference(joint.states).log_prob.squeeze(2)
        inner = model.log_weights(joint.states[0].squeeze(2), INNER_SAMPLES, streams)
        log_ratio = log_p_tilde(inner) + log_q - joint.log_prob.squeeze(2)
        log_terms.append(0.5 * log_ratio.double())
        left -= count
        watch(count * INNER_SAMPLES)
    terms = torch.cat(log_terms, dim=1)
    log_mean = terms.logsumexp(1) - log(z_samples)
    relative = (terms - log_mean.unsqueeze(1)).exp()
    variance = (relative - 1.0).square().sum(1) / (z_samples - 1)
    return log_mean, (variance / z_samples).sqrt()
