"""Limits of log-likelihoods that hold with a stated probability, from weights in both directions.

Let W be weights whose mean is p(x) of each of N datapoints, from independent chains. Then the
product over the datapoints of their mean weight over p(x) has the mean 1, so by Markov's inequality
it exceeds 1/e with probability at most e, whatever the distribution of the weights: the mean of log
p(x) is at least that of the log mean weights less log(1/e) / N. With 1/W the same gives an upper
limit (Grosse, Ghahramani and Adams, arXiv 1511.02543, who do it for one datapoint).
"""

from math import log
from statistics import NormalDist

import torch
from torch import Tensor


def log_means(log_weights: Tensor) -> Tensor:
    """log of the mean of the weights `[..., C]` in nats, `[...]`."""
    return log_weights.logsumexp(-1) - log(log_weights.shape[-1])


def lower_limit(log_weights: Tensor, error: float) -> Tensor:
    """A limit below the mean over N of log E[W], from `[R, N, C]`: `[R]`, in nats.

    It is above with probability at most `error`, for any distribution of the weights, if all of
    them are independent. Of 1/W, its negative is a limit above the mean of log(1 / E[1/W]).

    The C weights of a datapoint may also count as B groups, as if there were B N datapoints: the
    margin is then B times smaller, and the mean of the logarithms lower. The best of all powers of
    2 that divide C is taken, each with its share of the error.
    """
    _, datapoints, chains = log_weights.shape
    powers = range(chains.bit_length())
    counts = [1 << power for power in powers if chains % (1 << power) == 0]
    margin = log(len(counts) / error) / datapoints
    limits = [
        log_means(log_weights.unflatten(2, (count, chains // count))).mean((1, 2)) - margin / count
        for count in counts
    ]
    return torch.stack(limits).amax(0)


def upper_limit(log_inverse_weights: Tensor, error: float) -> Tensor:
    """A limit above the mean over N of log(1 / E[1/W]), from log (1/W) `[R, N, C]`: `[R]`, in nats.

    It is below with probability at most `error`, for any distribution of the weights. Only
    datapoints need to be independent, so the weights of one may come from one exact sample.
    """
    margin = log(1.0 / error) / log_inverse_weights.shape[1]
    return margin - log_means(log_inverse_weights).mean(1)


def gaps(forwards: Tensor, backwards: Tensor) -> Tensor:
    """How far apart both bounds of each of N samples are, from `[R, N, C]` each: `[R, N]`, nats."""
    return -log_means(backwards) - log_means(forwards)


def upper_by_samples(log_weights: Tensor, gaps_of_samples: Tensor, error: float) -> Tensor:
    """An upper limit for data whose bounds are as tight as those of samples of the model, `[R]`.

    From log W `[R, N, C]` of the data and the `gaps` `[R, S]` of at least two samples, which on
    average are at least what log W's bound is too low by (Wu et al., arXiv 1611.04273). The normal
    limit of the difference, with the spread of the gaps for both means.
    """
    spread = gaps_of_samples.std(1)
    count, samples = log_weights.shape[1], gaps_of_samples.shape[1]
    standard_errors = NormalDist().inv_cdf(1.0 - error)
    margin: Tensor = standard_errors * spread * (1.0 / count + 1.0 / samples) ** 0.5
    return log_means(log_weights).mean(1) + gaps_of_samples.mean(1) + margin
