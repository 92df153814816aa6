"""log p(x), log ptilde(x) and effective sample sizes, by importance sampling.

The sums over K are kept as running logarithms of sums, so that memory is bounded by the rows of
one chunk (datapoints times samples), whatever K and the number of datapoints.
"""

from collections.abc import Callable, Iterator
from math import log

import torch
from torch import Tensor

from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork

SUMS = {"w": 1.0, "w^2": 2.0, "sqrt w": 0.5}
"""Powers of the weights whose sums over the K samples are kept."""


@torch.no_grad()
def estimate_log_p(
    model: Model,
    data: Tensor,
    evaluation_samples: int,
    streams: RandomStreams,
    chunk_rows: int = 4000,
    watch: Callable[[int], object] = lambda rows: None,
) -> dict[str, Tensor]:
    """Estimates of every datapoint of `data` `[N, D]`, each `[R, N]` in float64.

    `log_p` (nats, a lower bound in expectation) and `ess` (fraction of K, `evaluation_samples`);
    with binary latent layers also `log_p_tilde` and `ess_star` (docs/spec.md#estimators).
    `chunk_rows` bounds the sample rows that are in memory at a time; `watch` is called with the
    number of rows of each finished chunk.
    """
    datapoints = max(1, chunk_rows // evaluation_samples)
    parts = [
        _chunk_sums(
            model, chunk, evaluation_samples, streams, max(1, chunk_rows // len(chunk)), watch
        )
        for chunk in data.split(datapoints)
    ]
    log_sums = {name: torch.cat([part[name] for part in parts], dim=1) for name in SUMS}
    estimates = {
        "log_p": log_sums["w"] - log(evaluation_samples),
        "ess": (2.0 * log_sums["w"] - log_sums["w^2"]).exp() / evaluation_samples,
    }
    if isinstance(model, SigmoidBeliefNetwork):
        estimates["log_p_tilde"] = 2.0 * (log_sums["sqrt w"] - log(evaluation_samples))
        squared = 2.0 * log_sums["sqrt w"] - log_sums["w"]
        estimates["ess_star"] = squared.exp() / evaluation_samples
    return estimates


def _chunk_sums(
    model: Model,
    chunk: Tensor,
    evaluation_samples: int,
    streams: RandomStreams,
    samples_at_a_time: int,
    watch: Callable[[int], object],
) -> dict[str, Tensor]:
    batch = chunk.to(model.parameters.flat.dtype).expand(len(streams), -1, -1)
    totals: dict[str, Tensor] = {}
    for part in _parts(evaluation_samples, samples_at_a_time):
        log_weights = model.log_weights(batch, part, streams).double()
        for name, power in SUMS.items():
            new = (power * log_weights).logsumexp(-1)
            totals[name] = torch.logaddexp(totals[name], new) if name in totals else new
        watch(len(chunk) * part)
    return totals


def _parts(total: int, most: int) -> Iterator[int]:
    while total > 0:
        yield min(total, most)
        total -= most
