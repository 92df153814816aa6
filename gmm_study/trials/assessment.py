"""The metrics of a checkpoint: estimates at several K, and exact values of a small model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

from torch import Tensor

from gmm_study.estimators import (
    INNER_SAMPLES,
    estimate_log_p,
    estimate_log_z2,
    summarise,
    with_p_star,
)
from gmm_study.exact import exact_log_likelihoods, why_no_exact_z, why_not_exact
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.training.checkpoint import Checkpoint
from gmm_study.trials.bias import bias_interval

EXACT = "exact"
"""Stands in a row in place of K if the values are sums over all states."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Assessment:
    """Which metrics of a checkpoint's replicates to estimate, and from how many samples.

    Each row has `replicate`, `samples` (the K of the evaluation) and the metrics, each with its
    standard error over datapoints as `..._se`. They are in nats, except `ess` and `ess_star`, which
    are fractions of K; a value that is not finite is None. With K of at least 4 a row also has
    `log_p_bias_lower` and `log_p_bias_upper`, the 95 percent interval of what `log_p` is too low
    by (`bias_interval`); an upper end of None means that there is no limit.
    """

    checkpoint: Checkpoint
    data: Tensor
    """`[N, D]` of 0/1, on the device of the model."""
    replicates: Sequence[int]
    evaluation_samples: Sequence[int]
    """The values of K; each gives one row."""
    z_samples: int
    """The number of samples of p for 2 log Z, if the method has a p*; 0 omits it."""
    seed: int = 0
    chunk_rows: int = 4000

    @property
    def sample_rows(self) -> int:
        """The total number of sample rows that `estimates` will pass to `watch`."""
        of_data = len(self.data) * sum(self.evaluation_samples)
        return len(self.replicates) * (of_data + self.z_samples * INNER_SAMPLES)

    def estimates(self, watch: Callable[[int], object] = lambda rows: None) -> list[Row]:
        """A row for each replicate and K; calls `watch` with the number of rows of each chunk."""
        return [row for index in self.replicates for row in self._estimates_of(index, watch)]

    def exact(self) -> tuple[list[Row], str | None]:
        """A row for each replicate, and why some or all exact values are missing."""
        found = []
        for index in self.replicates:
            model = self.checkpoint.model([index], self.data.device)
            reason = why_not_exact(model)
            if reason:
                return [], reason
            values = exact_log_likelihoods(model, self.data)
            log_z2 = values.pop("log_z2", None)
            figures = summarise(values, self.checkpoint.has_p_star)
            if log_z2 is not None and self.checkpoint.has_p_star:
                figures |= {"log_z2": log_z2.item(), "log_z2_se": 0.0}
            found.append({"replicate": index, "samples": EXACT, **finite(figures)})
        return found, why_no_exact_z(model) if self.checkpoint.has_p_star else None

    def _estimates_of(self, index: int, watch: Callable[[int], object]) -> list[Row]:
        model = self.checkpoint.model([index], self.data.device)
        z: tuple[Tensor, Tensor] | None = None
        if self.z_samples:
            network, streams = cast(SigmoidBeliefNetwork, model), self._streams(index, "log_z2")
            z = estimate_log_z2(network, self.z_samples, streams, self.chunk_rows, watch)
        found = []
        for count in self.evaluation_samples:
            streams = self._streams(index, str(count))
            values = estimate_log_p(model, self.data, count, streams, self.chunk_rows, watch)
            figures = _with_bias(summarise(values, self.checkpoint.has_p_star))
            if z:
                figures = with_p_star(figures, *z)
            found.append({"replicate": index, "samples": count, **finite(figures)})
        return found

    def _streams(self, replicate: int, purpose: str) -> RandomStreams:
        return RandomStreams(self.seed, [replicate], f"evaluate {purpose}", self.data.device)


def _with_bias(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures and the interval of the bias of `log_p`, if the gaps are among them."""
    gaps = ("log_p_gap", "log_p_gap_se", "log_p_gap_before", "log_p_gap_before_se")
    if not set(gaps) <= set(figures):
        return dict(figures)
    interval = bias_interval(*(figures[name] for name in gaps))
    return {
        **figures,
        "log_p_bias_lower": interval.lower,
        "log_p_bias_upper": interval.upper,
    }


def finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    """The figures, with None for one that is not finite, as JSON needs it."""
    return {name: value if isfinite(value) else None for name, value in figures.items()}
