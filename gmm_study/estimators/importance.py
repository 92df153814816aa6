"""log p(x), log ptilde(x) and effective sample sizes, by importance sampling.

The sums over K are kept as running logarithms of sums, so that memory is bounded by the rows of
one chunk (datapoints times samples), whatever K and the number of datapoints.

The sums over each quarter of the samples are kept too. They give the same estimate with half and
with a quarter of the samples, and so how much it still rises with K (`trials/bias.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from math import log

import torch
from torch import Tensor

from gmm_study.estimators.chunks import in_chunks
from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork

SUMS = {"w": 1.0, "w^2": 2.0, "sqrt w": 0.5}
"""Powers of the weights whose sums over the K samples are kept."""
QUARTERS = 4


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
    with K of at least 4 also `log_p_gap`, by which `log_p` exceeds the mean of the estimates from
    the two halves of the samples, and `log_p_gap_before`, by which that exceeds the mean of those
    from the four quarters (both nats, never negative but for rounding); with binary latent layers
    also `log_p_tilde` and `ess_star` (docs/spec.md#estimators). If K is not a multiple of 4, the
    sizes of the quarters differ by one sample.
    `chunk_rows` bounds the sample rows that are in memory at a time; `watch` is called with the
    number of rows of each finished chunk.
    """

    def of_chunk(chunk: Tensor) -> dict[str, Tensor]:
        at_a_time = max(1, chunk_rows // len(chunk))
        return _chunk_sums(model, chunk, evaluation_samples, streams, at_a_time, watch)

    log_sums = in_chunks(data, max(1, chunk_rows // evaluation_samples), of_chunk)
    estimates = {"log_p": log_sums["w"] - log(evaluation_samples)}
    if evaluation_samples >= QUARTERS:
        estimates |= _gaps(estimates["log_p"], log_sums, evaluation_samples)
    estimates["ess"] = (2.0 * log_sums["w"] - log_sums["w^2"]).exp() / evaluation_samples
    if isinstance(model, SigmoidBeliefNetwork):
        estimates["log_p_tilde"] = 2.0 * (log_sums["sqrt w"] - log(evaluation_samples))
        squared = 2.0 * log_sums["sqrt w"] - log_sums["w"]
        estimates["ess_star"] = squared.exp() / evaluation_samples
    return estimates


def _gaps(
    log_p: Tensor, log_sums: Mapping[str, Tensor], evaluation_samples: int
) -> dict[str, Tensor]:
    """What is gained from a quarter to half of the samples, and from half of them to all."""
    ends = _ends_of_quarters(evaluation_samples)
    by_quarters, by_halves = torch.zeros_like(log_p), torch.zeros_like(log_p)
    for quarter in range(QUARTERS):
        samples = ends[quarter + 1] - ends[quarter]
        by_quarters += (log_sums[_of_quarter(quarter)] - log(samples)) / QUARTERS
    for first in (0, 2):
        samples = ends[first + 2] - ends[first]
        log_sum = torch.logaddexp(log_sums[_of_quarter(first)], log_sums[_of_quarter(first + 1)])
        by_halves += (log_sum - log(samples)) / 2.0
    return {"log_p_gap": log_p - by_halves, "log_p_gap_before": by_halves - by_quarters}


def _ends_of_quarters(samples: int) -> list[int]:
    """The number of the first sample of each quarter, and at last the number of all samples."""
    return [samples * quarter // QUARTERS for quarter in range(QUARTERS + 1)]


def _of_quarter(quarter: int) -> str:
    return f"w of quarter {quarter}"


def _chunk_sums(
    model: Model,
    chunk: Tensor,
    evaluation_samples: int,
    streams: RandomStreams,
    samples_at_a_time: int,
    watch: Callable[[int], object],
) -> dict[str, Tensor]:
    batch = chunk.to(model.parameters.flat.dtype).expand(len(streams), -1, -1)
    ends = _ends_of_quarters(evaluation_samples) if evaluation_samples >= QUARTERS else []
    totals: dict[str, Tensor] = {}
    drawn = 0
    for part in in_parts(evaluation_samples, samples_at_a_time):
        log_weights = model.log_weights(batch, part, streams).double()
        for name, power in SUMS.items():
            _add(totals, name, (power * log_weights).logsumexp(-1))
        for quarter, (first, end) in enumerate(pairwise(ends)):
            of_quarter = log_weights[..., max(0, first - drawn) : max(0, end - drawn)]
            if of_quarter.shape[-1]:
                _add(totals, _of_quarter(quarter), of_quarter.logsumexp(-1))
        drawn += part
        watch(len(chunk) * part)
    return totals


def _add(totals: dict[str, Tensor], name: str, new: Tensor) -> None:
    """Add to the logarithm of a sum."""
    totals[name] = torch.logaddexp(totals[name], new) if name in totals else new


def in_parts(total: int, most: int) -> Iterator[int]:
    """A number as a sum of numbers of at most `most`."""
    while total > 0:
        yield min(total, most)
        total -= most
