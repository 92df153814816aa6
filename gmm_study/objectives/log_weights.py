"""The mathematics of importance weights, as pure functions of log-weights.

A log-weight is log p(x, h_k) - log q(h_k | x) with h_k ~ q(h | x), in nats; every function takes
`[..., K]`, the samples last, and knows no model.
"""

from math import inf, log

from torch import Tensor
from torch.nn.functional import pad


def log_p(log_weights: Tensor) -> Tensor:
    """Importance sampling estimate of log p(x), `[...]`: logsumexp_k(log w_k) - log K.

    A lower bound in expectation, tighter as K grows (Burda et al., arXiv 1509.00519).
    """
    return log_weights.logsumexp(-1) - log(log_weights.shape[-1])


def log_p_without(log_weights: Tensor) -> Tensor:
    """`log_p` with the geometric mean of the other weights in the place of each, `[..., K]`.

    The baseline of VIMCO (arXiv 1602.06725, equation 9). K must be at least 2.
    """
    samples = log_weights.shape[-1]
    means = (log_weights.sum(-1, keepdim=True) - log_weights) / (samples - 1)
    up_to, from_here = log_weights.logcumsumexp(-1), log_weights.flip(-1).logcumsumexp(-1).flip(-1)
    before = pad(up_to[..., :-1], (1, 0), value=-inf)
    after = pad(from_here[..., 1:], (0, 1), value=-inf)
    return before.logaddexp(after).logaddexp(means) - log(samples)


def log_p_tilde(log_weights: Tensor) -> Tensor:
    """Estimate of log (sum_h sqrt(p(x, h) q(h | x)))^2, `[...]` (arXiv 1506.03877, section 2)."""
    return 2.0 * log_p(0.5 * log_weights)


def importance_weights(log_weights: Tensor) -> Tensor:
    """Self-normalised weights of reweighted wake-sleep, `[..., K]`: softmax_k(log w_k)."""
    return log_weights.softmax(-1)


def geometric_mean_weights(log_weights: Tensor) -> Tensor:
    """Self-normalised weights towards sqrt(p q), `[..., K]`: softmax_k(log w_k / 2)."""
    return (0.5 * log_weights).softmax(-1)


def importance_estimates(log_weights: Tensor) -> dict[str, Tensor]:
    """`log_p`, `bound`, which is the same, and `ess` of each datapoint, `[...]`."""
    estimate = log_p(log_weights)
    return {"bound": estimate, "log_p": estimate, "ess": effective_sample_size(log_weights)}


def effective_sample_size(log_weights: Tensor) -> Tensor:
    """(mean_k w)^2 / mean_k w^2 in (0, 1], `[...]`: the fraction of K samples that count."""
    twice = (2.0 * log_weights).logsumexp(-1)
    return (2.0 * log_weights.logsumexp(-1) - twice).exp() / log_weights.shape[-1]
